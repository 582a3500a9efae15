"""Reads a source's tables, joins them, and adds its derived columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config.source import SourceConfig
from optdist.config.tables import JoinConfig
from optdist.data.feature_table import JoinMatch
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.sources.as_of import (
    CUT,
    IS_KNOWN,
    aggregated,
    check_known,
    cut_of,
    join_valid,
    of_joined,
    with_validity,
)
from pipelines.sources.changes import find_days, note_of_changes
from pipelines.sources.columns import (
    BLANKS,
    MARKS,
    column,
    explain_errors,
    is_text,
    require,
)
from pipelines.sources.condition import kept_rows
from pipelines.sources.formats.base import UNPARSED
from pipelines.sources.formats.registry import read_table
from pipelines.sources.matches import check_matches
from pipelines.sources.same_names import Renamed, find_same_names
from pipelines.sources.typed import with_types

_KEY = "_key_"  # before the name of a key of text, as it is compared


def read_rows(spark: SparkSession, source: SourceConfig) -> DataFrame:
    """The main table with the joins, derived columns and condition of the source.

    Rows that cannot be used are marked: `_ragged_line` has the line of a row that was cut or
    filled, `_unparsed` the texts that are not of their column's type. The condition lets them pass
    where it depends on such a column, for `with_reason` and `quarantine_rows` to take them out.

    Raises:
        DataError: a table or a column is missing (the message lists the columns found), or a join
            would multiply rows.
    """
    return read_checked(spark, source).rows


class JoinedRows(NamedTuple):
    """Rows, what each join matched of them, and those of their columns the main table has."""

    rows: DataFrame
    matches: list[JoinMatch]
    own: list[str]


def read_checked(spark: SparkSession, source: SourceConfig, *, checked: bool = True) -> JoinedRows:
    """The rows of `read_rows`, and how many of them each join matched.

    Args:
        spark: the session.
        source: the tables, and how they are joined.
        checked: whether to check the joins, which reads their keys; if not, no match is returned.

    Raises:
        DataError: as `read_rows`.
    """
    raw = {
        name: read_table(spark, name, table, marked=True) for name, table in source.tables.items()
    }
    renamed = find_same_names(raw, source)
    if checked and renamed:
        listed = [new for names in renamed.values() for new in names.values()]
        LOG.info(f"  columns of one name in several tables are now {', '.join(listed)}")
    main, matches = next(iter(source.tables)), []
    rows = _typed(raw[main], source.tables[main].types, renamed.get(main, {}))
    own = [name for name in rows.columns if name not in MARKS]
    for join in source.row_joins:
        names, types = renamed.get(join.table, {}), source.tables[join.table].types
        if join.valid_from and source.known_before:
            other, day = _typed(raw[join.table], types), source.known_before
            rows, found = join_known(rows, other, join, day, names, checked=checked)
        else:
            other = _typed(raw[join.table], types, {} if join.aggregate else names)
            rows, found = join_table(rows, other, join, checked=checked)
        matches += found
    for name, expression in source.columns.items():
        with explain_errors(f"column {name}", rows):
            rows = rows.withColumn(name, F.expr(expression))
    if source.where:
        with explain_errors("where", rows):
            rows = rows.where(kept_rows(spark, rows, source))
    return JoinedRows(rows, matches, own)


def read_other(spark: SparkSession, source: SourceConfig, name: str) -> DataFrame:
    """One of the source's tables, typed, as joins read it.

    Args:
        spark: the session.
        source: the tables.
        name: which of them.
    """
    table = source.tables[name]
    return _typed(read_table(spark, name, table, marked=True), table.types)


def join_table(
    rows: DataFrame, other: DataFrame, join: JoinConfig, *, checked: bool = True
) -> tuple[DataFrame, list[JoinMatch]]:
    """Join one more table as it is now, aggregated first where the join says so.

    Args:
        rows: what has been joined so far.
        other: the table to join.
        join: keys, how, and aggregates.
        checked: whether to count what matches, and to refuse a key of several rows.

    Raises:
        DataError: a column is missing, nothing matches, or `other` has several rows of one key.
    """
    matches = []
    with explain_errors(f"join with {join.table}", rows, other):
        rows, other, keys = _with_same_keys(rows, other, join)
        if checked:
            match = check_matches(rows, other, join, keys)
            days = find_days(other, keys)
            note = note_of_changes(join, days)
            matches.append(match.model_copy(update={"note": note}))
            if not join.aggregate:
                _require_one_row_per_key(other, join, keys, days)
        if join.aggregate:
            other = aggregated(other, join, keys)
        return _merged(rows.join(other, on=keys, how=join.how), keys), matches


def join_known(
    rows: DataFrame,
    other: DataFrame,
    join: JoinConfig,
    known_before: tuple[str, int],
    renamed: Renamed,
    *,
    checked: bool = True,
) -> tuple[DataFrame, list[JoinMatch]]:
    """Join to each sample the row of another table that was valid at its cut.

    Args:
        rows: samples with keys and the column of their day.
        other: the table to join.
        join: keys, how, `valid_from`, and aggregates.
        known_before: the column with a sample's day, and days to add.
        renamed: columns of the other table -> their names among the samples' columns.
        checked: whether to count the samples with a row.

    Raises:
        DataError: a column is missing or no date, no sample has a row, or a key has two different
            rows of one moment.
    """
    with explain_errors(f"join with {join.table}", rows, other):
        rows, other, keys = _with_same_keys(rows, other, join)
        rows = require(rows, [known_before[0]], "date")
        versions = with_validity(other, join, keys).withColumnsRenamed(renamed)
        cut = cut_of(rows, known_before)
        joined = join_valid(rows.withColumn(CUT, cut), versions, join, keys)
        matches = [check_known(joined, versions, join, keys)] if checked else []
        if join.how == "inner":
            joined = joined.where(F.col(IS_KNOWN))
        return _merged(joined.drop(CUT, IS_KNOWN), keys), matches


def _typed(rows: DataFrame, types: Mapping[str, str], renamed: Renamed | None = None) -> DataFrame:
    """A table's rows under their qualified names, of the types given for the names before."""
    renamed = renamed or {}
    new = {name.lower(): qualified for name, qualified in renamed.items()}
    return with_types(
        rows.withColumnsRenamed(renamed), {new.get(n.lower(), n): kind for n, kind in types.items()}
    )


