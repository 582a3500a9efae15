"""Defines the settings that choose the days at which samples are taken from transactions."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self

from pydantic import Field, model_validator

from optdist.config.section import Positive, Section

_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7}
Interval = Annotated[str, Field(pattern=r"^([1-9]\d* )?(day|week|month|quarter|year)s?$")]


class FirstPurchaseConfig(Section):
    """One sample per entity, at its first event (paper 4.1.1, Kaggle).

    Features use the first day and the days before it; the label is the spend on days
    1..horizon_days after it.
    """

    start: dt.date = Field(description="The first day of first purchases, inclusive.")
    end: dt.date | None = Field(
        default=None,
        description="The last day of first purchases, inclusive. Null: the last day whose label "
        "window has ended.",
    )
    last_days: Positive | None = Field(
        default=None,
        description="A window that moves: only first purchases of this many days, up to the last "
        "one whose label window has ended; null: all [days]",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        return self


class SnapshotsConfig(Section):
    """One sample per date and entity that had an event before the date.

    A snapshot is taken before the date's first event: features use days before the date, and the
    label is the spend on the date and the horizon_days - 1 days after it.
    """

    dates: list[dt.date] = Field(
        default=[], description="The snapshot dates. Empty: a series of start, every and end."
    )
    start: dt.date | None = Field(default=None, description="The first date of a series.")
    end: dt.date | None = Field(
        default=None,
        description="The last possible date of a series. Null: the last date whose label window "
        "has ended.",
    )
    every: Interval | None = Field(
        default=None,
        description="Step from one date of a series to the next: day, week, month, quarter or "
        "year, with an optional number in front, such as `2 weeks`.",
    )
    last_days: Positive | None = Field(
        default=None,
        description="A window that moves: only dates of this many days up to the last one whose "
        "label window has ended; null: all [days]",
    )

    @model_validator(mode="after")
    def _list_or_series(self) -> Self:
        series = (self.start, self.end, self.every)
        whole = self.start is not None and self.every is not None
        if any(series) if self.dates else not whole:
            raise ValueError("give either dates, or start and every (and end, if the series ends)")
        if self.start and self.end and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        if self.start and self.start.day > 28 and self._step[1]:
            raise ValueError("a series of months must start on one of the days 1 to 28")
        return self

    @property
    def _step(self) -> tuple[int, int]:
        """Days and months from one date to the next."""
        return step_of(self.every or "")

    def days(self, last: dt.date) -> list[dt.date]:
        """The dates in order; a series without `end` runs to `last`, but always has its first."""
        if self.start is None:
            return sorted(set(self.dates))
        end = self.end or max(self.start, last)
        days, months = self._step
        series = [self.start]
        while series[-1] <= end:
            month = self.start.month - 1 + len(series) * months
            moved = self.start.replace(year=self.start.year + month // 12, month=month % 12 + 1)
            series.append(moved + dt.timedelta(len(series) * days))
        return series[:-1]


def step_of(every: str) -> tuple[int, int]:
    """Days and months of an interval such as `2 weeks`; one of them is 0."""
    *count, unit = every.removesuffix("s").split()
    number = int(count[0]) if count else 1
    return number * _DAYS.get(unit, 0), number * _MONTHS.get(unit, 0)
