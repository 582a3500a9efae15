"""Finds the days that events reach from and to, and dates that were typed wrong.

The first and the last days with events stand apart if few events lie on them and the gap to the
others is far larger than any among these: a 2026 in data that end in 2024 is a typing error, and
labels that reach until then would be zeros made of nothing. Days that systems write where a date
is missing, such as 1970-01-01, stand apart by the gap alone, however many events lie on them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from optdist.log import LOG
from pipelines.sources.columns import DAY

DayRange = tuple[dt.date, dt.date]  # first and last day, both inclusive

FEW_SHARE = 0.001  # of all events that may stand apart on one side, or else
FEW, FEW_OF_SMALL = 4, 0.01  # this many, but no larger share, so that ten events are no evidence
LEAST_GAP, TIMES_LARGEST = 30, 3  # days between them and the others, and times the largest other
PLACEHOLDERS = {
    dt.date(1, 1, 1),  # .NET
    dt.date(1753, 1, 1),  # SQL Server
    dt.date(1899, 12, 30),  # spreadsheets
    dt.date(1899, 12, 31),
    dt.date(1900, 1, 1),
    dt.date(1969, 12, 31),  # Unix, west of Greenwich
    dt.date(1970, 1, 1),
}
AFTER, BEFORE = "timestamp far after the other events", "timestamp far before the other events"


@dataclass(frozen=True)
class Reach:
    """The days with events, in order, and those that stand apart with their number of events."""

    days: Sequence[dt.date] = ()
    before: Mapping[dt.date, int] = field(default_factory=dict)
    after: Mapping[dt.date, int] = field(default_factory=dict)

    @property
    def range(self) -> DayRange | None:
        """The first and the last day; None where there is no event."""
        return (self.days[0], self.days[-1]) if self.days else None

    def has_event(self, first: dt.date, last: dt.date) -> bool:
        """Whether there is an event on one of these days, both inclusive."""
        return any(first <= day <= last for day in self.days)

    def reason(self) -> Column:
        """Why an event's day cannot be trusted, or null."""
        reasons = {AFTER: self.after, BEFORE: self.before}
        checks = [
            F.when(F.col(DAY).between(F.lit(min(days)), F.lit(max(days))), F.lit(reason))
            for reason, days in reasons.items()
            if days
        ]
        return F.coalesce(*checks, F.lit(None).cast("string"))

    def report(self) -> None:
        """Print the dates of events that stand apart."""
        for reason, counts in ((AFTER, self.after), (BEFORE, self.before)):
            if counts:
                dates = [f"{day} ({count:,})" for day, count in counts.items()]
                more = f" and {len(dates) - 5} more days" if len(dates) > 5 else ""
                LOG.info(
                    f"  quarantined: {reason} ({self.days[0]} to {self.days[-1]}): "
                    f"{', '.join(dates[:5])}{more}"
                )


def find_reach(events: DataFrame) -> Reach:
    """Count events by day in one aggregation, a row for each day, and find what stands apart.

    Args:
        events: events with `event_day`; days after today are left out.
    """
    past = events.where(F.col(DAY) <= F.current_date())
    return reach_of({row[0]: row[1] for row in past.groupBy(DAY).count().collect()})


def reach_of(counts: Mapping[dt.date, int]) -> Reach:
    """The reach of events by day.

    Args:
        counts: day -> number of events, at least 1.
    """
    days, total = sorted(counts), sum(counts.values())
    weights = [0 if day in PLACEHOLDERS else counts[day] for day in days]
    few = max(int(FEW_SHARE * total), min(FEW, int(FEW_OF_SMALL * total)))
    low = _skip_few(weights, few)
    high = len(days) - _skip_few(weights[::-1], few)
    if high - low < 2:  # too few days for a usual gap
        return Reach(days)
    gaps = [(b - a).days for a, b in pairwise(days)]  # gaps[i] lies before days[i + 1]
    limit = max(LEAST_GAP, TIMES_LARGEST * max(gaps[low : high - 1]))
    while low > 0 and gaps[low - 1] <= limit:
        low -= 1
    while high < len(days) and gaps[high - 1] <= limit:
        high += 1
    return Reach(
        days[low:high],
        before={day: counts[day] for day in days[:low]},
        after={day: counts[day] for day in days[high:]},
    )


def _skip_few(counts: Sequence[int], few: int) -> int:
    """How many days from the outside have few events together."""
    events = 0
    for number, count in enumerate(counts):
        events += count
        if events > few:
            return number
    return len(counts)
