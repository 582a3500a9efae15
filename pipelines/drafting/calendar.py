"""Chooses horizon, snapshot dates and windows for the days that the events span."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from math import ceil
from typing import Any

from pipelines.drafting.request import DraftError

_HORIZONS = (90, 30, 7)  # the longest of which the data hold three
_SPANS = 3  # horizons: one to know, one to look ahead, one for the dates between
_KNOWN_SHARE = 0.24  # of all days that lie before the first snapshot, at least a horizon
_MOST_KNOWN = 3 * 365
_LEAST_DATES = 6
_MOST_SAMPLES = 20_000_000
_STEPS = (("quarter", 91), ("month", 30), ("2 weeks", 14), ("week", 7), ("day", 1))  # in days
_YEAR = 365


@dataclass(frozen=True)
class Calendar:
    """The days of the events, the horizon, and what is known before the first sample."""

    first: dt.date
    last: dt.date
    horizon: int
    start: dt.date
    every: str | None  # None: a sample at each first purchase
    dates: int  # of snapshots, about

    @property
    def days(self) -> int:
        """The days from the first event to the last, both inclusive."""
        return (self.last - self.first).days + 1

    @property
    def known(self) -> int:
        """The days of events before the first sample."""
        return (self.start - self.first).days

    @property
    def latest(self) -> dt.date:
        """The last cut whose label window ends with the data."""
        return self.last - dt.timedelta(self.horizon - 1)

    @property
    def windows(self) -> dict[str, Any]:
        """Windows before a snapshot that are known whole at the first one, or nearly so."""
        h, known = self.horizon, self.known
        windows: dict[str, Any] = {}
        if h >= 60:
            windows["30d"] = 30
        windows[f"{h}d"] = h
        windows[f"prior_{h}d"] = [h + 1, 2 * h]
        if known >= _YEAR and h < _YEAR:
            windows |= {"365d": _YEAR, "prior_365d": [_YEAR + 1, 2 * _YEAR]}
            windows["season_1y"] = [_YEAR - h + 1, _YEAR]
        if known >= 2 * _YEAR and h < _YEAR:
            windows["season_2y"] = [2 * _YEAR - h + 1, 2 * _YEAR]
        return windows


def choose_snapshots(
    first: dt.date,
    last: dt.date,
    customers: int,
    horizon: int | None = None,
    start: dt.date | None = None,
) -> Calendar:
    """Snapshot dates from when a horizon is known to when one is left.

    Args:
        first: the first day with events.
        last: the last one.
        customers: how many there are.
        horizon: the label's window; None: to be chosen [days].
        start: the first date; None: to be chosen.

    Raises:
        DraftError: the events span too few days.
    """
    days = (last - first).days + 1
    horizon = horizon or _horizon(days)
    known = max(horizon, min(int(_KNOWN_SHARE * days), _MOST_KNOWN))
    known = min(known, days - horizon - 1)
    if known < 1:
        raise _too_short(first, last, days, horizon)
    left = days - known - horizon
    every, step = next((s for s in _STEPS if left // s[1] + 1 >= _LEAST_DATES), ("day", 1))
    for longer, length in reversed(_STEPS):
        if length > step and customers * (left // step + 1) > _MOST_SAMPLES:
            every, step = longer, length
    latest = last - dt.timedelta(horizon - 1)
    given, start = start, start or _begin(first + dt.timedelta(known), every)
    if start > latest and not given:
        start = first + dt.timedelta(known)
        if start.day > 28:
            start = start.replace(day=28)
    return Calendar(first, last, horizon, start, every, max((latest - start).days // step + 1, 1))


def choose_first_purchases(
    first: dt.date, last: dt.date, horizon: int | None = None, start: dt.date | None = None
) -> Calendar:
    """First purchases from when four weeks are known, where the days allow that.

    Args:
        first: the first day with events.
        last: the last one.
        horizon: the label's window; None: to be chosen [days].
        start: the first day of first purchases; None: to be chosen.

    Raises:
        DraftError: the events span too few days.
    """
    days = (last - first).days + 1
    horizon = horizon or _horizon(days)
    if days - horizon < 2:
        raise _too_short(first, last, days, horizon)
    known = min(28, (days - horizon) // 6)
    return Calendar(first, last, horizon, start or first + dt.timedelta(known), None, 1)


def _horizon(days: int) -> int:
    return next((h for h in _HORIZONS if days >= _SPANS * h), _HORIZONS[-1])


def _begin(day: dt.date, every: str) -> dt.date:
    """The first day of a month, quarter or week from a day on."""
    if every == "day":
        return day
    if "week" in every:
        return day + dt.timedelta(-day.weekday() % 7)
    months = 3 if every == "quarter" else 1
    month = ceil((day.month - (day.day == 1)) / months) * months
    if day.day == 1 and (day.month - 1) % months == 0:
        return day
    return dt.date(day.year + month // 12, month % 12 + 1, 1)


def _too_short(first: dt.date, last: dt.date, days: int, horizon: int) -> DraftError:
    return DraftError(
        f"The events are of {days:,} days ({first} to {last}), which is too few for a label of "
        f"{horizon} days and some days before it. Give a shorter --horizon, or a longer table."
    )
