"""Says why no event is left: what the condition keeps, what cannot be read, and how to read it."""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config.transactions import TransactionsSourceConfig
from pipelines.sources.columns import AMOUNT, DAY, REASON
from pipelines.sources.date_hints import suggest_timestamps
from pipelines.sources.hints import Suggest, remedy, suggest_amounts
from pipelines.sources.joins import read_checked
from pipelines.sources.typed import raw_text

_EXAMPLES = 1000  # values that the driver looks at; the message shows the shape of one


def explain_no_event(
    spark: SparkSession, source: TransactionsSourceConfig, events: DataFrame
) -> str:
    """Why none of the events can be used, in a sentence or two.

    Args:
        spark: the session.
        source: where the events come from.
        events: all events that were read, with `event_day`, `event_amount` and `reason`.
    """
    counts = {row[0]: row[1] for row in events.groupBy(REASON).count().collect()}
    if not counts:
        return f"No event is left: {_why_no_row(spark, source)}"
    listed = ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()))
    hints = " ".join(_hints(source, events))
    return f"No event is left after `where` and the checks: {listed}. {hints}".strip()


def _why_no_row(spark: SparkSession, source: TransactionsSourceConfig) -> str:
    table = next(iter(source.tables))
    everything = source.model_copy(update={"where": None})
    rows = read_checked(spark, everything, checked=False).rows.count()
    if not rows or not source.where:
        return f"the table {table} has no row, or none until the day that was asked for."
    return (
        f"source.where ({source.where}) is true for none of {rows:,} rows of {table}, or for none "
        f"until the day that was asked for. Change it."
    )


def _hints(source: TransactionsSourceConfig, events: DataFrame) -> Iterator[str]:
    """For amount and timestamp the shape of a value that cannot be read, and what reads it."""
    late = F.col(DAY).isNull() | (F.col(DAY) > F.current_date())
    yield from _hint(events, source.amount, F.col(AMOUNT).isNull(), suggest_amounts)
    yield from _hint(events, source.timestamp, late, suggest_timestamps)


def _hint(
    events: DataFrame,
    name: str,
    unread: Column,
    suggest: Suggest,
) -> Iterator[str]:
    text = raw_text(events, name)
    values = events.where(unread & (F.trim(text) != "")).select(text)
    texts = [row[0] for row in values.limit(_EXAMPLES).collect()]
    if not texts:
        return
    yield remedy(name, texts, suggest)
