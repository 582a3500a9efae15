"""Samples of transactions: an entity and a day that cuts its events in two.

Features see what lies before the cut (and of a first purchase the day itself), the label what comes
after. Training and scoring build features with the same functions; they differ in which samples
they take and in the label.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import DatasetConfig, SplitConfig
from optdist.config.transactions import FIRST_DAY, TransactionsSourceConfig
from optdist.data.feature_table import JoinMatch
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.features.auto_history import learn_history, learned_source, with_learned
from pipelines.features.histories import with_history
from pipelines.features.out_of_time import find_out_of_time
from pipelines.features.sampler import Samples, explain_empty, listed
from pipelines.sources.columns import AMOUNT, DAY, LABEL, column, explain_errors
from pipelines.sources.completeness import find_completeness
from pipelines.sources.events import (
    Events,
    clean_events,
    find_data_range,
    first_days,
)
from pipelines.sources.joins import join_known, read_other
from pipelines.sources.quarantine import keep_good_rows, quarantine_rows, with_reason
from pipelines.sources.reach import DayRange, Reach
from pipelines.sources.same_names import qualified_against

S = TypeVar("S", bound=TransactionsSourceConfig)


@dataclass(frozen=True)
class EventSampler(ABC, Generic[S]):
    """Cuts each entity's events at days that a subclass chooses."""

    dataset: DatasetConfig
    source: S
    split: SplitConfig | None = None  # what training samples are, of which history: auto learns

    @abstractmethod
    def choose_ended(self, first: DataFrame, last: dt.date) -> tuple[DataFrame, int]:
        """The samples whose label window has ended, and how many more have one that has not.

        Args:
            first: each entity's `first_day`.
            last: the last day that the data have whole.
        """

    @abstractmethod
    def choose_known(self, first: DataFrame, run_date: dt.date) -> DataFrame:
        """The samples to score at the end of `run_date`, of entities with their `first_day`."""

    @abstractmethod
    def requested_days(self, last: dt.date) -> str:
        """The days at which samples are asked for, in words; the data reach `last`."""

    def label_windows(self, last: dt.date) -> list[DayRange]:
        """First and last day of the label windows that must hold an event of anybody.

        Args:
            last: the last day that the data have whole; no window ends after it.
        """
        return []

    def training_samples(self, spark: SparkSession, as_of: dt.date | None = None) -> Samples:
        """Labelled samples whose label window has ended."""
        events = clean_events(spark, self.source, self.dataset.id, until=as_of)
        events.reach.report()
        first = first_days(events.good, self.dataset.id)
        days = find_data_range(spark, self.source, events, as_of)
        complete = find_completeness(events.good, self.source, days, as_of)
        LOG.info(f"  label windows end by {complete.until}: {complete.reason}")
        setting = f"source.{self.source.chooser} asks for {self.requested_days(complete.until)}"
        require_events(self.label_windows(complete.until), events.reach, setting)
        chosen, incomplete = self.choose_ended(first, complete.until)
        cuts = with_attributes(events.good, chosen, self.dataset.id, self.source)
        late = find_out_of_time(chosen, self.source, self.split) if self.split else None
        learned = learn_history(events.good, cuts, self.dataset, self.source, self.split, late)
        source = learned_source(self.source, learned)
        rows, joins = with_features(events.good, cuts, source)
        rows = with_label(rows, events.good, chosen, self.dataset.id, source)
        whole = replace(self, dataset=with_learned(self.dataset, learned), source=source)
        return replace(
            whole._checked(rows, events, label=True),
            incomplete=incomplete,
            reach=(days[0], min(days[1], as_of or days[1])),
            complete_until=complete.until,
            joins=events.joins + joins,
            history=learned,
            out_of_time=late,
            complete_because=complete.reason,
        )

    def scoring_samples(
        self, spark: SparkSession, run_date: dt.date, acquired_within_days: int | None = None
    ) -> Samples:
        """Unlabelled samples of everyone with an event by the end of `run_date`."""
        if self.source.auto_history:
            raise DataError(
                "The model knows nothing of history: auto, which is learned in training. Train "
                "again."
            )
        events = clean_events(spark, self.source, self.dataset.id, until=run_date)
        events.reach.report()
        first = first_days(events.good, self.dataset.id)
        if acquired_within_days is not None:
            oldest = F.date_sub(F.lit(run_date), acquired_within_days)
            first = first.where(F.col(FIRST_DAY) > oldest)
        chosen = self.choose_known(first, run_date)
        cuts = with_attributes(events.good, chosen, self.dataset.id, self.source)
        rows, joins = with_features(events.good, cuts, self.source)
        samples = self._checked(rows, events, label=False)
        return replace(samples, reach=events.reach.range, joins=events.joins + joins)

    def explain_no_sample(self, samples: Samples, quarantined: Mapping[str, int]) -> str:
        """The days asked for, and those of the data."""
        if samples.reach is None:
            return explain_empty(self.source, quarantined)
        first, last = samples.reach
        setting = f"source.{self.source.chooser}"
        return (
            f"No sample was made: {setting} asks for {self.requested_days(last)}, and the events "
            f"are of {first} to {last}. {samples.incomplete:,} more have a label window of "
            f"{self.source.horizon_days} days that has not ended.{listed(quarantined)} Change "
            f"{setting}, source.horizon_days or source.where."
        )

    def last_cut(self, last: dt.date) -> dt.date:
        """The last day of a cut whose label window ends by `last`."""
        return last - dt.timedelta(self.source.label_days[1])

    def _checked(self, rows: DataFrame, events: Events, *, label: bool) -> Samples:
        """Quarantine bad samples next to the bad events."""
        rows = with_reason(rows, self.dataset, label=label).persist()  # read twice
        return Samples(
            rows=keep_good_rows(rows, self.dataset.features),
            quarantine=events.bad.unionByName(quarantine_rows(rows, "samples")),
            events=events.good,
            event_columns=events.own,
            persisted=(rows, events.seen),
            vanished=events.vanished(),
        )


