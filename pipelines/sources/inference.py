"""Gives columns of text the types that expressions need, without losing an id or a leading zero.

A column of text becomes a number only where an expression sums, compares or orders it, no
expression sees it as text, and every value is a plain number. What would then still compare text
with a number is refused.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType

from optdist.config import DatasetConfig
from optdist.config.source import SourceConfig
from optdist.config.tables import TableConfig
from optdist.config.transactions import TransactionsSourceConfig
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.sources.columns import column, is_text, parse_number
from pipelines.sources.expressions import Need
from pipelines.sources.formats.registry import read_table
from pipelines.sources.needs import Needs, Requirement, find_needs
from pipelines.sources.shapes import with_shape

Types = dict[str, dict[str, str]]  # table -> column -> type, of columns that are text in the file

# No leading zeros; up to 15 digits, or 17 with a fraction, come back as they were; programs write
# a sign in exponents, and ids such as 12E5 have none.
_DECIMAL = r"^-?(0|[1-9]\d*)(\.\d+)?(e[+-]\d{1,3})?$"
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}$"
_TYPED = {Need.SUM, Need.NUMBER, Need.ORDER, Need.TIE, Need.MIXED, Need.COMPARISON}
_REFUSED = {Need.SUM, Need.ORDER, Need.MIXED, Need.COMPARISON}  # where they would be wrong


@dataclass(frozen=True)
class Statistics:
    """What the values of a column of text look like: counts of those that are not blank."""

    values: int
    whole: int  # come back from bigint as the same text
    short: int  # of these, with at most nine digits
    decimal: int  # plain decimal numbers
    numbers: int  # can be read as a number, in any way
    zeros: int  # begin with a zero that is not a number's
    days: int  # YYYY-MM-DD
    lengths: int  # different lengths, 0, 1 or 2 for more
    example: str | None  # the shape of one that is no number

    @property
    def type(self) -> str:
        """The narrowest type that loses nothing."""
        if self.values and self.whole == self.values:
            return "bigint"
        return "double" if self.values and self.decimal == self.values else "string"

    @property
    def orders_as_text(self) -> bool:
        """Whether text and number have the same order: codes of one length, or no numbers."""
        few = 2 * self.numbers < max(self.values, 1)
        return few or self.zeros > 0 or (self.whole == self.values and self.lengths < 2)


def infer_types(spark: SparkSession, dataset: DatasetConfig) -> Types:
    """The types of all text columns whose type matters: as declared, else inferred from all values.

    Args:
        spark: the session.
        dataset: the tables, the expressions, and the columns that must stay as they are written.

    Raises:
        DataError: an expression would compare text with a number.
    """
    source, needs = dataset.source, find_needs(spark, dataset.source)
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


def describe_texts(rows: DataFrame, names: Iterable[str]) -> dict[str, Statistics]:
    """Statistics of the values of text columns, all in one pass.

    Args:
        rows: a raw table.
        names: its columns of text.
    """
    names = list(names)
    parts = [F.struct(*text_measures(rows, name)).alias(f"c{i}") for i, name in enumerate(names)]
    row = rows.agg(*parts).collect()[0]
    return {name: Statistics(**row[i].asDict()) for i, name in enumerate(names)}


def print_types(types: Mapping[str, Mapping[str, str]]) -> None:
    """One line with the types of columns that are text in the file; none where there are none."""
    listed = [
        f"{table}.{column} {kind}"
        for table, columns in types.items()
        for column, kind in columns.items()
    ]
    if listed:
        LOG.info(f"  types of text columns in SQL: {', '.join(listed)}")


def text_measures(rows: DataFrame, name: str) -> list[Column]:
    """The aggregates that make a column's `Statistics`."""
    text = F.trim(column(name))
    text = F.when(text != "", text)
    lower, whole = F.lower(text), text.cast("bigint").cast("string") == text
    digits = F.length(F.regexp_replace(F.regexp_replace(lower, r"e.*$", ""), r"\D", ""))
    decimal = lower.rlike(_DECIMAL) & (digits <= F.when(text.contains("."), 17).otherwise(15))
    number = parse_number(rows, name).isNotNull()
    counts = {
        "values": text.isNotNull(),
        "whole": whole,
        "short": whole & (F.length(text) < 10),
        "decimal": decimal,
        "numbers": text.isNotNull() & number,
        "zeros": text.rlike(r"^-?0\d"),
        "days": text.rlike(_ISO_DAY),
    }
    several = F.when(F.min(F.length(text)) == F.max(F.length(text)), 1).otherwise(2)
    return [
        *[F.count_if(condition).alias(count) for count, condition in counts.items()],
        several.alias("lengths"),
        F.min(with_shape(F.when(~number, text))).alias("example"),
    ]


def _type(values: Statistics, uses: set[Requirement], is_key: bool, parsed: str | None) -> str:
    if is_key or any(use.need is Need.TEXT for use in uses):
        return "string"
    if parsed == "timestamp":
        return "date" if values.days == values.values else "timestamp"
    return parsed or values.type


def _refuse(table: str, name: str, values: Statistics, uses: set[Requirement]) -> None:
    """Raise a DataError if one of the uses would give a wrong number."""
    wrong = [use for use in uses if _is_wrong(values, use.need)]
    if not wrong:
        return
    use = min(wrong, key=lambda use: use.setting)
    others = values.values - values.numbers
    why = (
        f"{others:,} of its {values.values:,} values are not numbers (such as `{values.example}`)"
        if others
        else "it is an id, a key, a category, or an expression needs its text"
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


def _is_wrong(values: Statistics, need: Need) -> bool:
    if need is Need.COMPARISON:  # Spark casts the text to a whole number
        return values.short < values.values
    if need is Need.SUM:  # leaves out what is no number
        return 0 < values.numbers < values.values
    return need is Need.ORDER and not values.orders_as_text


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
