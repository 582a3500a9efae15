"""What makes samples of a source: the protocol, its result, and the registry by kind of source."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import DatasetConfig, SourceConfig
from optdist.data.feature_table import JoinMatch
from optdist.data.schema import LearnedHistory
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.features.out_of_time import OutOfTime
from pipelines.sources.columns import AMOUNT
from pipelines.sources.inference import Types
from pipelines.sources.reach import DayRange


@dataclass(frozen=True)
class Samples:
    """Good rows, and those quarantined as (stage, reason, row)."""

    rows: DataFrame
    quarantine: DataFrame
    events: DataFrame | None = None  # good ones; None without transactions
    event_columns: list[str] = field(default_factory=list)  # of the main table, joins apart
    incomplete: int = 0  # samples left out because the data end before their label window
    reach: DayRange | None = None  # first and last day of the events
    complete_until: dt.date | None = None  # the last day on which a label window may end
    complete_because: str = ""  # why that day
    persisted: tuple[DataFrame, ...] = ()  # what `rows`, `quarantine` and `events` are read from
    vanished: DataFrame | None = None  # entities all of whose events were quarantined
    joins: list[JoinMatch] = field(default_factory=list)
    history: LearnedHistory | None = None  # what `history: auto` makes
    out_of_time: OutOfTime | None = None  # the newest dates, where they are held out
    types: Types = field(default_factory=dict)  # of columns that are text in the file

    def count_events(self) -> tuple[dict[str, int], dict[str, float]]:
        """The number of good events, and the sum of their absolute amounts; nothing without any."""
        if self.events is None:
            return {}, {}
        [row] = self.events.agg(
            F.count("*").alias("rows"),
            F.sum(F.abs(AMOUNT) if AMOUNT in self.events.columns else F.lit(0.0)).alias("value"),
        ).collect()
        return {"events": row["rows"]}, {"events": float(row["value"] or 0.0)}

    def count_vanished(self, entity: str) -> int:
        """Count and print the entities all of whose events were quarantined."""
        count = self.vanished.count() if self.vanished is not None else 0
        if count:
            LOG.info(f"  {count:,} of {entity} have no sample, for all their rows were quarantined")
        return count

    def release(self) -> None:
        """Give back the memory of what is persisted."""
        for frame in self.persisted:
            frame.unpersist()


class Sampler(Protocol):
    """Makes samples of one kind of source; training and scoring share how features are made."""

    def training_samples(self, spark: SparkSession, as_of: dt.date | None = None) -> Samples:
        """Labelled samples: id, features, `label`.

        Args:
            spark: the session.
            as_of: read nothing after this day, and use only samples whose label window ended by
                it; None: all that the data have.

        Raises:
            DataError: columns are missing, or no sample can be made.
        """

    def scoring_samples(
        self, spark: SparkSession, run_date: dt.date, acquired_within_days: int | None = None
    ) -> Samples:
        """Unlabelled samples of everyone known at the end of a day; nothing later is read.

        Args:
            spark: the session.
            run_date: the last day that is read.
            acquired_within_days: leave out whoever came longer ago, in days; None: nobody.

        Raises:
            DataError: columns are missing.
        """

    def explain_no_sample(self, samples: Samples, quarantined: Mapping[str, int]) -> str:
        """Say what to look at when no sample was made.

        Args:
            samples: what was made.
            quarantined: rows quarantined, by reason.
        """


S = TypeVar("S", bound=SourceConfig)
_SAMPLERS: dict[type[SourceConfig], Callable[[DatasetConfig, Any], Sampler]] = {}


def samples_of(
    settings: type[S],
) -> Callable[[Callable[[DatasetConfig, S], Sampler]], Callable[[DatasetConfig, S], Sampler]]:
    """A decorator: the class makes samples of sources with these settings.

    It is called with the data set and, as its own type, the data set's source.
    """

    def register(
        sampler: Callable[[DatasetConfig, S], Sampler],
    ) -> Callable[[DatasetConfig, S], Sampler]:
        _SAMPLERS[settings] = sampler
        return sampler

    return register


def find_sampler(dataset: DatasetConfig) -> Sampler:
    """The sampler of a data set's source.

    Raises:
        DataError: none is registered for this kind of source.
    """
    settings = type(dataset.source)
    for known in settings.__mro__:
        if known in _SAMPLERS:
            return _SAMPLERS[known](dataset, dataset.source)
    raise DataError(
        f"No sampler is registered for {settings.__module__}.{settings.__name__}. Decorate one "
        f"with pipelines.features.sampler.samples_of in a module that the source's kind imports."
    )


def explain_empty(source: SourceConfig, quarantined: Mapping[str, int]) -> str:
    """Say that no row was read, or that none of those read was good."""
    empty = f"{next(iter(source.tables))} has no row that source.where keeps"
    return f"No sample was made: {'no row is good' if quarantined else empty}." + listed(
        quarantined
    )


def listed(quarantined: Mapping[str, int]) -> str:
    """A sentence with the counts of quarantined rows, or nothing."""
    counts = ", ".join(f"{reason} {count:,}" for reason, count in quarantined.items())
    return f" Quarantined: {counts}." if counts else ""
