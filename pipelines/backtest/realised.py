"""Says what customers spent after their scores, by the functions that make training's labels."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import Config, DatasetConfig
from optdist.config.transactions import TransactionsSourceConfig
from optdist.log import LOG
from pipelines.features.event_samples import EventSampler, with_spend
from pipelines.features.sampler import find_sampler
from pipelines.sources.columns import AMOUNT, DAY, LABEL, column
from pipelines.sources.completeness import find_completeness
from pipelines.sources.events import Events, clean_events, find_data_range
from pipelines.sources.inference import infer_types, print_types, typed_dataset
from pipelines.sources.quarantine import check_bad_rows

RECENCY, FREQUENCY, MONETARY = "recency", "frequency", "monetary"


class Outcome(Protocol):
    """What the data of now say of rows that were scored before."""

    @property
    def until(self) -> dt.date | None:
        """The last day on which a label window may end; None: not known."""

    @property
    def because(self) -> str:
        """Why that day."""

    @property
    def horizon_days(self) -> int | None:
        """The length of the label's window; None: not known."""

    def window(self, run_date: dt.date) -> str:
        """The days of a date's labels, in words."""

    def is_early(self, run_date: dt.date) -> bool:
        """Whether the label window of a date has not ended in the data."""

    def obstacle(self, run_date: dt.date) -> str | None:
        """Why a date cannot be measured yet, or None."""

    def with_value(self, rows: DataFrame, days: Mapping[str, int]) -> DataFrame:
        """Add `label` and what was spent in shorter windows, and what was known of the past.

        Args:
            rows: the scored rows, with their keys.
            days: column -> days; an empty mapping where the data have no days.
        """

    def has_ended(self, run_date: dt.date) -> F.Column:
        """Whether a row's label window had ended by the date, so that training may know it."""

    def release(self) -> None:
        """Give back the memory of what is persisted."""


@dataclass(frozen=True)
class EventOutcome:
    """Spend in the label's window, of all good events of now: no event is a spend of 0."""

    events: Events
    source: TransactionsSourceConfig
    entity: list[str]
    customer: list[str]  # whose past a rule reads: the entity, or the part of it that has a past
    until: dt.date | None
    because: str

    @classmethod
    def read(
        cls, spark: SparkSession, dataset: DatasetConfig, max_bad: float
    ) -> EventOutcome | None:
        """Read and check the events; None for a source without any.

        Args:
            spark: the session.
            dataset: where the events are, and what the label is.
            max_bad: the share of bad rows above which the values would not be right.

        Raises:
            DataError: a column is missing, or too many rows are bad.
        """
        types = infer_types(spark, dataset)
        sampler = find_sampler(typed_dataset(dataset, types))
        if not isinstance(sampler, EventSampler):
            return None
        print_types(types)
        source: TransactionsSourceConfig = sampler.source
        events = clean_events(spark, source, dataset.id)
        events.reach.report()
        days = find_data_range(spark, source, events)
        setting = "build.max_quarantined_share"
        check_bad_rows(events.bad, {"events": events.good.count()}, max_bad, setting)
        complete = find_completeness(events.good, source, days)
        is_part = bool(source.label_days[0]) and set(dataset.split_key) < set(dataset.id)
        customer = dataset.split_key if is_part else dataset.id
        return cls(events, source, dataset.id, customer, complete.until, complete.reason)

    @property
    def horizon_days(self) -> int | None:
        """The label's horizon."""
        return self.source.horizon_days

    def window(self, run_date: dt.date) -> str:
        """The days of a snapshot's label; those of first purchases begin on their own days."""
        last = run_date + dt.timedelta(self.source.horizon_days)
        if self.source.label_days[0]:
            return f"{self.source.horizon_days} days after each first purchase, until {last}"
        return f"{run_date + dt.timedelta(1)} to {last}"

    def is_early(self, run_date: dt.date) -> bool:
        """The data are not whole until the window's last day."""
        last = run_date + dt.timedelta(self.source.horizon_days)
        return self.until is not None and last > self.until

    def obstacle(self, run_date: dt.date) -> str | None:
        """The date's label window has not ended, or nobody has an event in it."""
        first, last = run_date + dt.timedelta(1), run_date + dt.timedelta(self.source.horizon_days)
        if self.is_early(run_date):
            return (
                f"its labels are not mature: they end on {last}, and the data are whole until "
                f"{self.until} ({self.because})"
            )
        if not self.events.reach.has_event(first, last):
            return f"the data have no event of anybody from {first} to {last}"
        return None

    def with_value(self, rows: DataFrame, days: Mapping[str, int]) -> DataFrame:
        """Add label, spend in shorter windows, and recency, frequency and past spend."""
        keys = [*self.entity, self.source.cut]
        cuts = rows.select(*map(column, keys)).distinct()
        lengths = {LABEL: self.source.horizon_days, **days}
        values = with_spend(cuts, self.events.good, cuts, self.entity, self.source, lengths)
        values = values.join(self._past(cuts, keys), on=keys, how="left")
        return rows.join(values, on=keys, how="left")

    def has_ended(self, run_date: dt.date) -> F.Column:
        """Of a first purchase of long ago; a snapshot's window begins after its date."""
        return F.date_add(self.source.cut, self.source.label_days[1]) <= F.lit(run_date)

    def release(self) -> None:
        """The events are persisted while dates are measured."""
        self.events.seen.unpersist()

    def _past(self, cuts: DataFrame, keys: list[str]) -> DataFrame:
        """What a rule of recency and frequency reads: the events from before the label's window."""
        before = F.datediff(DAY, self.source.cut) < self.source.label_days[0]
        events = self.events.good.select(*map(column, [*self.customer, DAY, AMOUNT]))
        events = events.join(cuts, on=self.customer, how="inner").where(before)
        return events.groupBy(*map(column, keys)).agg(
            F.datediff(self.source.cut, F.max(DAY)).cast("double").alias(RECENCY),
            F.countDistinct(DAY).cast("double").alias(FREQUENCY),
            F.sum(AMOUNT).alias(MONETARY),
        )


