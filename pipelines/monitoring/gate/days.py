"""Compares the events of the last weeks with those of the weeks and years before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optdist.config import GateConfig, LimitsConfig
from optdist.data.profile import DayCount
from pipelines.monitoring.gate.findings import Finding, stretched, widened

BEFORE = 56  # days that the last ones are compared with
WINDOWS = (1, 7, 28)  # last days that are looked at
LEAST_EVENTS = 30  # of a window: fewer are no evidence
LEAST_DAILY = 10.0  # of the usual day: where there are fewer, a day without any says nothing
FAIR = 0.2  # of the usual day's events, from which on a day has come
USUAL, ROOM = 0.99, 1.5  # quantile of past days that is usual, and a factor on top
SEASON = 14  # days around the same day of a year before
HALF_YEAR = 26  # weeks
LEAST_RATIO = 0.05  # of the events before: weeks with fewer are as good as empty
ONE_DAY = 4.0  # times the limits of the mean amount, for a single day


@dataclass(frozen=True)
class Days:
    """Events of all days from the first one to a date, each [days]."""

    first: dt.date
    events: np.ndarray
    distinct: np.ndarray
    negative: np.ndarray
    amount: np.ndarray

    @classmethod
    def of(cls, counts: Sequence[DayCount], until: dt.date) -> Days | None:
        """The days up to a date; None without events.

        Args:
            counts: days with events, ascending.
            until: the last day, with or without events.
        """
        rows = [(dt.date.fromisoformat(count.day), count) for count in counts]
        rows = [(day, count) for day, count in rows if day <= until]
        if not rows:
            return None
        first = rows[0][0]
        sums = np.zeros((4, (until - first).days + 1))
        for day, count in rows:
            sums[:, (day - first).days] = count[1:]
        return cls(first, *sums)

    def __len__(self) -> int:
        return len(self.events)


def check_days(
    days: Days, gate: GateConfig, last: Days | None = None, behind: float = 0.0
) -> Iterator[Finding]:
    """Look at the last weeks of events.

    Args:
        days: up to the date that is scored.
        gate: limits.
        last: the days as they were when the last date was scored; None: not known.
        behind: days that the data may be late in any case.
    """
    yield from _late(days, gate, last, behind)
    yield from _missing_days(days, gate)
    for window in WINDOWS:
        yield from _ratio(days, gate, "events", window)
        yield from _ratio(days, gate, "amounts", window)
    yield from _negatives(days, gate)
    yield from _repeats(days, gate)


def _usual_day(days: Days) -> np.ndarray:
    """For each day the median of its weekday in the eight weeks before, [days]; NaN at first."""
    usual = np.full(len(days), np.nan)
    for day in range(28, len(days)):
        weeks = days.events[max(day - BEFORE, day % 7) : day : 7]
        usual[day] = np.median(weeks)
    return usual


def _recent_usual(days: Days) -> np.ndarray:
    """The median of each weekday in the last four weeks, [28]: a season may have ended."""
    weeks = days.events[-28:].reshape(4, 7)
    return np.tile(np.median(weeks, axis=0), 4)


def _late(days: Days, gate: GateConfig, last: Days | None, behind: float) -> Iterator[Finding]:
    """Days since the last one with a fair number of events, against the same weekday before."""
    limits = gate.limits("late")
    recent = days.events[-BEFORE - 28 : -28] if len(days) > 56 else days.events
    typical = min(float(np.mean(recent)), float(np.mean(days.events[-28:])))
    typical = typical if typical > 0 else float(np.mean(recent))  # the last weeks are all gone
    if limits is None or typical < LEAST_DAILY:
        yield from _late_week(days, gate, behind)
        return
    lag = _since(days.events >= FAIR * typical)
    past = lag[::-1][7 : 7 * HALF_YEAR + 1 : 7]  # of the same weekday
    if len(past) < 8:
        past = lag[:-1] if len(lag) > 28 else np.zeros(1)
    usual = float(np.quantile(past, 0.9, method="lower"))
    then = float(_since(last.events >= FAIR * typical)[-1]) if last else 0.0
    room = max(usual, then, behind, float(_season(lag).max(initial=0.0)))
    yield Finding(
        check="late",
        value=float(lag[-1]),
        reference=None,
        limits=_at_least(limits, room),
        what=f"the last day with {FAIR:.0%} or more of the usual {typical:,.0f} events is "
        f"{days.first + dt.timedelta(int(len(days) - 1 - lag[-1]))}, days before the date:",
    )


def _late_week(days: Days, gate: GateConfig, behind: float) -> Iterator[Finding]:
    """The same where most days have few events: how long the longest usual pause is."""
    limits = gate.limits("late")
    if limits is None or len(days) < 60 or days.events.sum() < LEAST_EVENTS:
        return
    lag = _since(days.events > 0)
    usual = float(np.quantile(lag[:-1], USUAL)) * ROOM
    room = max(usual, behind, float(_season(lag).max(initial=0.0)))
    # with a few events a day at random, so long a pause is chance
    mean = float(np.mean(days.events[-BEFORE - 28 : -7]))
    chance = 12.0 / max(mean, 1e-3)
    yield Finding(
        check="late",
        value=float(lag[-1]),
        limits=_at_least(limits, max(room, chance)),
        what="days since the last event:",
    )


def _missing_days(days: Days, gate: GateConfig) -> Iterator[Finding]:
    limits = gate.limits("missing_days")
    if limits is None or len(days) < 90:
        return
    usual = _usual_day(days)
    usual[-28:] = np.minimum(usual[-28:], _recent_usual(days))
    with np.errstate(invalid="ignore"):
        missing = (days.events < 0.05 * usual) & (usual >= LEAST_EVENTS)
    counts = np.convolve(missing, np.ones(28), "full")[: len(missing)]
    past = counts[56:-28]
    room = float(np.quantile(past, USUAL)) if len(past) >= 28 else 0.0
    room = max(room, float(_season(counts).max(initial=0.0)))
    yield Finding(
        check="missing_days",
        value=float(counts[-1]),
        limits=_at_least(limits, room),
        what="days of the last four weeks (nearly) without events, whose weekday usually has some:",
    )


def _ratio(days: Days, gate: GateConfig, check: str, window: int) -> Iterator[Finding]:
    """The last days' events, or their mean amount, over those of the weeks before."""
    limits = gate.limits(check)
    if limits is None or len(days) < window + BEFORE:
        return
    ratio, evidence = _ratios(days, check, window)
    if not evidence[-1] or not np.isfinite(ratio[-1]):
        return
    settled = slice(-window - BEFORE)  # a hole of weeks must not make itself usual
    past = ratio[settled][evidence[settled] & np.isfinite(ratio[settled])]
    past = past[past > 0] if check == "amounts" else past
    if window == 1:  # a closed day is no fault, nor one before a feast, nor one large order
        limits = stretched(limits, ROOM if check == "events" else ONE_DAY)
        limits = limits if check == "amounts" else LimitsConfig(max=limits.max)
    yield Finding(
        check=check,
        column=f"last {window} days" if window > 1 else "last day",
        value=float(ratio[-1]),
        limits=_learned(limits, past, gate.learned > 0),
        what=f"the {'mean amount' if check == 'amounts' else 'events a day'} of the last "
        f"{window} days over the {BEFORE} before is",
    )


