"""What `history: auto` makes, as docs/samples.md defines it, in SQLite and plain Python."""

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

Windows = Mapping[str, int | None]
Sample = dict[str, Any]

_COUNTS = {
    "events": "count(*)",
    "repeat_days": "count(days_since_previous)",
    "recency": "min(days_before)",
    "tenure": "max(days_before)",
    "gap_mean": "avg(days_since_previous)",
    "gap_std": "deviation(days_since_previous)",
    "amount_sum": "coalesce(sum(amount), 0)",
    "amount_mean": "avg(amount)",
    "amount_max": "max(amount)",
    "amount_std": "deviation(amount)",
}
_OF_SAME = {
    "events_same_{}": "count(*)",
    "amount_sum_same_{}": "coalesce(sum(amount), 0)",
    "recency_same_{}": "min(days_before)",
}


class Deviation:
    """The sample deviation, which SQLite lacks; null of less than two values."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def step(self, value: float | None) -> None:
        """Take one value."""
        if value is not None:
            self.values.append(value)

    def finalize(self) -> float | None:
        """The deviation."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


def chosen_windows(db: sqlite3.Connection, cuts: Sequence[int]) -> Windows:
    """Those of 30, 90 and 365 days that three quarters of the samples know, or shorter ones."""
    first = db.execute("SELECT min(day) FROM events").fetchone()[0]
    known = float(np.percentile([cut - first for cut in cuts], 25)) if cuts else 0.0
    days = [d for d in (30, 90, 365) if d <= known] or [d for d in (1, 3, 7, 14) if d <= known][-2:]
    return {f"{d}d": d for d in days} | {"all": None}


def chosen_attributes(
    db: sqlite3.Connection, key: Sequence[str], samples: Iterable[tuple[Sample, int]]
) -> list[str]:
    """`segment`, if a key has several of them on average before its last cut."""
    if "segment" in key:
        return []
    last: dict[tuple[Any, ...], int] = {}
    for sample, cut in samples:
        values = tuple(sample[name] for name in key)
        if None not in values:
            last[values] = max(cut, last.get(values, cut))
    of_key = " AND ".join(f"{name} = ?" for name in key)
    query = f"SELECT DISTINCT segment FROM events WHERE {of_key} AND day < ? AND segment <> ''"
    counts = [len(db.execute(query, (*values, cut)).fetchall()) for values, cut in last.items()]
    counts = [count for count in counts if count]
    return ["segment"] if counts and sum(counts) / len(counts) >= 1.2 else []


def blocks(key: Sequence[str], windows: Windows, attributes: Iterable[str]) -> list[dict[str, Any]]:
    """The blocks that the job writes, in SQLite's SQL."""
    same = [
        {
            "key": [*key, name],
            "windows": windows,
            "features": {feature.format(name): sql for feature, sql in _OF_SAME.items()},
        }
        for name in attributes
    ]
    return [{"key": list(key), "windows": windows, "features": _COUNTS}, *same]


def trends(sample: Sample, windows: Windows) -> Sample:
    """What a day in each window has of amount and events, less a day in the next longer one."""
    ends = sorted((days, suffix) for suffix, days in windows.items() if days)
    spans: list[tuple[float | None, str]] = [*ends]
    spans += [(sample[f"tenure_{s}"], s) for s, days in windows.items() if days is None]
    return {
        f"{name}_trend_{short}": _less(sample, f"{of}_{short}", days, f"{of}_{long}", more_days)
        for (days, short), (more_days, long) in pairwise(spans)
        for name, of in (("amount", "amount_sum"), ("events", "events"))
    }


def _less(
    sample: Sample, one: str, days: float | None, other: str, more_days: float | None
) -> float | None:
    if not days or not more_days:
        return None
    return float(sample[one]) / days - float(sample[other]) / more_days


def rounded(value: float) -> float:
    """A number to twelve digits: deviations depend on the order of their terms."""
    return float(f"{value:.12g}") if math.isfinite(value) else value
