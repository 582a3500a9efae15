"""Samples of transactions at each entity's first purchase."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config.transactions import FIRST_DAY, FirstPurchaseSourceConfig
from pipelines.features.event_samples import EventSampler
from pipelines.features.sampler import samples_of
from pipelines.sources.reach import DayRange


@samples_of(FirstPurchaseSourceConfig)
class FirstPurchaseSampler(EventSampler[FirstPurchaseSourceConfig]):
    """One sample per entity: the cut is its first day."""

    def choose_ended(self, first: DataFrame, last: dt.date) -> tuple[DataFrame, int]:
        """Entities acquired in the window, and how many of them are too late for a whole label."""
        window, last_cut = self.source.first_purchase, self.last_cut(last)
        inside = first.where(F.col(FIRST_DAY) >= F.lit(self._start(last_cut)))
        if window.end is not None:
            inside = inside.where(F.col(FIRST_DAY) <= F.lit(window.end))
        ended = F.col(FIRST_DAY) <= F.lit(last_cut)
        whole = window.end is not None and window.end <= last_cut
        return inside.where(ended), 0 if whole else inside.where(~ended).count()

    def choose_known(self, first: DataFrame, run_date: dt.date) -> DataFrame:
        """Everyone: whoever is known has had a first purchase."""
        return first

    def label_windows(self, last: dt.date) -> list[DayRange]:
        """From the first to the last label window that has ended, all as one."""
        window, last_cut = self.source.first_purchase, self.last_cut(last)
        end = min(window.end or last_cut, last_cut)
        first_day, last_day = map(dt.timedelta, self.source.label_days)
        start = self._start(last_cut)
        return [(start + first_day, end + last_day)] if end >= start else []

    def requested_days(self, last: dt.date) -> str:
        """The window of first purchases."""
        window = self.source.first_purchase
        start = self._start(self.last_cut(last))
        return f"{start} to {window.end or 'an open end'}"

    def _start(self, last_cut: dt.date) -> dt.date:
        """The first day of first purchases, which moves with the data where `last_days` is set."""
        window = self.source.first_purchase
        if window.last_days is None:
            return window.start
        newest = min(window.end or last_cut, last_cut)
        return max(window.start, newest - dt.timedelta(window.last_days - 1))
