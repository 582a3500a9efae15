"""Finds tables with one row for each value of a column of the main table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyspark.sql import SparkSession

from pipelines.drafting.changes import Changes, find_changes
from pipelines.drafting.events import is_table_of_events
from pipelines.drafting.names import identifier, unused
from pipelines.drafting.profile import ColumnProfile, TableProfile
from pipelines.sources.formats.names import plain_or_quoted
from pipelines.sources.formats.registry import read_table
from pipelines.sources.joins import count_of_repeated_key, with_plain_keys
from pipelines.sources.matches import count_matches

_PAIRS = 12  # of columns with other names that are looked at for common values
_LEAST_COMMON = 0.5  # of values, for columns with other names


@dataclass(frozen=True)
class Joined:
    """A table that is joined, by which columns, and how many rows of the main table match."""

    table: TableProfile
    by: list[str]
    matched: float
    aggregate: dict[str, str] = field(default_factory=dict)  # where names are taken already
    columns: list[ColumnProfile] = field(default_factory=list)  # that it adds

    @property
    def setting(self) -> dict[str, object]:
        """The entry of `source.joins`."""
        entry: dict[str, object] = {"table": self.table.name, "by": self.by, "how": "left"}
        return entry | ({"aggregate": self.aggregate} if self.aggregate else {})


@dataclass(frozen=True)
class Joins:
    """The tables that are joined, and what is said of the others."""

    joined: list[Joined]
    notes: list[str]
    children: list[tuple[TableProfile, list[str]]]  # tables with several rows of a key
    changes: list[Changes] = field(default_factory=list)  # those of them that say since when

    def columns(self) -> list[ColumnProfile]:
        """The columns that the joined tables add."""
        return [column for one in self.joined for column in one.columns]


def find_joins(spark: SparkSession, main: TableProfile, others: Sequence[TableProfile]) -> Joins:
    """Join each table by the columns whose names it shares with the main table.

    Args:
        spark: the session.
        main: the main table.
        others: the other tables.
    """
    found = Joins([], [], [])
    taken = {name.lower() for name in main.columns}
    for other in others:
        shared = [
            c for name, c in main.columns.items() if (o := _same(other, name)) and _match(c, o)
        ]
        if not shared:
            found.notes.append(_no_shared_name(spark, main, other))
            continue
        by = _unique_key(spark, other, [c.name for c in shared])
        if by is None:
            names = ", ".join(c.name for c in shared)
            found.children.append((other, [c.name for c in shared]))
            if not is_table_of_events(other):
                changes = find_changes(spark, other, [c.name for c in shared])
                found.changes.extend([changes] if changes else [])
            found.notes.append(
                f"{other.name} is not joined: it has several rows of one {names}. A total of them "
                f"would see what came after the sample's day (joins[].aggregate, if that is known "
                f"before)."
            )
            continue
        rows, matched = _matches(spark, main, other, by)
        if not matched:
            found.notes.append(
                f"{other.name} is not joined: no row of {main.name} has a partner by "
                f"{', '.join(by)}."
            )
            continue
        found.joined.append(_joined(other, by, matched / rows, taken))
    return found


def _joined(other: TableProfile, by: list[str], share: float, taken: set[str]) -> Joined:
    """The join, with other names for the columns whose names are taken."""
    keys = {name.lower() for name in by}
    added = [c for name, c in other.columns.items() if name.lower() not in keys]
    if not any(c.name.lower() in taken for c in added):
        taken |= {c.name.lower() for c in added}
        return Joined(other, by, share, columns=added)
    aggregate, renamed = {}, []
    for c in added:
        name = identifier(c.name)
        name = unused(f"{other.name}_{name}" if name in taken else name, taken)
        aggregate[name] = f"first({plain_or_quoted(c.name)})"
        renamed.append(_renamed(c, name))
    return Joined(other, by, share, aggregate, renamed)


def _renamed(c: ColumnProfile, name: str) -> ColumnProfile:
    fields = {field: getattr(c, field) for field in c.__dataclass_fields__}
    return ColumnProfile(**{**fields, "name": name, "reader": None, "type": None})


def _same(other: TableProfile, name: str) -> ColumnProfile | None:
    return next((c for n, c in other.columns.items() if n.lower() == name.lower()), None)


def _match(one: ColumnProfile, other: ColumnProfile) -> bool:
    """Whether two columns can be a key: codes, or numbers in other text."""
    return (one.is_code or one.is_text) and (other.is_code or other.is_text)


def _unique_key(spark: SparkSession, other: TableProfile, shared: list[str]) -> list[str] | None:
    """The shared columns by which each row is another one: one of them, or all together."""
    rows = read_table(spark, other.name, other.table)
    single = [[n] for n in shared if (c := _same(other, n)) and c.is_unique]
    for by in [*single, *([shared] if len(shared) > 1 else [])]:
        if not count_of_repeated_key(rows, by):
            return by
    return None


def _matches(
    spark: SparkSession, main: TableProfile, other: TableProfile, by: list[str]
) -> tuple[int, int]:
    rows, partners = (read_table(spark, t.name, t.table) for t in (main, other))
    plain = with_plain_keys(rows, partners, by)
    return count_matches(plain, with_plain_keys(partners, rows, by), by)


def _no_shared_name(spark: SparkSession, main: TableProfile, other: TableProfile) -> str:
    """What is said of a table without a column of the main table: which columns have its values."""
    pairs = [
        (one, key)
        for key in other.columns.values()
        if key.is_code and key.is_unique and not key.missing
        for one in main.columns.values()
        if one.is_code and 1 < one.distinct <= 1.1 * key.distinct and one.sort == key.sort
    ]
    for one, key in sorted(pairs, key=lambda pair: -pair[0].distinct)[:_PAIRS]:
        rows = read_table(spark, main.name, main.table).select(plain_or_quoted(one.name))
        keys = read_table(spark, other.name, other.table).select(plain_or_quoted(key.name))
        count, matched = count_matches(rows.dropna(), keys.toDF(one.name), [one.name])
        if count and matched >= _LEAST_COMMON * count and one.distinct > 2:
            return (
                f"{other.name} is not joined, for it shares no column's name with {main.name}. "
                f"{matched / count:.0%} of the values of {main.name}.{one.name} are in "
                f"{other.name}.{key.name}: give the two one name to join them."
            )
    return f"{other.name} is not joined: it has no column of {main.name}."
