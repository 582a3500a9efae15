"""Counts the categories of samples that a model has never seen, warns of many and stops at more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config import LimitsConfig
from optdist.data.schema import CategoricalFeature, FeatureSchema
from optdist.log import LOG
from pipelines.checks import Constraint, Statistics, enforce, failures
from pipelines.sources.categories import categorical_text

LEAST_ROWS = 30  # fewer are no evidence
RARE = 0.05  # of training's rows; features with more unknown ones are not stopped at
FAR_ABOVE = 0.05  # more than training's share, above which a warning is printed


@dataclass(frozen=True)
class Unknown:
    """The categories of a feature that are not in the vocabulary."""

    rows: int  # that have a category
    unknown: int
    other_case: int  # of these, how many would be in it in other letter case

    @property
    def share(self) -> float:
        """The share of unknown categories."""
        return self.unknown / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class FewUnknown:
    """A check of the share of one feature's categories that are unknown to the model."""

    feature: str

    def __call__(self, statistics: Statistics, limits: LimitsConfig) -> str | None:
        """The reason, or None."""
        unknown: Unknown = statistics[self.feature]
        if unknown.rows < LEAST_ROWS or limits.contain(unknown.share):
            return None
        return f"{describe(self.feature, unknown)}; scoring.max_unknown_share allows {limits.max:g}"


def check_categories(
    samples: DataFrame, schema: FeatureSchema, max_unknown_share: float
) -> dict[str, float]:
    """Warn of features with many more unknown categories than in training, and stop at too many.

    Args:
        samples: raw samples to score.
        schema: what the model was trained on.
        max_unknown_share: of the rows with a category, for features that had few in training.

    Returns:
        Feature -> share of unknown categories.

    Raises:
        CheckError: a feature has more.
    """
    counts = warn_of_unknown(samples, schema)
    enforce(
        counts,
        limits_of_unknown(schema, max_unknown_share),
        "Write categories as in training, or train again.",
    )
    return {name: unknown.share for name, unknown in counts.items()}


def warn_of_unknown(
    samples: DataFrame,
    schema: FeatureSchema,
    whose: str = "the model",
    max_unknown_share: float | None = None,
) -> Mapping[str, Unknown]:
    """Count unknown categories, and warn of features with many more than in training.

    Args:
        samples: raw samples.
        schema: the vocabularies, and what training did not know.
        whose: what has the vocabularies, for the warning.
        max_unknown_share: warn also that scoring would stop at more; None: do not.
    """
    counts = count_unknown_categories(samples, schema)
    for feature in schema.categorical:
        unknown = counts[feature.name]
        if unknown.share > (feature.unknown_share or 0.0) + FAR_ABOVE:
            known = feature.unknown_share
            then = "" if known is None else f" ({known:.1%} in training)"
            LOG.warning(f"{describe(feature.name, unknown, whose)}{then}")
    limits = [] if max_unknown_share is None else limits_of_unknown(schema, max_unknown_share)
    if failures(counts, limits):
        LOG.warning(
            f"scoring such rows with {whose} stops: scoring.max_unknown_share allows "
            f"{max_unknown_share:g}"
        )
    return counts


def limits_of_unknown(schema: FeatureSchema, max_unknown_share: float) -> list[Constraint]:
    """The check of each feature that had few unknown categories in training.

    Args:
        schema: what the model was trained on.
        max_unknown_share: the share that may be unknown.
    """
    limits = LimitsConfig(max=max_unknown_share)
    return [(FewUnknown(f.name), limits) for f in schema.categorical if _few(f)]


def describe(feature: str, unknown: Unknown, whose: str = "the model") -> str:
    """A clause with the counts.

    Args:
        feature: the feature's name.
        unknown: its counts.
        whose: what has the vocabulary.
    """
    case = f", {unknown.other_case:,} of them for their letter case" if unknown.other_case else ""
    return (
        f"{unknown.unknown:,} of {unknown.rows:,} categories of {feature} are unknown to "
        f"{whose}{case}"
    )


def count_unknown_categories(samples: DataFrame, schema: FeatureSchema) -> Mapping[str, Unknown]:
    """The counts of every categorical feature, in one pass.

    Args:
        samples: raw samples.
        schema: the vocabularies.
    """

    def count(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from optdist.data.encoding import count_unknown

        for batch in batches:
            counts = count_unknown(batch, schema).items()
            rows = [(name, *numbers) for name, numbers in counts]
            columns = list(zip(*rows, strict=True))
            yield pa.RecordBatch.from_arrays([pa.array(c) for c in columns], names=_NAMES)

    if not schema.categorical:
        return {}
    columns = [categorical_text(samples, feature.name) for feature in schema.categorical]
    counts = samples.select(*columns).mapInArrow(
        count, "feature string, rows long, unknown long, other_case long"
    )
    sums = counts.groupBy("feature").agg(*[F.sum(name).alias(name) for name in _NAMES[1:]])
    found = {row["feature"]: Unknown(*row[1:]) for row in sums.collect()}
    return {f.name: found.get(f.name, Unknown(0, 0, 0)) for f in schema.categorical}


_NAMES = ["feature", "rows", "unknown", "other_case"]


def _few(feature: CategoricalFeature) -> bool:
    """Whether training knew nearly all categories; packages of older versions do not say.

    A date brings new months and quarters, which are no mistake of whoever delivers the data.
    """
    return (
        not feature.calendar and feature.unknown_share is not None and feature.unknown_share < RARE
    )