@dataclass(frozen=True)
class TableOutcome:
    """The labels that a table of samples has now."""

    labels: DataFrame
    keys: list[str]
    until: dt.date | None = None
    because: str = "the table says which rows have a label"

    @classmethod
    def read(cls, spark: SparkSession, dataset: DatasetConfig) -> TableOutcome:
        """Read the rows with a label.

        Args:
            spark: the session.
            dataset: where the table is.

        Raises:
            DataError: a column is missing.
        """
        samples = find_sampler(dataset).training_samples(spark)
        keys = dataset.sample_id
        return cls(samples.rows.select(*map(column, [*keys, LABEL])).persist(), keys)

    @property
    def horizon_days(self) -> int | None:
        """Not known of a table."""
        return None

    def window(self, run_date: dt.date) -> str:
        """The table's own."""
        return "the labels of the table as it is now"

    def is_early(self, run_date: dt.date) -> bool:
        """Not known of a table."""
        return False

    def obstacle(self, run_date: dt.date) -> str | None:
        """None: only the rows tell."""
        return None

    def with_value(self, rows: DataFrame, days: Mapping[str, int]) -> DataFrame:
        """Add the label, null where the table has none."""
        return rows.join(self.labels, on=self.keys, how="left")

    def has_ended(self, run_date: dt.date) -> F.Column:
        """Not known of a table."""
        return F.lit(False)

    def release(self) -> None:
        """The labels are persisted while dates are measured."""
        self.labels.unpersist()


def read_outcome(spark: SparkSession, config: Config) -> Outcome:
    """What the data of now say of past scores.

    Args:
        spark: the session.
        config: the data set, and the share of bad rows that is allowed.

    Raises:
        DataError: the data cannot be read, or too many rows are bad.
    """
    events = EventOutcome.read(spark, config.dataset, config.build.max_quarantined_share)
    if events is not None:
        LOG.info(f"  label windows end by {events.until}: {events.because}")
        return events
    typed = typed_dataset(config.dataset, infer_types(spark, config.dataset))
    return TableOutcome.read(spark, typed)