def require_events(windows: list[DayRange], reach: Reach, setting: str) -> None:
    """Refuse label windows without an event of anybody: their labels would all be zeros.

    Args:
        windows: first and last day of each window, both inclusive.
        reach: the days with events.
        setting: a clause with the days that samples are asked for.

    Raises:
        DataError: naming the windows.
    """
    empty = [f"{first} to {last}" for first, last in windows if not reach.has_event(first, last)]
    if empty:
        names = ", ".join(empty[:5]) + (f" and {len(empty) - 5} more" if empty[5:] else "")
        days = "none" if reach.range is None else "of {} to {}".format(*reach.range)
        raise DataError(
            f"{setting}, and the events are {days}: there is no event of anybody in the label "
            f"windows {names}: every label would be 0. Choose days whose label windows lie where "
            f"events are, or deliver the events that are missing."
        )


def with_features(
    events: DataFrame, cuts: DataFrame, source: TransactionsSourceConfig
) -> tuple[DataFrame, list[JoinMatch]]:
    """What was known at the cut, history before it, and derived columns, of each sample.

    Args:
        events: good events with `event_day`.
        cuts: the samples: keys, cut and attributes.
        source: what the features are.

    Returns:
        The samples, and how many of them each join with `valid_from` matched.

    Raises:
        DataError: an expression does not work.
    """
    samples, joins = with_known(cuts, source)
    for history in source.blocks:
        samples = with_history(samples, events, cuts, history, source.cut)
    for name, sql in source.sample_columns.items():
        with explain_errors(f"sample column {name}", samples):
            samples = samples.withColumn(name, F.expr(sql))
    return samples, joins


def with_known(
    samples: DataFrame, source: TransactionsSourceConfig
) -> tuple[DataFrame, list[JoinMatch]]:
    """Join to each sample the rows of other tables that were valid at its cut.

    Args:
        samples: the samples' keys, cuts and attributes.
        source: the tables, and which of them have `valid_from`.
    """
    matches: list[JoinMatch] = []
    later = [LABEL, *[name for history in source.blocks for name in history.columns]]
    for join in source.sample_joins:
        other = read_other(samples.sparkSession, source, join.table)
        renamed = qualified_against([*samples.columns, *later], other, join)
        samples, found = join_known(samples, other, join, source.known_before, renamed)
        matches += found
    return samples, matches


def with_attributes(
    events: DataFrame, chosen: DataFrame, entity: list[str], source: TransactionsSourceConfig
) -> DataFrame:
    """Aggregates over the events of the entity's first day.

    Args:
        events: good events with `event_day`.
        chosen: the samples: entity, `first_day` and the cut.
        entity: the columns that name an entity.
        source: what the attributes are.
    """
    if not source.attributes:
        return chosen
    # a group by all of a sample's keys, for several samples may share a first day
    keys = [*dict.fromkeys([*entity, FIRST_DAY, source.cut])]
    first = events.join(chosen, on=entity, how="inner").where(F.col(DAY) == F.col(FIRST_DAY))
    with explain_errors("attributes", first):
        aggregates = [F.expr(sql).alias(name) for name, sql in source.attributes.items()]
        return first.groupBy(*map(column, keys)).agg(*aggregates)


def with_label(
    samples: DataFrame,
    events: DataFrame,
    chosen: DataFrame,
    entity: list[str],
    source: TransactionsSourceConfig,
) -> DataFrame:
    """Add `label`, the spend in the label's window: 0 without events.

    Args:
        samples: the samples, with features.
        events: good events with `event_day` and `event_amount`.
        chosen: the samples' entity and cut.
        entity: the columns that name an entity.
        source: the label's window and floor.
    """
    return with_spend(samples, events, chosen, entity, source, {LABEL: source.horizon_days})


def with_spend(
    samples: DataFrame,
    events: DataFrame,
    chosen: DataFrame,
    entity: list[str],
    source: TransactionsSourceConfig,
    days: Mapping[str, int],
) -> DataFrame:
    """Add the spend in windows that begin where the label's does: 0 without events.

    Args:
        samples: the samples.
        events: good events with `event_day` and `event_amount`.
        chosen: the samples' entity and cut.
        entity: the columns that name an entity.
        source: the first day of the windows, and the label's floor.
        days: column -> the length of its window, in days.
    """
    keys, start = [*entity, source.cut], source.label_days[0]
    after = F.datediff(DAY, source.cut)
    later = events.join(chosen.select(*map(column, keys)), on=entity, how="inner")
    later = later.where(after.between(start, start + max(days.values()) - 1))
    sums = [
        F.sum(F.when(after < start + length, F.col(AMOUNT))).alias(name)
        for name, length in days.items()
    ]
    spend = later.groupBy(*map(column, keys)).agg(*sums)
    return samples.join(spend, on=keys, how="left").withColumns(
        {name: _as_label(F.col(name), source.label_floor) for name in days}
    )


def _as_label(spend: F.Column, floor: float | None) -> F.Column:
    """A sum as a label: 0 without events, and not below the floor."""
    # A purchase and its return may leave 1e-15 in floating point: no one paid that.
    label = F.coalesce(F.round(spend, 6), F.lit(0.0))
    return label if floor is None else F.greatest(label, F.lit(floor))
