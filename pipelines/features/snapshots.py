"""Samples of transactions at snapshot dates: every entity known at each."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config.transactions import FIRST_DAY, SNAPSHOT_DATE, SnapshotSourceConfig
from optdist.errors import DataError
from pipelines.features.event_samples import EventSampler
from pipelines.features.sampler import samples_of
from pipelines.sources.reach import DayRange


@samples_of(SnapshotSourceConfig)
class SnapshotSampler(EventSampler[SnapshotSourceConfig]):
    """One sample per date and entity with an event before it: the cut is the date."""

    def choose_ended(self, first: DataFrame, last: dt.date) -> tuple[DataFrame, int]:
        """Entities known at each date, and how many more at dates too late for a whole label."""
        dates, last_cut = self._dates(last), self.last_cut(last)
        ended = [date for date in dates if date <= last_cut]
        if not ended:
            raise DataError(
                f"The label window of the first snapshot, {dates[0]}, has not ended: the data "
                f"allow snapshots up to {last_cut}. Change source.snapshots or "
                f"source.horizon_days."
            )
        late = dates[len(ended) :]
        return known_at(first, ended), known_at(first, late).count() if late else 0

    def choose_known(self, first: DataFrame, run_date: dt.date) -> DataFrame:
        """Everyone, at the day after, whose first event the run has not seen.

        A run of 2024-03-31 sees what the training snapshot of 2024-04-01 saw.
        """
        return known_at(first, [run_date + dt.timedelta(1)])

    def label_windows(self, last: dt.date) -> list[DayRange]:
        """The window of each date, if it has ended."""
        first_day, last_day = map(dt.timedelta, self.source.label_days)
        dates = [day for day in self._dates(last) if day <= self.last_cut(last)]
        return [(date + first_day, date + last_day) for date in dates]

    def requested_days(self, last: dt.date) -> str:
        """The first and the last snapshot date."""
        dates = self._dates(last)
        return f"{dates[0]} to {dates[-1]}"

    def _dates(self, last: dt.date) -> list[dt.date]:
        """The dates asked for, of which the first ones go as the data grow with `last_days`."""
        snapshots, last_cut = self.source.snapshots, self.last_cut(last)
        dates = snapshots.days(last)
        ended = [date for date in dates if date <= last_cut]
        if snapshots.last_days is None or not ended:
            return dates
        first = ended[-1] - dt.timedelta(snapshots.last_days - 1)
        return [date for date in dates if date >= first]


def known_at(first: DataFrame, dates: list[dt.date]) -> DataFrame:
    """For each date the entities with an event before it: `first` with `snapshot_date`."""
    each = F.explode(F.array(*[F.lit(date) for date in dates]))
    return first.withColumn(SNAPSHOT_DATE, each).where(F.col(FIRST_DAY) < F.col(SNAPSHOT_DATE))
