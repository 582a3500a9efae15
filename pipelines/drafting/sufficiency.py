"""Says whether the data suffice: customers, repeated purchases, days, positives of each split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from optdist.config import Config
from optdist.config.transactions import TransactionsSourceConfig
from pipelines.drafting.calendar import Calendar
from pipelines.features.samples import build_samples
from pipelines.features.training_samples import count_by_split, with_split
from pipelines.sources.columns import AMOUNT, DAY, column
from pipelines.sources.events import clean_events
from pipelines.sources.inference import infer_types, typed_dataset
from pipelines.sources.quarantine import ReasonCount, count_reasons
from pipelines.sources.reach import DayRange

_FEW_CUSTOMERS = 1_000
_FEW_REPEATED = 0.1
_FEW_POSITIVES = 100  # of a split
_SPANS = 3  # horizons


@dataclass(frozen=True)
class EventCounts:
    """What the good events amount to."""

    customers: int
    repeated: int  # with events on two or more days
    events: int
    range: DayRange | None
    bad: list[ReasonCount]

    @property
    def bad_share(self) -> float:
        """The share of events that would be quarantined."""
        bad = sum(reason.rows for reason in self.bad)
        return bad / max(bad + self.events, 1)


@dataclass(frozen=True)
class Verdict:
    """Sentences with counts, and what is too little."""

    facts: list[str]
    doubts: list[str]


def count_events(spark: SparkSession, config: Config, customer: str) -> EventCounts:
    """Count customers and their days with the functions that build features.

    Args:
        spark: the session.
        config: a data set of transactions.
        customer: the column that names a customer.
    """
    dataset = typed_dataset(config.dataset, infer_types(spark, config.dataset))
    source = dataset.source
    if not isinstance(source, TransactionsSourceConfig):
        raise TypeError(f"{dataset.name} has no transactions.")
    events = clean_events(spark, source, dataset.id)
    try:
        days = F.when(F.col(AMOUNT) > 0, F.col(DAY))
        by_customer = events.good.groupBy(column(customer)).agg(
            F.countDistinct(days).alias("days"), F.count(F.lit(1)).alias("events")
        )
        row = by_customer.agg(
            F.count(F.lit(1)), F.count_if(F.col("days") > 1), F.sum("events")
        ).collect()[0]
        bad = count_reasons(events.bad)
    finally:
        events.seen.unpersist()
    return EventCounts(row[0], row[1], row[2] or 0, events.reach.range, bad)


def count_samples(spark: SparkSession, config: Config) -> dict[str, tuple[int, int]]:
    """Rows and positive labels of each split, by the functions that build features.

    Args:
        spark: the session.
        config: the data set, with as few features as may be.
    """
    samples = build_samples(spark, config.dataset)
    try:
        return count_by_split(with_split(samples, config.dataset, config.split))
    finally:
        samples.release()


def judge_events(counts: EventCounts, calendar: Calendar) -> Verdict:
    """What counts of events say of a data set of transactions."""
    share = counts.repeated / max(counts.customers, 1)
    facts = [
        f"{counts.customers:,} customers, {counts.repeated:,} of them ({share:.1%}) with purchases "
        f"on two or more days",
        f"{calendar.days:,} days of events ({calendar.first} to {calendar.last}) for a label of "
        f"{calendar.horizon} days",
    ]
    doubts = []
    if counts.customers < _FEW_CUSTOMERS:
        doubts.append(
            f"{counts.customers:,} customers are few: below {_FEW_CUSTOMERS:,} figures "
            f"of one split say little"
        )
    if share < _FEW_REPEATED:
        doubts.append(
            f"only {share:.1%} of the customers came back: there is little to learn from a past"
        )
    if calendar.days < _SPANS * calendar.horizon:
        doubts.append(
            f"the events span less than {_SPANS} horizons: a shorter --horizon leaves more to "
            f"learn from"
        )
    if counts.bad:
        reasons = ", ".join(str(reason) for reason in counts.bad)
        facts.append(f"{counts.bad_share:.2%} of the events would be quarantined: {reasons}")
    return Verdict(facts, doubts)


def judge_splits(splits: Mapping[str, tuple[int, int]]) -> Verdict:
    """What counts of samples say."""
    rows = sum(count for count, _ in splits.values())
    positives = sum(count for _, count in splits.values())
    each = "; ".join(f"{name} {n:,} ({p:,} positive)" for name, (n, p) in splits.items())
    facts = [f"{rows:,} samples, {positives / max(rows, 1):.2%} with a positive label: {each}"]
    few = [name for name, (_, count) in splits.items() if count < _FEW_POSITIVES]
    doubts = []
    if few:
        doubts.append(
            f"{' and '.join(few)} have fewer than {_FEW_POSITIVES} positive labels: metrics there "
            f"are mostly chance"
        )
    if len(splits) < 3:
        doubts.append("a split is empty: the feature job will stop")
    return Verdict(facts, doubts)
