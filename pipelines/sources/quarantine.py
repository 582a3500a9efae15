"""Quarantines bad rows with a reason; the good ones go on with typed numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from optdist.config import DatasetConfig, FeaturesConfig, LimitsConfig
from optdist.config.source import SourceConfig
from optdist.config.transactions import FIRST_DAY
from optdist.errors import CheckError
from optdist.log import LOG
from pipelines.checks import Statistics, enforce
from pipelines.sources.columns import (
    IS_RAGGED,
    LABEL,
    MARKS,
    RAGGED,
    REASON,
    column,
    content_hash,
    explain_errors,
    first_reason,
    is_finite,
    is_inexact_id,
    is_missing,
    is_no_id,
    is_ragged,
    parse_number,
    require,
    without_blanks,
)
from pipelines.sources.formats.base import UNPARSED
from pipelines.sources.remedies import suggest_remedies
from pipelines.sources.shapes import with_shape
from pipelines.sources.typed import raw_text, unparsed_reason
from pipelines.sources.values import swallowed_lines


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
    rows = require(rows, keys, "id or split_key")
    rows = require(rows, [*features.categorical, *features.numeric], "features")
    days = [FIRST_DAY] if dataset.source.cut else []  # elsewhere it is a raw column like others
    carried = [name for name in (*days, *MARKS) if name in rows.columns]
    names = [*keys, *carried, *features.categorical, *features.numeric]
    names = [*dict.fromkeys([*names, *([LABEL] if label else [])])]
    rows = without_blanks(rows.select(*map(column, names)), keys)
    with explain_errors("numeric features", rows):  # a type such as a date cannot be a number
        rows.select(*[parse_number(rows, name) for name in features.numeric])
    reasons = is_ragged(rows) + [(f"null {name}", is_no_id(rows, name)) for name in keys]
    reasons += [(f"inexact {name}", is_inexact_id(rows, name)) for name in keys]
    for name in features.numeric:
        unparsable = ~is_missing(name) & parse_number(rows, name).isNull()
        reasons.append((f"unparsable {name}", unparsable))
    reason = first_reason(reasons + (_label_reasons(rows) if label else []))
    return rows.withColumn(REASON, F.coalesce(reason, *unparsed_reason(rows)))


def with_duplicate_reason(rows: DataFrame, keys: list[str]) -> DataFrame:
    """Rows whose reason, where they have none yet, is that their key is there twice."""
    return rows.withColumn(REASON, F.coalesce(REASON, _duplicate(keys, rows)))


def keep_good_rows(rows: DataFrame, features: FeaturesConfig) -> DataFrame:
    """The rows without a reason, their numbers typed."""
    numbers = {*features.numeric, LABEL}
    names = [c for c in rows.columns if c not in (REASON, *MARKS)]
    kept = [parse_number(rows, c).alias(c) if c in numbers else column(c) for c in names]
    return rows.where(F.col(REASON).isNull()).select(*kept)


def quarantine_rows(
    rows: DataFrame,
    stage: str,
    without: tuple[str, ...] = (),
    *,
    texts: Mapping[str, Column] | None = None,
    value: Column | None = None,
) -> DataFrame:
    """The rows that have a reason: (stage, reason, example, value, lines, row), the row in JSON.

    Args:
        rows: rows with a `reason`, or null.
        stage: the step that checked them.
        without: columns that the pipeline added, which are left out of the JSON.
        texts: reason -> the text that is wrong, whose shape is the example.
        value: what a row is worth, by a guess [currency].

    Returns:
        also `lines`, how many lines of the file went into the row: a quote that does not end takes
        those after it into one field.
    """
    if texts is None:
        texts = ragged_text(rows) | {f"unparsable {c}": column(c) for c in rows.columns}
    names = [c for c in rows.columns if c not in {REASON, *MARKS, *without}]
    typed = rows.schema[UNPARSED].metadata["columns"] if UNPARSED in rows.columns else []
    content = [raw_text(rows, c).alias(c) if c in typed else column(c) for c in names]
    content += [F.col(mark) for mark in (RAGGED,) if mark in rows.columns]
    bad = [F.when(F.col(REASON) == reason, text.cast("string")) for reason, text in texts.items()]
    if UNPARSED in rows.columns:
        name = F.regexp_extract(REASON, "^unparsable (.*)$", 1)
        bad = [F.element_at(F.col(UNPARSED), name), *bad]
    return rows.where(F.col(REASON).isNotNull()).select(
        F.lit(stage).alias("stage"),
        REASON,
        with_shape(F.coalesce(*bad, F.lit(None))).alias("example"),
        (F.lit(None) if value is None else value).cast("double").alias("value"),
        F.greatest(F.size(swallowed_lines(rows)), F.lit(1)).alias("lines"),
        F.to_json(F.struct(*content)).alias("row"),
    )


def ragged_text(rows: DataFrame) -> dict[str, Column]:
    """The whole line, for rows whose format marks lines of other length."""
    return {IS_RAGGED: F.col(RAGGED)} if RAGGED in rows.columns else {}


@dataclass(frozen=True)
class ReasonCount:
    """How many rows of a stage have a reason, with the shape of one, and their value by a guess."""

    stage: str
    reason: str
    rows: int
    example: str | None
    value: float

    def __str__(self) -> str:
        example = f", such as `{self.example}`" if self.example else ""
        return f"{self.reason} {self.rows:,}{example}"


def count_reasons(quarantined: DataFrame) -> list[ReasonCount]:
    """The reasons of each stage, the most frequent first."""
    known = {"example": "string", "value": "double", "lines": "int"}
    absent = {n: F.lit(None).cast(t) for n, t in known.items() if n not in quarantined.columns}
    groups = quarantined.withColumns(absent) if absent else quarantined
    sums = groups.groupBy("stage", REASON).agg(
        F.sum(F.coalesce("lines", F.lit(1))).alias("rows"),
        F.min("example").alias("example"),
        F.coalesce(F.sum("value"), F.lit(0.0)).alias("value"),
    )
    counts = [ReasonCount(**row.asDict()) for row in sums.collect()]
    return sorted(counts, key=lambda count: (-count.rows, count.stage, count.reason))


@dataclass(frozen=True)
class BadShare:
    """A check of the share of a stage's rows that are bad.

    Args:
        stage: the step that checked the rows; its statistics are `good`, a count, and `bad`, its
            `ReasonCount`s.
        setting: what sets the limit, for the message.
    """

    stage: str
    setting: str

    def __call__(self, statistics: Statistics, limits: LimitsConfig) -> str | None:
        """The reason, with the counts, or None."""
        bad = statistics[self.stage]["bad"]
        count = sum(reason.rows for reason in bad)
        rows = statistics[self.stage]["good"] + count
        if limits.contain(count / max(rows, 1)):
            return None
        return f"{count:,} of {rows:,} {self.stage} are bad ({_listed(bad)}); {self._rule(limits)}"

    def _rule(self, limits: LimitsConfig) -> str:
        return f"{self.setting} allows {limits.max:.1%}"


class BadValue(BadShare):
    """A check of the share of a stage's value in bad rows, as far as it can be guessed.

    The statistics are also `value`, that of the good rows [currency].
    """

    def __call__(self, statistics: Statistics, limits: LimitsConfig) -> str | None:
        """The reason, with the amounts, or None."""
        reasons = statistics[self.stage]["bad"]
        bad = sum(reason.value for reason in reasons)
        value = statistics[self.stage]["value"] + bad
        if not value or limits.contain(bad / value):
            return None
        return (
            f"the bad {self.stage} ({_listed(reasons)}) hold about {bad:,.0f} of {value:,.0f} of "
            f"the value ({bad / value:.1%}); {self._rule(limits)}"
        )


def check_bad_rows(
    quarantined: DataFrame,
    good: Mapping[str, int],
    limit: float,
    setting: str,
    value: Mapping[str, float] | None = None,
    source: SourceConfig | None = None,
) -> list[ReasonCount]:
    """Count and print the quarantined rows by reason, and check their share of rows and value.

    Args:
        quarantined: the rows of `quarantine_rows`.
        good: the number of good rows by stage.
        limit: the share of a stage's rows, and of its value, that may be bad.
        setting: what sets the limit.
        value: the value of the good rows by stage, where it is known [currency].
        source: what the columns are for, so that the error says what reads them; None where the
            settings must stay as they are.

    Raises:
        CheckError: a stage has more bad rows, or more value in them, than that.
    """
    counts = count_reasons(quarantined)
    for count in counts:
        LOG.info(f"  quarantined {count}")
    statistics = {
        stage: {
            "good": rows,
            "bad": [count for count in counts if count.stage == stage],
            "value": (value or {}).get(stage, 0.0),
        }
        for stage, rows in good.items()
    }
    limits = LimitsConfig(max=limit)
    shapes = [f"{count.reason} `{count.example}`" for count in counts if count.example]
    try:
        enforce(
            statistics,
            [(check(stage, setting), limits) for stage in good for check in (BadShare, BadValue)],
            f"Examples: {'; '.join(shapes)}." if shapes else "",
        )
    except CheckError as error:
        examples = [(count.reason, count.example) for count in counts]
        hints = suggest_remedies(quarantined, examples, source) if source else ""
        raise error.followed_by(hints) from None
    return counts


def rows_by_reason(counts: Sequence[ReasonCount]) -> dict[str, int]:
    """The rows of each reason, of all stages together."""
    reasons: dict[str, int] = {}
    for count in counts:
        reasons[count.reason] = reasons.get(count.reason, 0) + count.rows
    return reasons


def _listed(counts: Sequence[ReasonCount]) -> str:
    return ", ".join(f"{count.reason} {count.rows:,}" for count in counts)


def _label_reasons(rows: DataFrame) -> list[tuple[str, Column]]:
    value = parse_number(rows, LABEL)
    return [
        ("null label", is_missing(LABEL)),
        ("unparsable label", value.isNull()),
        ("label is not finite", ~is_finite(value)),
        ("negative label", value < 0),
    ]


def _duplicate(keys: list[str], rows: DataFrame) -> Column:
    """One of identical copies stays; copies that differ all go, for none can be trusted."""
    content = content_hash([c for c in rows.columns if c not in (REASON, *MARKS)])
    same = Window.partitionBy(*map(column, keys))
    differ = F.min(content).over(same) != F.max(content).over(same)
    again = F.row_number().over(same.orderBy(content)) > 1
    return F.when(differ, F.lit("duplicate id, rows differ")).when(
        again, F.lit("duplicate id, identical copy")
    )
