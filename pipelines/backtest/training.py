"""Trains a model as of a past date, for a backtest alone: it is neither logged nor registered."""

from __future__ import annotations

import datetime as dt
import shutil

from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.files import locked
from optdist.log import LOG
from optdist.serving.package import Package
from optdist.training.progress import ProgressBar
from pipelines.features.build import build_features
from pipelines.training.engines import launcher_of
from pipelines.training.pipeline import training_plan


def train_as_of(spark: SparkSession, config: Config, run_date: dt.date) -> Package:
    """The package of a model that has seen nothing after a date.

    The package is kept by its plan's fingerprint, so that the next backtest finds it.

    Args:
        spark: the session.
        config: data set, model and training, as `jobs/train.py` reads them.
        run_date: the last day that training reads.

    Raises:
        DataError: the data up to the date have no label whose window has ended.
        TrainingError: a rank failed.
    """
    table = build_features(spark, config, run_date)
    plan = training_plan(config, table)
    target = config.layout.backtest.trained(plan.fingerprint)
    if target.exists():
        LOG.info(f"  trained as of {run_date} before: {target}")
        return Package(target)
    folder = target.with_name(f"unfinished-{target.name}")
    plan = plan.model_copy(update={"folder": str(folder), "test": False})
    with locked(folder):
        if not target.exists():
            LOG.info(f"  training {config.model.name} as of {run_date}")
            bar = ProgressBar()
            launcher_of(config).launch(plan, bar)
            bar.close()
            plan.run_folder.package.path.rename(target)
            shutil.rmtree(folder)
    return Package(target)
