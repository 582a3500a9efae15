"""Reads columns of text as the types that they were given; what cannot be read is kept as text."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.sources.columns import column, is_missing, is_text, parse_number, quoted
from pipelines.sources.formats.base import UNPARSED

_WHOLE = r"^\s*[+-]?\d+(\.0*)?\s*$"


def with_types(rows: DataFrame, types: Mapping[str, str]) -> DataFrame:
    """The rows with typed columns, and the text of what could not be read in `_unparsed`.

    Args:
        rows: a raw table.
        types: column -> type; columns that are not there, and those that stay text, are skipped.
    """
    spellings = {name.lower(): name for name in rows.columns}
    types = {spellings[n.lower()]: kind for n, kind in types.items() if n.lower() in spellings}
    typed = {name: _parse(rows, name, kind) for name, kind in types.items() if kind != "string"}
    texts = [name for name in typed if is_text(rows, name)]
    if not typed:
        return rows
    wrong = [
        (F.lit(name), F.when(~is_missing(name) & typed[name].isNull(), column(name)))
        for name in texts
    ]
    columns = [typed[c].alias(c) if c in typed else column(c) for c in rows.columns]
    if wrong:
        unparsed = F.map_filter(
            F.create_map(*[part for pair in wrong for part in pair]), lambda _, v: v.isNotNull()
        )
        unparsed = F.when(F.size(unparsed) > 0, unparsed)
        columns.append(unparsed.alias(UNPARSED, metadata={"columns": texts}))
    return rows.select(*columns)


def raw_text(rows: DataFrame, name: str) -> Column:
    """A column's text as the file has it, also where it could not be read."""
    text = column(name).cast("string")
    if UNPARSED not in rows.columns:
        return text
    return F.coalesce(F.element_at(F.col(UNPARSED), F.lit(name)), text)


def unparsed_reason(rows: DataFrame) -> list[Column]:
    """The reason `unparsable COLUMN` of rows with a value that could not be read, or nothing."""
    if UNPARSED not in rows.columns:
        return []
    first = F.element_at(F.map_keys(UNPARSED), 1)
    return [F.when(F.col(UNPARSED).isNotNull(), F.concat(F.lit("unparsable "), first))]


def _parse(rows: DataFrame, name: str, kind: str) -> Column:
    """A column as a type, null where it cannot be read as that."""
    if kind == "double":
        return parse_number(rows, name)
    value = F.expr(f"try_cast({quoted(name)} AS {kind})")
    if kind in {"int", "bigint"} and is_text(rows, name):
        whole = F.expr(f"try_cast(try_cast({quoted(name)} AS decimal(38, 0)) AS {kind})")
        return F.when(column(name).rlike(_WHOLE), whole)  # 3.0 is whole too
    return value
