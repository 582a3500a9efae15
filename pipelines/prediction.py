"""Predicts raw samples with a model package, in an iterator pandas UDF."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from optdist.errors import DataError, ModelError
from optdist.models.base import score_columns
from optdist.serving.package import Package
from pipelines.sources.categories import categorical_text
from pipelines.sources.columns import column
from pipelines.sources.formats.messages import SPARK_ERRORS

# the models of one plan in each Python worker
_predictors: dict[tuple[tuple[Package, ...], int], list[Any]] = {}


def predict(
    samples: DataFrame,
    package: Package,
    quantiles: Sequence[float],
    batch_rows: int,
    keep: Sequence[str] | None = None,
    label: str | None = None,
    more: Mapping[str, Package] | None = None,
) -> DataFrame:
    """Predict raw samples: the columns `keep`, then those of all models together, then `more`.

    Each Python worker loads the packages once, and reads a row once for all of them. What the model
    does not predict is null.

    Args:
        samples: raw rows, with the columns that the model reads.
        package: the model.
        quantiles: levels in (0, 1).
        batch_rows: rows that a worker predicts in one step, whatever Arrow's batches hold: their
            size is a setting of the session, read only when an action runs the plan.
        keep: columns of the samples; None keeps all.
        label: the samples' label, which adds a column `nll`, its negative log-likelihood in nats;
            only for a model that predicts a distribution.
        more: column -> another model, whose predicted value it gets.

    Raises:
        DataError: the samples lack a column that a model reads.
    """
    others = dict(more or {})
    packages = [package, *others.values()]
    for one in packages:
        _require_columns(samples, one)
    names = [*score_columns(quantiles), *(["nll"] if label else []), *others]
    models = tuple(Package(one.path, one.expected) for one in packages)  # nothing cached
    levels, columns_of_others = tuple(quantiles), tuple(others)

    def predict_batches(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from pipelines.prediction import regroup, worker_predictors

        predictor, *further = worker_predictors(models, batch_rows)
        for batch in regroup(batches, batch_rows):
            columns = predictor.predict(batch, levels)
            if label:
                columns["nll"] = predictor.nll(batch, batch[label])
            for name, other in zip(columns_of_others, further, strict=True):
                columns[name] = other.predict(batch)["predicted_cltv"]
            yield pd.DataFrame(columns).reindex(columns=names)

    udf = F.pandas_udf(predict_batches, _score_type(names))
    keep = samples.columns if keep is None else keep
    scored = samples.select(
        *map(column, keep), udf(_raw_columns(samples, packages, label)).alias("_scored")
    )
    return scored.select(*map(column, keep), "_scored.*")


@contextmanager
def explain_worker_errors() -> Iterator[None]:
    """Turn an error of optdist that a worker raised, inside one of Spark's, into itself again.

    Spark predicts once an action runs the plan, so whatever writes or collects stands in this.
    """
    try:
        yield
    except SPARK_ERRORS as error:
        raised = re.search(r"optdist\.errors\.(\w+): (.+)", str(error))
        kind = {"ModelError": ModelError, "DataError": DataError}.get(raised[1]) if raised else None
        if raised and kind:
            raise kind(raised[2].strip()) from error
        raise


def regroup(batches: Iterable[pd.DataFrame], rows: int) -> Iterator[pd.DataFrame]:
    """The same rows in batches of exactly `rows` rows; the last one may have fewer."""
    parts: list[pd.DataFrame] = []
    waiting = 0
    for batch in batches:
        start = 0
        while waiting + len(batch) - start >= rows:
            end = start + rows - waiting
            yield _joined([*parts, batch.iloc[start:end]])
            parts, waiting, start = [], 0, end
        if start < len(batch):
            parts.append(batch.iloc[start:])
            waiting += len(batch) - start
    if parts:
        yield _joined(parts)


def worker_predictors(packages: tuple[Package, ...], batch_rows: int) -> list[Any]:
    """The packages' predictors in this Python worker, loaded on first use, with one thread.

    Raises:
        ModelError: a file of a package is damaged, as this worker's host reads it.
    """
    key = (packages, batch_rows)
    if key not in _predictors:
        from optdist.serving.predictor import load_predictor

        _predictors.clear()
        _predictors[key] = [load_predictor(one, batch_rows, threads=1) for one in packages]
    return _predictors[key]


def _require_columns(samples: DataFrame, package: Package) -> None:
    missing = [name for name in package.schema.raw_columns if name not in samples.columns]
    if missing:
        raise DataError(
            f"The model in {package.path} reads columns that the samples lack: "
            f"{', '.join(missing)}. Found: {', '.join(samples.columns)}. Take a model that was "
            f"trained on these features; for a date that was scored before, --refresh reads its "
            f"input again."
        )


def _raw_columns(samples: DataFrame, packages: Sequence[Package], label: str | None) -> Column:
    """What the models read, in the types that encoding takes, and the label if there is one.

    Raises:
        DataError: one reads as a category what another reads as a number.
    """
    schemas = [package.schema for package in packages]
    categories = dict.fromkeys(f.name for schema in schemas for f in schema.categorical)
    numbers = dict.fromkeys(f.name for schema in schemas for f in schema.numeric)
    both = [name for name in categories if name in numbers]
    if both:
        raise DataError(
            f"Models that score together read {', '.join(both)} as a category and as a number. "
            f"Train them again, in one run of jobs/train.py."
        )
    return F.struct(
        *[categorical_text(samples, name) for name in categories],
        *[column(name).cast("double").alias(name) for name in numbers],
        *([F.col(label)] if label else []),
    )


def _score_type(names: Sequence[str]) -> T.StructType:
    integer, number = T.IntegerType(), T.FloatType()
    types = [integer if name == "selected_sdn" else number for name in names]
    return T.StructType([T.StructField(*field) for field in zip(names, types, strict=True)])


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
