"""Trains LightGBM with Tweedie loss: what a practitioner would use instead of a network.

It sees the same encoded splits as the networks: category ids as categories, and numbers (z-scores,
which trees do not tell from raw values) with NaN where a value was missing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from optdist.data.encoding import encode
from optdist.data.feature_table import FeatureTable
from optdist.data.schema import FeatureSchema, encoded_name
from optdist.distributions.calibration import fit_scale
from optdist.evaluation.metrics import evaluate, normalized_gini
from optdist.seeds import derive
from pipelines.experiments.plan.measurements import Cost, Trained
from pipelines.experiments.run.jobs import Job
from pipelines.experiments.run.speed import rows_per_second, scoring_rows

_FIXED = {
    "objective": "tweedie",
    "metric": "None",
    "bagging_fraction": 0.8,  # with feature_fraction: what a seed varies
    "bagging_freq": 1,
    "feature_fraction": 0.8,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


Columns = dict[str, np.ndarray]


def train_boosting(job: Job) -> tuple[Trained, Columns | None]:
    """Boost until the validation Norm-GINI stops rising; calibrate the sum as for a network.

    Returns:
        The result of training, and the test rows' columns if the job reads the test split.
    """
    table = FeatureTable.open(job.table)
    schema = table.schema
    train, validation = _read(table, "train"), _read(table, "validation")
    matrix = features(train, schema)
    started = time.monotonic()
    booster, gini, times = _boosted(job, schema, (matrix, train["label"]), validation)
    seconds = time.monotonic() - started
    predicted = booster.predict(features(validation, schema))
    forecast = float(predicted.sum() + booster.predict(matrix).sum())
    actual = sum(float(part["label"].sum(dtype=np.float64)) for part in (train, validation))
    scale = fit_scale(actual, forecast)
    trees = booster.dump_model()["tree_info"][: booster.best_iteration]
    cost = Cost(
        parameters=sum(tree["num_leaves"] for tree in trees),
        train_rows_per_second=len(matrix) * len(gini) / seconds,
        seconds=seconds,
        seconds_to_best=times[booster.best_iteration - 1],
    )
    trained = Trained(
        inference="mean",
        validation={"mean": {**evaluate(validation["label"], scale * predicted, schema.label)}},
        history=[*gini[:: max(1, len(gini) // 25)]],
        best_epoch=booster.best_iteration,
        epochs=len(gini),
        cost=cost,
    )
    return _tested(trained, booster, scale, table) if job.test else (trained, None)


def _boosted(
    job: Job, schema: FeatureSchema, train: tuple[np.ndarray, np.ndarray], validation: Columns
) -> tuple[lgb.Booster, list[float], list[float]]:
    """The booster, and the validation Norm-GINI and the seconds so far after each round."""
    parameters = dict(job.settings.lightgbm or {})
    rounds, patience = parameters.pop("rounds"), parameters.pop("patience")
    started = time.monotonic()
    times: list[float] = []
    history: dict[str, Any] = {}
    booster = lgb.train(
        _FIXED | parameters | {"seed": derive(job.seed, "lightgbm"), "num_threads": job.threads},
        _dataset(*train, schema),
        num_boost_round=rounds,
        valid_sets=[_dataset(features(validation, schema), validation["label"], schema)],
        valid_names=["validation"],
        feval=_gini,
        callbacks=[
            lgb.early_stopping(patience, verbose=False),
            lgb.record_evaluation(history),
            lambda _: times.append(time.monotonic() - started),
        ],
    )
    return booster, history["validation"]["normalized_gini"], times


def _tested(
    trained: Trained, booster: lgb.Booster, scale: float, table: FeatureTable
) -> tuple[Trained, Columns]:
    """The result of training, with test metrics, and the test rows' columns."""
    schema, test = table.schema, _read(table, "test")
    predicted = scale * booster.predict(features(test, schema))

    def score(rows: pa.Table) -> np.ndarray:
        return np.asarray(booster.predict(features(encode(rows, schema), schema)))

    speed = {"mean": rows_per_second(score, scoring_rows(table))}
    tested = trained.model_copy(
        update={
            "test": {"mean": evaluate(test["label"], predicted, schema.label)},
            "cost": trained.cost.model_copy(update={"score_rows_per_second": speed}),
        }
    )
    columns = {"label": test["label"], "group_key": test["group_key"], "predicted_mean": predicted}
    return tested, columns


def features(columns: Mapping[str, np.ndarray], schema: FeatureSchema) -> np.ndarray:
    """Encoded columns as one float32 matrix [N, F]: ids first, then numbers with NaN."""
    ids = [columns[name].astype(np.float32) for name in schema.categorical_columns]
    numbers = [
        np.where(
            columns[encoded_name("missing", f.name)] > 0,
            np.nan,
            columns[encoded_name("num", f.name)],
        )
        if f.indicator
        else columns[encoded_name("num", f.name)]
        for f in schema.numeric
    ]
    return np.stack([*ids, *numbers], axis=1).astype(np.float32)


def _dataset(matrix: np.ndarray, label: np.ndarray, schema: FeatureSchema) -> Any:
    return lgb.Dataset(
        matrix, label, categorical_feature=list(range(len(schema.categorical))), free_raw_data=True
    )


def _read(table: FeatureTable, split: str) -> Columns:
    """A split's encoded columns, label and group_key."""
    schema = table.schema
    names = [*schema.categorical_columns, *schema.numeric_columns, "label", "group_key"]
    rows = table.read(split, names)
    return {name: rows.column(name).to_numpy() for name in names}


def _gini(predicted: np.ndarray, data: Any) -> tuple[str, float, bool]:
    return "normalized_gini", normalized_gini(data.get_label(), predicted), True
