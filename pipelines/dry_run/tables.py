"""Checks that each raw table can be read, and decides of which only some rows are looked at."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pyspark.sql import SparkSession

from optdist.config import DatasetConfig
from optdist.config.tables import TableConfig
from pipelines.dry_run.report import SKIPPED, Attempt, Report
from pipelines.dry_run.sizes import Size, measure
from pipelines.sources.formats.base import NotPinnedError
from pipelines.sources.formats.bounded import Bound
from pipelines.sources.formats.registry import read_table, table_format
from pipelines.sources.formats.suffixes import format_of

MOST_BYTES, MOST_ROWS = 24_000_000, 400_000  # of a table that is read whole
MOST_BYTES_JOINED = 200_000_000
MOST_SCANNED = 500_000_000  # bytes of a table that is read once, to choose ids
HEAD_ROWS = 100_000  # of a larger one


@dataclass(frozen=True)
class Tables:
    """The raw tables of a data set.

    Args:
        main: the size of the main table.
        bounds: table -> which rows are looked at, of those that are not read whole.
        readable: whether all of them can be read.
    """

    main: Size
    bounds: dict[str, Bound]
    readable: bool

    @property
    def whole(self) -> bool:
        """Whether every table is read whole."""
        return not self.bounds

    @property
    def share(self) -> float | None:
        """The share of ids that is looked at; None: all, or the first rows."""
        return next((bound.share for bound in self.bounds.values()), None)

    @property
    def about(self) -> str:
        """Which rows are looked at, in words that a sentence begins with."""
        if self.whole:
            return ""
        return f"In {self.share:.1%} of ids: " if self.share else f"In about {HEAD_ROWS:,} rows: "


def check_tables(report: Report, spark: SparkSession, dataset: DatasetConfig) -> Tables:
    """Look at each raw table: its format, its columns and its first row.

    Args:
        report: what is found.
        spark: the session.
        dataset: the tables.
    """
    source, sizes = dataset.source, [Size()]
    bounds: dict[str, Bound] = {}
    readable = True
    for place, (name, table) in enumerate(source.tables.items()):
        with report.check(f"table {name}") as attempt:
            size = look_at_table(attempt, spark, name, table)
            sizes.append(size)
            if not _is_small(size, joined=place > 0):
                bounds[name] = _bound(size, dataset)
        readable = readable and not attempt.failed
    main = sizes[1] if readable else Size()
    if next(iter(source.tables)) in bounds:
        share = bounds[next(iter(source.tables))].share
        which = f"{share:.1%} of its ids" if share else f"the first of about {HEAD_ROWS:,} rows"
        report.add("sample", SKIPPED, f"the main table is large: values are checked on {which}")
    return Tables(main, bounds, readable)


def look_at_table(attempt: Attempt, spark: SparkSession, name: str, table: TableConfig) -> Size:
    """Read a table's columns and its first row, and say how large it is.

    Args:
        attempt: the check at work.
        spark: the session.
        name: the table's name.
        table: its settings.
    """
    kind = format_of(name, table)
    with suppress(NotPinnedError):  # a table of a database, which a job reads first
        table_format(kind).fingerprint(table)
    rows = read_table(spark, name, table)
    rows.first()
    size = measure(rows)
    attempt.say(f"{kind}, {len(rows.columns)} columns, {size}")
    return size


def _bound(size: Size, dataset: DatasetConfig) -> Bound:
    """Some ids with all their rows, or where even one look at all rows takes long, the first."""
    if size.bytes is None or size.rows is None or size.bytes > MOST_SCANNED:
        return Bound(most_rows=HEAD_ROWS)
    return Bound(share=min(HEAD_ROWS / max(size.rows, 1), 1.0), keys=tuple(dataset.split_key))


def _is_small(size: Size, *, joined: bool) -> bool:
    most = MOST_BYTES_JOINED if joined else MOST_BYTES
    few = size.rows is not None and (joined or size.rows <= MOST_ROWS)
    return size.bytes is not None and size.bytes <= most and few
