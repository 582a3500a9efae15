"""Writes a date's scores where no reader looks, in the agreed columns, and checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import DatasetConfig, ScoringConfig
from optdist.files import uri
from optdist.log import LOG
from optdist.models.base import prediction_columns, score_columns
from optdist.serving.package import Package
from pipelines.features.fitting import count_imputed
from pipelines.prediction import explain_worker_errors, predict
from pipelines.scoring.checks import check_scores
from pipelines.scoring.columns import HISTORIC, needs_history, with_ranks, with_values
from pipelines.unknown_categories import check_categories


def stage_scores(
    spark: SparkSession,
    scoring: ScoringConfig,
    keys: Sequence[str],
    version: str,
    package: Package,
    samples: DataFrame,
    expected: int,
    staged: Path,
    further: Mapping[str, Package] | None = None,
) -> dict[str, Any]:
    """Write scores where no reader looks, and check them.

    Args:
        spark: the session.
        scoring: the scoring settings.
        keys: the result of `score_keys`.
        version: the model's version.
        package: its package.
        samples: the raw samples to score.
        expected: how many they are.
        staged: the folder to write.
        further: column -> the package that predicts it, of each further horizon.

    Returns:
        The manifest's `rows`, `total_predicted`, `checksum` and `imputed`, and `totals` of further
        horizons.

    Raises:
        DataError: rows were lost or are not finite, or too many categories are unknown.
        ModelError: a worker found the package damaged.
    """
    levels, more = scoring.quantiles, dict(further or {})
    check_categories(samples, package.schema, scoring.max_unknown_share)
    filled = count_imputed(samples, package.schema)
    if filled:
        LOG.warning(f"filled with the training mean, because training had no null: {filled}")
    past = [HISTORIC] if needs_history(scoring.columns) else []
    predicted = predict(
        samples, package, levels, scoring.batch_rows, keep=[*keys, *past], more=more
    )
    predicted = with_values(predicted, scoring.columns)
    with explain_worker_errors(), with_ranks(predicted, scoring.columns) as ranked:
        rows = select_score_columns(
            ranked, keys, levels, package.inference, version, [*scoring.columns, *more]
        )
        rows.write.mode("overwrite").parquet(uri(staged))
    names = [*prediction_columns(package.model_class, levels), *scoring.columns]
    return check_scores(spark, staged, expected, names, [*more]) | {"imputed": filled}


def score_keys(dataset: DatasetConfig) -> list[str]:
    """The columns that say whose score a row is, and of which day where the samples have one."""
    return [*dataset.id, *dataset.source.carried]


def select_score_columns(
    predicted: DataFrame,
    keys: Sequence[str],
    levels: Sequence[float],
    inference: str,
    version: str,
    more: Sequence[str] = (),
) -> DataFrame:
    """The columns of a score table, in their order, whichever model scored.

    Args:
        predicted: the keys, and what `predict` adds.
        keys: the result of `score_keys`.
        levels: the quantiles' levels.
        inference: the rule that the model predicted by.
        version: the model's version.
        more: the setting `scoring.columns`, and the columns of further horizons.
    """
    return predicted.select(
        *keys,
        *score_columns(levels),
        *more,
        F.lit(inference).alias("inference"),
        F.lit(version).alias("model_version"),
    )
