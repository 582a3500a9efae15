"""Gives columns of text the types that expressions need, without losing an id or a leading zero.

A column of text becomes a number only where an expression sums, compares or orders it, no
expression sees it as text, and every value is a plain number. What would then still compare text
with a number is refused.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import NumericType

from optdist.config import DatasetConfig
from optdist.config.source import SourceConfig
from optdist.config.tables import TableConfig
from optdist.config.transactions import TransactionsSourceConfig
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.sources.columns import is_text
from pipelines.sources.expressions import Need
from pipelines.sources.formats.registry import read_table
from pipelines.sources.made_texts import refuse_made_texts
from pipelines.sources.needs import Needs, Requirement, find_needs
from pipelines.sources.texts import Statistics, describe_texts, explain_days

Types = dict[str, dict[str, str]]  # table -> column -> type, of columns that are text in the file

_REFUSED = {Need.SUM, Need.ORDER, Need.MIXED, Need.COMPARISON, Need.QUOTED}  # where it were wrong
_TYPED = {Need.NUMBER, Need.TIE, *_REFUSED}


def infer_types(spark: SparkSession, dataset: DatasetConfig) -> Types:
    """The types of all text columns whose type matters: as declared, else inferred from all values.

    Args:
        spark: the session.
        dataset: the tables, the expressions, and the columns that must stay as they are written.

    Raises:
        DataError: an expression would compare text with a number.
    """
    source = dataset.source
    needs, made = find_needs(spark, source)
    keys = {name.lower() for name in _kept_as_written(dataset)}
    types: Types = {}
    parsed = _parsed_columns(source)
    for name, table in source.tables.items():
        rows = read_table(spark, name, table)
        requirements = _needs_of_table(source, name, needs, rows.columns)
        _require_declared(name, table, rows)
        _require_unmixed(name, rows, requirements)
        declared = {column.lower() for column in table.types}
        texts = [
            c
            for c in rows.columns
            if c.lower() not in declared
            and is_text(rows, c)
            and _type_matters(c.lower(), requirements, keys, parsed)
        ]
        for text, values in (describe_texts(rows, texts) if texts else {}).items():
            uses = requirements[text.lower()]
            kind = _type(values, uses, text.lower() in keys, parsed.get(text.lower()))
            types.setdefault(name, {})[text] = kind
            if not values.orders_as_text:
                _refuse_mixed(name, text, uses)
            if kind == "string":
                _refuse(name, text, values, uses)
    if made:
        refuse_made_texts(spark, typed_dataset(dataset, types).source, made)
    return types


def _require_declared(name: str, table: TableConfig, rows: DataFrame) -> None:
    """Raise a DataError if a table declares the type of a column that it does not have."""
    missing = {column.lower() for column in table.types} - {c.lower() for c in rows.columns}
    if missing:
        raise DataError(
            f"source.tables.{name}.types names columns that are not there: "
            f"{', '.join(sorted(missing))}. Found: {', '.join(rows.columns)}."
        )


def _require_unmixed(name: str, rows: DataFrame, requirements: Needs) -> None:
    """Raise a DataError if an expression makes text of a number and orders it."""
    numbers = [f.name for f in rows.schema.fields if isinstance(f.dataType, NumericType)]
    for number in numbers:
        _refuse_mixed(name, number, requirements.get(number.lower(), set()))


def _refuse_mixed(table: str, name: str, uses: set[Requirement]) -> None:
    mixed = sorted((use.setting, use.sql) for use in uses if use.need is Need.MIXED)
    if mixed:
        setting, sql = mixed[0]
        raise DataError(
            f"source.{setting}, {sql!r}, would order {name} of the table {table} as text, in "
            f"which 9 is more than 10, because a text such as '0' stands in its place in some "
            f"rows. Write that as a number, without quotes."
        )


def _type_matters(text: str, requirements: Needs, keys: set[str], parsed: Container[str]) -> bool:
    """Whether an expression, or the pipeline's own parsing, needs the type of a text column."""
    needed = _REFUSED if text in keys else _TYPED
    return text in requirements and (
        text in parsed or any(use.need in needed for use in requirements[text])
    )


