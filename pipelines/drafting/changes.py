"""Finds tables that change over time: rows of a key, and a day since when each is valid."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipelines.drafting.names import TIME, points
from pipelines.drafting.profile import ColumnProfile, TableProfile
from pipelines.sources.formats.names import plain_or_quoted
from pipelines.sources.formats.registry import read_table
from pipelines.sources.joins import count_of_repeated_key

_FROM = {
    **dict.fromkeys(("since", "from", "effective", "start", "begin"), 8),
    **dict.fromkeys(("valid", "change", "changed", "updated", "modified"), 5),
}
_TO = dict.fromkeys(("to", "until", "end", "expiry", "expires", "thru", "through"), 8)
_LEAST = 3  # points of a name


@dataclass(frozen=True)
class Changes:
    """A table of changes, by which columns it is joined, and since when its rows are valid."""

    table: TableProfile
    by: list[str]
    valid_from: str  # SQL
    valid_to: str | None
    first: dt.date  # the first day since when a row is valid
    columns: list[ColumnProfile] = field(default_factory=list)  # that may be features

    @property
    def setting(self) -> dict[str, object]:
        """The entry of `source.joins`."""
        entry: dict[str, object] = {"table": self.table.name, "by": self.by}
        entry["valid_from"] = self.valid_from
        return entry | ({"valid_to": self.valid_to} if self.valid_to else {})


def find_changes(spark: SparkSession, other: TableProfile, by: Sequence[str]) -> Changes | None:
    """A table with several rows of a key as one of changes; None where it is none.

    Args:
        spark: the session.
        other: the table, which is none of events.
        by: the key's columns.
    """
    keys = {name.lower() for name in by}
    free = [c for name, c in other.columns.items() if name.lower() not in keys]
    times = [c for c in free if c.sort == "time"]
    starts = _ranked(times, lambda name: points(name, _FROM, TIME) - 3 * points(name, _TO))
    if not starts:
        return None
    start = starts[0]
    ends = _ranked([c for c in times if c is not start], lambda name: points(name, _TO))
    end = ends[0] if ends else None
    since = start.reader or plain_or_quoted(start.name)
    moment = f"try_cast({since} AS timestamp)"
    rows = read_table(spark, other.name, other.table)
    dated = rows.withColumn("_since", F.expr(moment)).where("_since IS NOT NULL")
    if count_of_repeated_key(dated, [*by, "_since"]):
        return None
    first = dated.agg(F.to_date(F.min("_since"))).collect()[0][0]
    if first is None:
        return None
    until = (end.reader or plain_or_quoted(end.name)) if end else None
    columns = [c for c in free if c not in times]
    return Changes(other, list(by), since, until, first, columns)


def known_changes(
    changes: Iterable[Changes], entity: Sequence[str], latest: dt.date
) -> list[Changes]:
    """The tables of changes that say something of samples.

    Args:
        changes: the tables.
        entity: the columns of the id.
        latest: the last cut of samples; a change on that day is not known yet.
    """
    names = {name.lower() for name in entity}
    return [c for c in changes if {*map(str.lower, c.by)} <= names and c.first < latest]


def _ranked(columns: Iterable[ColumnProfile], score: Callable[[str], int]) -> list[ColumnProfile]:
    """The columns whose names score at all, the best first."""
    scored = [(score(c.name), c) for c in columns]
    return [c for points, c in sorted(scored, key=lambda pair: -pair[0]) if points >= _LEAST]