def _with_same_keys(
    rows: DataFrame, other: DataFrame, join: JoinConfig
) -> tuple[DataFrame, DataFrame, list[str]]:
    """Both tables with keys to compare, the names of these keys, and marks of `other` of its own.

    Keys of text get columns of their own: the main table's stay as they are written.
    """
    rows, other = (
        require(frame, join.by, f"join with {join.table}, whose keys both tables must have,")
        for frame in (rows, other)
    )
    texts = [key for key in join.by if is_text(rows, key) and is_text(other, key)]
    keys = {key: f"{_KEY}{key}" for key in texts}
    marks = {name: of_joined(name) for name in MARKS if name in other.columns}
    other = other.withColumnsRenamed(marks).withColumns({k: _key(k) for k in texts})
    rows = rows.withColumns({keys[key]: _key(key) for key in texts})
    return rows, other.withColumnsRenamed(keys), [keys.get(key, key) for key in join.by]


def with_plain_keys(rows: DataFrame, other: DataFrame, by: Sequence[str]) -> DataFrame:
    """Rows with keys as they are compared, where both tables have text.

    Args:
        rows: the rows of a join.
        other: the other table.
        by: the key's columns, in both.
    """
    texts = [key for key in by if is_text(rows, key) and is_text(other, key)]
    return rows.withColumns({key: _key(key) for key in texts}) if texts else rows


def _key(name: str) -> Column:
    """A key of text without blanks, and without the `.0` that pandas adds beside nulls."""
    text = F.btrim(column(name), F.lit(BLANKS))
    whole = text.endswith(".0") & text.rlike(r"^-?(0|[1-9]\d*)\.0$")
    return F.when(whole, F.substring_index(text, ".", 1)).otherwise(text)


def _merged(joined: DataFrame, keys: Sequence[str]) -> DataFrame:
    """Joined rows without the keys that were added, marked where a bad row went into one."""
    joined = joined.drop(*[key for key in keys if key.startswith(_KEY)])
    for mark in MARKS:
        of_other = of_joined(mark)
        if of_other not in joined.columns:
            continue
        if mark not in joined.columns:
            joined = joined.withColumnRenamed(of_other, mark)
            continue
        about = dict(joined.schema[mark].metadata)
        if mark == UNPARSED:
            about["columns"] = about["columns"] + joined.schema[of_other].metadata["columns"]
        both = joined.withColumn(mark, F.coalesce(mark, of_other)).drop(of_other)
        joined = both.withMetadata(mark, about)
    return joined


def count_of_repeated_key(rows: DataFrame, by: Sequence[str]) -> int | None:
    """How many rows have a key that is there twice or more; None: each is there once.

    Args:
        rows: a table; a null key joins nothing.
        by: the key's columns.
    """
    keys = [column(name) for name in by]
    counts = rows.select(*keys).dropna().groupBy(*keys).agg(F.count("*").alias("count_of_key"))
    for row in counts.where("count_of_key > 1").limit(1).select("count_of_key").collect():
        return int(row[0])
    return None


def _require_one_row_per_key(
    other: DataFrame, join: JoinConfig, keys: Sequence[str], days: Sequence[str]
) -> None:
    """Raise a DataError if the table to join has a key twice."""
    count = count_of_repeated_key(other, keys)
    if count is None:
        return
    remedy = "Aggregate it"
    if days:
        remedy = (
            f"If {' or '.join(days)} says since when a row is valid, set joins[].valid_from, which "
            f"gives each sample the row that was valid at its cut. Else aggregate it"
        )
    raise DataError(
        f"The table {join.table} has {count:,} rows of one key ({', '.join(join.by)}): the join "
        f"would count the main table's rows as often. {remedy} (joins[].aggregate) or remove "
        f"duplicates."
    )