def typed_dataset(dataset: DatasetConfig, types: Types) -> DatasetConfig:
    """The data set with these types of its tables' columns, next to those that it declares."""
    source = dataset.source
    tables = {
        name: table.model_copy(update={"types": {**types.get(name, {}), **table.types}})
        for name, table in source.tables.items()
    }
    return dataset.model_copy(update={"source": source.model_copy(update={"tables": tables})})


def print_types(types: Mapping[str, Mapping[str, str]]) -> None:
    """One line with the types of columns that are text in the file; none where there are none."""
    listed = [
        f"{table}.{column} {kind}"
        for table, columns in types.items()
        for column, kind in columns.items()
    ]
    if listed:
        LOG.info(f"  types of text columns in SQL: {', '.join(listed)}")


def _type(values: Statistics, uses: set[Requirement], is_key: bool, parsed: str | None) -> str:
    if is_key or any(use.need is Need.TEXT for use in uses):
        return "string"
    if parsed == "timestamp":
        return "date" if values.days == values.values else "timestamp"
    return parsed or values.type


def _refuse(table: str, name: str, values: Statistics, uses: set[Requirement]) -> None:
    """Raise a DataError if one of the uses would give a wrong number."""
    wrong = [use for use in uses if values.is_wrong_for(use.need)]
    if not wrong:
        return
    use = min(wrong, key=lambda use: use.setting)
    if values.has_written_days:
        raise DataError(explain_days(use, name, values))
    others = values.values - values.numbers
    why = (
        f"{others:,} of its {values.values:,} values are not numbers (such as `{values.example}`)"
        if others
        else "it is an id, a key, a category, an expression needs its text, or numbers are written "
        "in it in another way than programs write them"
    )
    remedy = (
        f"declare source.tables.{table}.types: {{{name}: double}}, which quarantines such rows, or "
        if others
        else ""
    )
    raise DataError(
        f"source.{use.setting}, {use.sql!r}, would take {name} of the table {table} for text, in "
        f"which 9 is more than 10: {why}. Write cast({name} AS double) there, {remedy}"
        f"cast({name} AS string) where text is meant."
    )


def _needs_of_table(
    source: SourceConfig, name: str, needs: Mapping[str | None, Needs], columns: Iterable[str]
) -> Needs:
    """Aggregated tables are seen by their aggregates alone, others by all expressions."""
    if any(join.aggregate for join in source.joins if join.table == name):
        return needs[name]
    common = needs[None]
    qualified = {c.lower(): common.get(f"{name}_{c}".lower(), set()) for c in columns}
    return common | {c: common.get(c, set()) | uses for c, uses in qualified.items() if uses}


def _parsed_columns(source: SourceConfig) -> dict[str, str]:
    """Raw columns that the pipeline parses, in lower case, unless `columns` redefines them."""
    if not isinstance(source, TransactionsSourceConfig):
        return {}
    defined = {name.lower() for name in source.columns}
    parsed = {source.amount.lower(): "double", source.timestamp.lower(): "timestamp"}
    return {name: kind for name, kind in parsed.items() if name not in defined}


def _kept_as_written(dataset: DatasetConfig) -> list[str]:
    """Names of ids, keys and categories, whose text is their meaning."""
    source = dataset.source
    keys: list[str] = []
    if isinstance(source, TransactionsSourceConfig):
        keys = [name for history in source.blocks for name in history.key]
        auto = source.auto_history
        keys += [*(auto.key or []), *(auto.categories or [])] if auto else []
    joined = [name for join in source.joins for name in join.by]
    return [*dataset.id, *dataset.split_key, *joined, *keys, *dataset.features.categorical]
