"""Predictions for raw samples: an iterator pandas UDF around a model package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from optdist.errors import DataError
from optdist.models.base import score_columns
from optdist.serving.package import Package
from pipelines.sources.categories import category

_predictors: dict[str, Any] = {}  # one model per Python worker, by its package's folder


def predict(
    samples: DataFrame,
    package: Package,
    quantiles: Sequence[float],
    batch_rows: int,
    keep: Sequence[str] | None = None,
) -> DataFrame:
    """Predict raw samples in an iterator pandas UDF: the columns `keep`, then predictions.

    Each Python worker loads the package once and scores in batches of `batch_rows`. The columns are
    those of all models together; what a model does not predict is null.

    Raises:
        DataError: the samples lack a column that the model reads.
    """
    schema = package.schema
    missing = [name for name in schema.raw_columns if name not in samples.columns]
    if missing:
        raise DataError(
            f"The model in {package.path} reads columns that the samples lack: "
            f"{', '.join(missing)}. Found: {', '.join(samples.columns)}. Take a model that was "
            f"trained on these features; for a date that was scored before, --refresh reads its "
            f"input again."
        )
    names = score_columns(quantiles)
    integer, number = T.IntegerType(), T.FloatType()
    types = [integer if name == "selected_sdn" else number for name in names]
    fields = [T.StructField(name, kind) for name, kind in zip(names, types, strict=True)]
    folder, levels = str(package.path), tuple(quantiles)

    def scores(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from pipelines.prediction import worker_predictor

        predictor = worker_predictor(folder)
        for batch in batches:
            yield pd.DataFrame(predictor.predict(batch, levels)).reindex(columns=names)

    udf = F.pandas_udf(scores, T.StructType(fields))
    samples.sparkSession.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(batch_rows))
    raw = F.struct(
        *[category(samples, feature.name) for feature in schema.categorical],
        *[F.col(feature.name).cast("double").alias(feature.name) for feature in schema.numeric],
    )
    keep = samples.columns if keep is None else keep
    return samples.select(*keep, udf(raw).alias("_scored")).select(*keep, "_scored.*")


def worker_predictor(folder: str) -> Any:
    """The package's predictor in this Python worker, loaded on first use, with one thread."""
    if folder not in _predictors:
        from optdist.serving.predictor import load_predictor

        _predictors.clear()
        _predictors[folder] = load_predictor(folder, threads=1)
    return _predictors[folder]
