"""Looks whether the raw tables still have the customers: the next build would bring them back."""

from __future__ import annotations

from pyspark.sql import DataFrame

from optdist.config import Config
from optdist.config.source import SourceConfig
from optdist.errors import DataError
from pipelines.features.pinning import pinned_config
from pipelines.forgetting.matching import Matcher
from pipelines.forgetting.places import Kind
from pipelines.sources.columns import require
from pipelines.sources.formats.registry import explain_read_errors, read_table
from pipelines.sources.inference import infer_types, typed_dataset
from pipelines.sources.joins import read_checked

JOINED = "the rows that are made of them"
_VERSIONED = {"delta", "hudi", "iceberg"}  # formats that keep rows which were deleted


def look_at_raw(matcher: Matcher, config: Config, *, keep_raw: bool) -> dict[str, int]:
    """The customers' rows in each raw table; with `keep_raw` -1 where they cannot be read.

    Args:
        matcher: knows the customers.
        config: names the raw tables.
        keep_raw: whether the job goes on whatever they have.

    Raises:
        DataError: a table cannot be read.
    """
    try:
        return count_raw_rows(matcher, config)
    except DataError as error:
        if not keep_raw:
            raise error.followed_by("--keep-raw removes all the rest without a look.") from error
        return dict.fromkeys(config.dataset.source.tables, -1)


@explain_read_errors()
def count_raw_rows(matcher: Matcher, config: Config) -> dict[str, int]:
    """The customers' rows in each raw table that has the columns of their ids.

    Where a column of the id is made by `source.columns`, or the columns stand in several tables,
    the joined rows are looked at too.

    Args:
        matcher: knows the customers.
        config: names the raw tables.

    Raises:
        DataError: a table cannot be read.
    """
    columns = [*matcher.customers.columns]
    with pinned_config(matcher.spark, config) as pinned:
        source = pinned.dataset.source
        counts, is_raw = {}, False
        for name, table in source.tables.items():
            rows = read_table(matcher.spark, name, table)
            if {c.lower() for c in columns} <= {c.lower() for c in rows.columns}:
                counts[name] = _count(matcher, require(rows, columns, "id"))
                is_raw = is_raw or name == next(iter(source.tables))
        if not is_raw or set(columns) & set(source.columns):
            dataset = typed_dataset(pinned.dataset, infer_types(matcher.spark, pinned.dataset))
            rows = read_checked(matcher.spark, dataset.source, checked=False).rows
            counts[JOINED] = _count(matcher, require(rows, columns, "id"))
    return counts


def refuse_raw_rows(counts: dict[str, int], source: SourceConfig) -> None:
    """Stop where a raw table still has a customer.

    Raises:
        DataError: naming the tables and how many rows each has.
    """
    held = [f"{name} {count:,}" for name, count in counts.items() if count]
    if held:
        versioned = {table.format for table in source.tables.values()} & _VERSIONED
        old = " (old versions of a table keep deleted rows until it is vacuumed)"
        raise DataError(
            f"The raw tables still have rows of these customers: {', '.join(held)}. The next build "
            f"would bring them back, so nothing was removed. Delete them there first"
            f"{old if versioned else ''}; --keep-raw removes the rest all the same."
        )


def _count(matcher: Matcher, rows: DataFrame) -> int:
    return matcher.matching(rows, Kind.IDS).count()
