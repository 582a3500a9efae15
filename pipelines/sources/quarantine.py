"""Bad rows, set aside with a reason; the good ones go on with one row per id and typed numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from optdist.config import Config
from optdist.config.source import FIRST_DAY
from optdist.errors import DataError
from pipelines.sources.tables import explained

LABEL, REASON = "label", "reason"


def with_reason(config: Config, rows: DataFrame, *, label: bool) -> DataFrame:
    """The columns of finished samples, and the `reason` why a row cannot be used, or null."""
    dataset, source = config.dataset, config.dataset.source
    features = dataset.features
    keys = list(dict.fromkeys([*dataset.sample_id, *dataset.split_key]))
    require(rows, keys, "id or split_key")
    require(rows, [*features.categorical, *features.numeric], "features")
    if label and source.kind == "samples":
        require(rows, [str(source.label)], "label")
        rows = rows.withColumn(LABEL, F.col(str(source.label)))
    carried = [FIRST_DAY] if FIRST_DAY in rows.columns else []
    names = [*keys, *carried, *features.categorical, *features.numeric]
    rows = rows.select(*dict.fromkeys([*names, *([LABEL] if label else [])]))
    reasons = [(f"null {name}", F.col(name).isNull()) for name in keys]
    with explained("numeric features", rows):  # a type that is no number at all, such as a date
        rows.select(*[number(name) for name in features.numeric])
    for name in features.numeric:
        reasons.append((f"unparsable {name}", ~_missing(name) & number(name).isNull()))
    if label:
        reasons += [
            ("null label", _missing(LABEL)),
            ("unparsable label", number(LABEL).isNull()),
            ("label is not finite", ~is_finite(number(LABEL))),
            ("negative label", number(LABEL) < 0),
        ]
    rows = rows.withColumn(REASON, first_reason(reasons))
    if source.kind == "samples":  # a group-by made the others unique
        rows = rows.withColumn(REASON, F.coalesce(REASON, _duplicate(dataset.id, rows)))
    return rows


def good(config: Config, rows: DataFrame) -> DataFrame:
    """The rows without a reason, their numbers typed."""
    numbers = {*config.dataset.features.numeric, LABEL}
    kept = [number(c).alias(c) if c in numbers else c for c in rows.columns if c != REASON]
    return rows.where(F.col(REASON).isNull()).select(*kept)


def set_aside(rows: DataFrame, stage: str, made: tuple[str, ...] = ()) -> DataFrame:
    """The rows that have a reason, as (stage, reason, row): in JSON, without the columns `made`."""
    content = [c for c in rows.columns if c not in {REASON, *made}]
    return rows.where(F.col(REASON).isNotNull()).select(
        F.lit(stage).alias("stage"), REASON, F.to_json(F.struct(*content)).alias("row")
    )


def checked_reasons(
    aside: DataFrame, good: Mapping[str, int], limit: float, setting: str
) -> dict[str, int]:
    """How many rows were set aside, by reason.

    Args:
        aside: of `set_aside`.
        good: the number of good rows by stage.
        limit: the share of a stage's rows that may be bad.
        setting: what sets the limit.

    Raises:
        DataError: a stage has more bad rows than that.
    """
    found = aside.groupBy("stage", REASON).count().collect()
    for stage, rows in good.items():
        bad = {str(row[REASON]): int(row["count"]) for row in found if row["stage"] == stage}
        read = rows + sum(bad.values())
        if sum(bad.values()) > limit * read:
            listed = ", ".join(f"{reason} {count:,}" for reason, count in bad.items())
            raise DataError(
                f"{sum(bad.values()):,} of {read:,} {stage} are bad ({listed}); {setting} allows "
                f"{limit:.1%}."
            )
    reasons: dict[str, int] = {}
    for row in found:
        reasons[row[REASON]] = reasons.get(row[REASON], 0) + int(row["count"])
    return reasons


def require(rows: DataFrame, names: list[str], what: str) -> None:
    """Raise a DataError that lists missing and found columns."""
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise DataError(
            f"The data set's {what} names columns that are not there: {', '.join(missing)}. "
            f"Found: {', '.join(rows.columns)}."
        )


def number(name: str) -> Column:
    """A column as a double, null where it cannot be read as one."""
    return F.expr(f"try_cast(`{name}` AS double)")


def is_finite(column: Column) -> Column:
    """Neither NaN nor infinite."""
    return reduce(
        lambda a, b: a & b, [~F.isnan(column), column != float("inf"), column != float("-inf")]
    )


def first_reason(checks: list[tuple[str, Column]]) -> Column:
    """The first reason whose condition holds, or null."""
    return F.coalesce(*[F.when(condition, F.lit(reason)) for reason, condition in checks])


def _missing(name: str) -> Column:
    """Null, or a blank text."""
    return F.col(name).isNull() | (F.trim(F.col(name).cast("string")) == "")


def _duplicate(keys: list[str], rows: DataFrame) -> Column:
    """One of identical copies stays; copies that differ all go, for none can be trusted."""
    values = [F.col(c) for c in rows.columns if c != REASON]
    content = F.xxhash64(*values, *[value.isNull() for value in values])  # it skips over nulls
    same = Window.partitionBy(*keys)
    differ = F.min(content).over(same) != F.max(content).over(same)
    again = F.row_number().over(same.orderBy(content)) > 1
    return F.when(differ, F.lit("duplicate id, rows differ")).when(
        again, F.lit("duplicate id, identical copy")
    )
