"""Qualifies columns that several joined tables have: none of them is used for another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame

from optdist.config.source import SourceConfig
from optdist.config.tables import JoinConfig
from optdist.errors import DataError
from pipelines.sources.columns import MARKS

Renamed = dict[str, str]  # column -> its qualified name


def find_same_names(tables: Mapping[str, DataFrame], source: SourceConfig) -> dict[str, Renamed]:
    """For each table its columns whose name another table has too, as `TABLE_COLUMN`.

    A key of a join keeps its name in the first table that has it, most often the main one.

    Args:
        tables: the raw tables by name.
        source: the main table, and which tables are joined to its rows.

    Raises:
        DataError: a qualified name is taken too, or an aggregate has the name of a column.
    """
    columns = _joined_columns(tables, source)
    counts = Counter(name.lower() for names in columns.values() for name in names)
    aggregates = [name for join in source.row_joins for name in join.aggregate]
    taken = [name for name in aggregates if counts[name.lower()]]
    if taken:
        raise DataError(
            f"joins[].aggregate makes the column {taken[0]}, and a table has one of that name. "
            f"Give the aggregate another name."
        )
    keys = {key.lower() for join in source.row_joins for key in join.by}
    renamed: dict[str, Renamed] = {}
    for table, names in columns.items():
        for name in names:
            if counts[name.lower()] < 2:
                continue
            if name.lower() in keys:
                keys.remove(name.lower())  # the first table's
                continue
            renamed.setdefault(table, {})[name] = f"{table}_{name}"
    _require_new(renamed, {*counts, *map(str.lower, aggregates)})
    return renamed


def qualified_against(taken: Sequence[str], other: DataFrame, join: JoinConfig) -> Renamed:
    """New names for the columns of a table to join whose name is taken.

    Args:
        taken: the names that are in use.
        other: the table to join.
        join: its name, and the keys that both sides share.

    Raises:
        DataError: a qualified name is taken too.
    """
    if join.aggregate:
        return {}
    names = {name.lower() for name in taken} - {key.lower() for key in join.by}
    same = [name for name in other.columns if name.lower() in names and name not in MARKS]
    renamed = {name: f"{join.table}_{name}" for name in same}
    _require_new({join.table: renamed}, {name.lower() for name in (*taken, *other.columns)})
    return renamed


def _joined_columns(tables: Mapping[str, DataFrame], source: SourceConfig) -> dict[str, list[str]]:
    """The columns that each table brings, in the order of the joins; keys are the rows' own."""
    columns = {}
    main = next(iter(source.tables))
    columns[main] = [name for name in tables[main].columns if name not in MARKS]
    for join in source.row_joins:
        if join.aggregate:
            continue
        keys = {key.lower() for key in join.by} | set(MARKS)
        names = [name for name in tables[join.table].columns if name.lower() not in keys]
        if names and join.table in columns:
            raise DataError(
                f"The table {join.table} is joined twice. Give it two names under source.tables, "
                f"with the same path, to tell its columns apart."
            )
        columns.setdefault(join.table, names)
    return columns


def _require_new(renamed: Mapping[str, Renamed], taken: set[str]) -> None:
    new = Counter(new.lower() for names in renamed.values() for new in names.values())
    for table, names in renamed.items():
        for name, qualified in names.items():
            if qualified.lower() in taken or new[qualified.lower()] > 1:
                raise DataError(
                    f"Several tables have the column {name}, and {qualified} is taken too. Give "
                    f"the table {table} another name under source.tables."
                )