def _ratios(days: Days, check: str, window: int) -> tuple[np.ndarray, np.ndarray]:
    """The ratio at the end of each day, and whether there is evidence for it, both [days]."""
    events, amount = _sums(days.events, window), _sums(days.amount, window)
    before, spent = _before(days.events, window), _before(days.amount, window)
    with np.errstate(divide="ignore", invalid="ignore"):
        if check == "events":
            ratio = (events / window) / (before / BEFORE)
            return ratio, before / BEFORE * window >= LEAST_EVENTS
        ratio = (amount / events) / (spent / before)
    return ratio, (events >= LEAST_EVENTS) & (before >= LEAST_EVENTS)


def _negatives(days: Days, gate: GateConfig) -> Iterator[Finding]:
    limits, window = gate.limits("negatives"), 28
    if limits is None or len(days) < window + BEFORE:
        return
    events, negative = _sums(days.events, window), _sums(days.negative, window)
    before, others = _before(days.events, window), _before(days.negative, window)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = ((negative + 1) / (events + 2)) / ((others + 1) / (before + 2))
        expected = others / before * events
    enough = (expected >= LEAST_EVENTS) | (negative >= LEAST_EVENTS)
    if not enough[-1]:
        return
    past = ratio[:-window][enough[:-window] & np.isfinite(ratio[:-window])]
    yield Finding(
        check="negatives",
        value=float(ratio[-1]),
        now=float(negative[-1] / max(events[-1], 1)),
        reference=float(others[-1] / max(before[-1], 1)),
        limits=_learned(limits, past, gate.learned > 0),
        what=f"the share of negative amounts of the last {window} days over the {BEFORE} before is",
    )


