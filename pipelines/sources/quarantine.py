"""Quarantines bad rows with a reason; the good ones go on with typed numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from optdist.config import DatasetConfig, FeaturesConfig, LimitsConfig
from optdist.config.transactions import FIRST_DAY
from pipelines.checks import Statistics, enforce
from pipelines.sources.columns import (
    LABEL,
    REASON,
    column,
    explain_errors,
    first_reason,
    is_finite,
    is_missing,
    parse_number,
    require,
)


def with_reason(rows: DataFrame, dataset: DatasetConfig, *, label: bool) -> DataFrame:
    """The columns of finished samples, and the `reason` why a row cannot be used, or null.

    Args:
        rows: samples with at least keys, features and, with `label`, `label`.
        dataset: keys and features.
        label: whether the rows have a label to check.

    Raises:
        DataError: a column is missing, or a numeric feature has a type that is not numeric.
    """
    features = dataset.features
    keys = list(dict.fromkeys([*dataset.sample_id, *dataset.split_key]))
    require(rows, keys, "id or split_key")
    require(rows, [*features.categorical, *features.numeric], "features")
    carried = [FIRST_DAY] if FIRST_DAY in rows.columns else []
    names = [*keys, *carried, *features.categorical, *features.numeric]
    names = [*dict.fromkeys([*names, *([LABEL] if label else [])])]
    rows = rows.select(*map(column, names))
    with explain_errors("numeric features", rows):  # a type such as a date cannot be a number
        rows.select(*[parse_number(name) for name in features.numeric])
    reasons = [(f"null {name}", column(name).isNull()) for name in keys]
    for name in features.numeric:
        unparsable = ~is_missing(name) & parse_number(name).isNull()
        reasons.append((f"unparsable {name}", unparsable))
    return rows.withColumn(REASON, first_reason(reasons + (_label_reasons() if label else [])))


def with_duplicate_reason(rows: DataFrame, keys: list[str]) -> DataFrame:
    """Rows whose reason, where they have none yet, is that their key is there twice."""
    return rows.withColumn(REASON, F.coalesce(REASON, _duplicate(keys, rows)))


def keep_good_rows(rows: DataFrame, features: FeaturesConfig) -> DataFrame:
    """The rows without a reason, their numbers typed."""
    numbers = {*features.numeric, LABEL}
    kept = [
        parse_number(c).alias(c) if c in numbers else column(c) for c in rows.columns if c != REASON
    ]
    return rows.where(F.col(REASON).isNull()).select(*kept)


def quarantine_rows(rows: DataFrame, stage: str, without: tuple[str, ...] = ()) -> DataFrame:
    """The rows that have a reason, as (stage, reason, row), each row in JSON.

    Args:
        rows: rows with a `reason`, or null.
        stage: the step that checked them.
        without: columns that the pipeline added, which are left out of the JSON.
    """
    content = [c for c in rows.columns if c not in {REASON, *without}]
    return rows.where(F.col(REASON).isNotNull()).select(
        F.lit(stage).alias("stage"), REASON, F.to_json(F.struct(*map(column, content))).alias("row")
    )


@dataclass(frozen=True)
class BadShare:
    """A check of the share of a stage's rows that are bad.

    Args:
        stage: the step that checked the rows; its statistics are `good`, a count, and `bad`, counts
            by reason.
        setting: what sets the limit, for the message.
    """

    stage: str
    setting: str

    def __call__(self, statistics: Statistics, limits: LimitsConfig) -> str | None:
        """The reason, with the counts, or None."""
        bad = statistics[self.stage]["bad"]
        count = sum(bad.values())
        rows = statistics[self.stage]["good"] + count
        if limits.contain(count / max(rows, 1)):
            return None
        listed = ", ".join(f"{reason} {n:,}" for reason, n in bad.items())
        allowed = f"{self.setting} allows {limits.max:.1%}"
        return f"{count:,} of {rows:,} {self.stage} are bad ({listed}); {allowed}"


def check_bad_rows(
    quarantined: DataFrame, good: Mapping[str, int], limit: float, setting: str
) -> dict[str, int]:
    """Count the quarantined rows by reason, and check the share of bad rows of every stage.

    Args:
        quarantined: the rows of `quarantine_rows`.
        good: the number of good rows by stage.
        limit: the share of a stage's rows that may be bad.
        setting: what sets the limit.

    Raises:
        CheckError: a stage has more bad rows than that.
    """
    counts = quarantined.groupBy("stage", REASON).count().collect()
    statistics = {
        stage: {
            "good": rows,
            "bad": {str(row[REASON]): int(row["count"]) for row in counts if row["stage"] == stage},
        }
        for stage, rows in good.items()
    }
    limits = LimitsConfig(max=limit)
    enforce(statistics, [(BadShare(stage, setting), limits) for stage in good])
    reasons: dict[str, int] = {}
    for row in counts:
        reasons[row[REASON]] = reasons.get(row[REASON], 0) + int(row["count"])
    return reasons


def _label_reasons() -> list[tuple[str, Column]]:
    value = parse_number(LABEL)
    return [
        ("null label", is_missing(LABEL)),
        ("unparsable label", value.isNull()),
        ("label is not finite", ~is_finite(value)),
        ("negative label", value < 0),
    ]


def _duplicate(keys: list[str], rows: DataFrame) -> Column:
    """One of identical copies stays; copies that differ all go, for none can be trusted."""
    values = [column(c) for c in rows.columns if c != REASON]
    content = F.xxhash64(*values, *[value.isNull() for value in values])  # it skips over nulls
    same = Window.partitionBy(*map(column, keys))
    differ = F.min(content).over(same) != F.max(content).over(same)
    again = F.row_number().over(same.orderBy(content)) > 1
    return F.when(differ, F.lit("duplicate id, rows differ")).when(
        again, F.lit("duplicate id, identical copy")
    )
