"""A shop with built features, two registered models and its settings as a file, for real jobs."""

import datetime as dt
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from quick import QUICK, settings_of
from registered import register, write_package
from shop import config as shop_config
from shop import transactions

from optdist.config import Config, load_config
from optdist.tracking import CHAMPION, Tracker
from pipelines.features.build import build_features
from pipelines.scoring.pipeline import score

DATE = dt.date(2024, 12, 20)


@dataclass(frozen=True)
class Shop:
    """A shop's settings, and what scoring gives where nothing disturbs it."""

    folder: Path
    file: Path  # its data set's YAML
    config: Config
    tracker: Tracker
    table: Any
    scores: dict[str, pd.DataFrame]  # by version

    @property
    def args(self) -> list[str]:
        return ["--dataset", str(self.file)]

    @property
    def published(self) -> Path:
        return self.config.layout.scores.date(DATE)

    def forget_scores(self) -> None:
        shutil.rmtree(self.config.layout.scores.path, ignore_errors=True)


def rows_of(folder: Path) -> pd.DataFrame:
    """A folder's rows, in the order of their ids."""
    frame = pd.read_parquet(folder)
    return frame.sort_values("customer").reset_index(drop=True)


def written(config: Config, file: Path) -> Config:
    """Write a configuration as a data set's file, and read it as a job does."""
    sections = dict(config.written)
    dataset = sections.pop("dataset")
    file.write_text(yaml.safe_dump({**dataset, **sections}))
    return load_config(file)


def stand(spark, folder: Path) -> Shop:
    """Build the shop's features, register two versions, and score with each."""
    transactions(300).to_csv(folder / "sales.csv", index=False)
    quick = {**QUICK, "spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC"}
    config = shop_config(folder / "root", folder / "sales.csv", spark=quick)
    config = written(config, folder / "shop.yaml")
    tracker = Tracker(config)
    with settings_of(spark):
        table = build_features(spark, config)
    for seed in (1, 2):
        package = write_package(table.schema, folder / f"package{seed}", seed, inference="hard")
        version = register(tracker, package)
        if seed == 1:
            tracker.set_alias(CHAMPION, version)
    scores = {}
    for version in ("1", "2"):
        with settings_of(spark):  # other batches differ in the last bits
            score(spark, config, tracker, DATE, version)
        scores[version] = rows_of(config.layout.scores.date(DATE))
    assert not scores["1"].equals(scores["2"])
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return Shop(folder, folder / "shop.yaml", config, tracker, table, scores)