def _repeats(days: Days, gate: GateConfig) -> Iterator[Finding]:
    limits = gate.limits("repeats")
    if limits is None:
        return
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 - days.distinct / days.events
    enough = days.events >= LEAST_EVENTS
    last, past = share[-14:][enough[-14:]], share[:-14][enough[:-14]]
    usual = float(np.quantile(past, 0.9)) if len(past) >= 28 else 0.0
    if len(last):
        yield Finding(
            check="repeats",
            column="last 14 days",
            value=float(last.max()),
            limits=widened(limits, usual if usual <= 0.25 else 0.0),
            what="of the events of one of the last 14 days the share that is there before in all "
            "columns is",
        )


def _sums(values: np.ndarray, window: int) -> np.ndarray:
    """The sum of the last `window` days at the end of each day, [days]."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    return np.asarray(total[ends] - total[np.maximum(ends - window, 0)])


def _before(values: np.ndarray, window: int) -> np.ndarray:
    """The sum of the `BEFORE` days before the last `window` ones; NaN where they are too few."""
    whole = _sums(values, window + BEFORE) - _sums(values, window)
    whole[: window + BEFORE - 1] = np.nan
    return whole


def _since(came: np.ndarray) -> np.ndarray:
    """For each day, how many days ago the last one that came is; at first, days since the start."""
    places = np.where(came, np.arange(len(came)), -1)
    return np.asarray(np.arange(len(came)) - np.maximum.accumulate(places))


def _season(values: np.ndarray) -> np.ndarray:
    """The values around the same day of the years before."""
    last, near = len(values) - 1, []
    for years in range(1, 4):
        middle = last - round(365.25 * years)
        near.append(values[max(middle - SEASON, 0) : max(middle + SEASON + 1, 0)])
    return np.concatenate(near)


def _at_least(limits: LimitsConfig, room: float) -> LimitsConfig:
    return limits if limits.max is None else LimitsConfig(max=max(limits.max, room))


def _learned(limits: LimitsConfig, past: np.ndarray, learn: bool) -> LimitsConfig:
    """Limits of a ratio that also allow what was usual in the past.

    Args:
        limits: from the settings.
        past: ratios of past days.
        learn: whether to.
    """
    if len(past) < 28 or not learn:
        return stretched(limits, ROOM)
    low, high = past.min(), past.max()
    low = low if low >= LEAST_RATIO else 0.0  # there were such weeks (nearly) without any
    return LimitsConfig(
        min=None if limits.min is None else min(limits.min, float(low) / ROOM),
        max=None if limits.max is None else max(limits.max, float(high) * ROOM),
    )


def age_of(day: str | None, date: dt.date) -> int | None:
    """Days from a day to the date that is scored; None where it is not known."""
    return None if day is None else (date - dt.date.fromisoformat(day)).days
