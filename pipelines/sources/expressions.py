"""Reads SQL expressions: which columns they use, and whether a use needs a number or an order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pyspark.sql import SparkSession

from pipelines.sources.formats.messages import SPARK_ERRORS


class Need(Enum):
    """What a use of a column asks of its type."""

    NOTHING = "nothing"  # counted, cast, or compared with a text for equality
    TEXT = "text"  # a text function sees it, or it is compared with a text that is no number
    SUM = "sum"  # an aggregate adds its numbers, and would leave out what is none
    NUMBER = "number"  # arithmetic of one row, null where it is no number
    TIE = "tie"  # decides between rows that are equal in what comes before
    ORDER = "order"  # the largest, the smallest, or in an order
    MIXED = "mixed"  # in an order, together with a text such as '0', which makes it text
    COMPARISON = "comparison"  # with a number
    QUOTED = "quoted"  # compared with a number in quotes, as text if the column is text


@dataclass(frozen=True)
class Use:
    """A column in an expression."""

    column: str  # in lower case, as Spark compares names
    need: Need


@dataclass(frozen=True)
class Node:
    """A node of a parsed expression."""

    kind: str  # Spark's class
    fields: dict[str, Any]
    children: tuple[Node, ...]

    @property
    def function(self) -> str:
        """The function's name in lower case; of other nodes their class."""
        if self.kind == "UnresolvedFunction":
            return str(self.fields["nameParts"]).strip("[]").split(", ")[-1].lower()
        return self.kind

    @property
    def column(self) -> str | None:
        """The column's name in lower case; None: no column."""
        if self.kind != "UnresolvedAttribute":
            return None
        return str(self.fields["nameParts"])[1:-1].split(", ")[-1].lower()

    @property
    def is_number(self) -> bool:
        """Whether it is a number as written: a literal, or one with a sign."""
        if self.kind == "UnaryMinus":
            return self.children[0].is_number
        return self.kind == "Literal" and bool(_NUMERIC.match(str(self.fields["dataType"])))

    @property
    def text(self) -> str | None:
        """The content of a text literal; None: it is none."""
        is_text = self.kind == "Literal" and self.fields["dataType"] == "string"
        return str(self.fields["value"]) if is_text else None


_NUMERIC = re.compile("byte|short|integer|long|float|double|decimal")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
# days whose order as text is another: 31.12.2024, 1/31/24, 2024-1-31
_WRITTEN_DAY = re.compile(r"\d{1,2}([./-])\d{1,2}\1\d{2,4}|\d{4}([./-])(\d\2|\d{2}\2\d(?!\d))")
_COMPARISONS = {"LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual"}
_EQUALITIES = {"EqualTo", "EqualNullSafe", "In", "nullif"}
_CHECKED = {Need.SUM, Need.ORDER, Need.COMPARISON, Need.QUOTED}  # what text that is made may not be
_ARITHMETIC = {"Add", "Subtract", "Multiply", "Divide", "IntegralDivide", "Remainder"}
_ARITHMETIC |= {"UnaryMinus", "abs", "round", "bround", "floor", "ceil", "ceiling", "log", "ln"}
_ARITHMETIC |= {"log10", "log1p", "log2", "exp", "sqrt", "pow", "power", "sign", "signum"}
_SUMS = {"sum", "avg", "mean", "stddev", "stddev_pop", "stddev_samp", "std", "variance", "var_pop"}
_SUMS |= {"var_samp", "median", "percentile", "percentile_approx", "approx_percentile", "kurtosis"}
_SUMS |= {"skewness", "corr", "covar_pop", "covar_samp", "try_sum", "try_avg", "regr_slope"}
_ORDERS = {"max", "min", "greatest", "least", "sort_array", "array_sort", "array_max", "array_min"}
_ORDERS |= {"SortOrder"}
_BY = {"max_by", "min_by"}  # only what they order by
_TEXTS = {"concat", "concat_ws", "substring", "substr", "left", "right", "length", "char_length"}
_TEXTS |= {"upper", "lower", "ucase", "lcase", "trim", "ltrim", "rtrim", "btrim", "replace"}
_TEXTS |= {"translate", "regexp_replace", "regexp_extract", "regexp_like", "regexp", "rlike"}
_TEXTS |= {"Like", "RLike", "like", "split", "split_part", "lpad", "rpad", "md5", "sha", "sha1"}
_TEXTS |= {"sha2", "hash", "xxhash64", "crc32", "base64", "startswith", "endswith", "contains"}
_TEXTS |= {"instr", "locate", "position", "initcap", "reverse", "ascii", "to_number", "StringTrim"}
_TEXTS |= {"StringTrimLeft", "StringTrimRight", "Substring", "StringLocate", "try_to_number"}
_TEXTS |= {"StringReplace", "ILike", "LikeAll", "LikeAny", "overlay", "Overlay", "encode"}
_DATES = {"to_date", "to_timestamp", "try_to_timestamp", "unix_timestamp", "to_unix_timestamp"}
_STRUCTS = {"CreateNamedStruct", "named_struct", "struct", "CreateStruct"}
# what has the type of what is in it
_THROUGH = {"first", "first_value", "last", "last_value", "any_value", "coalesce", "nvl", "ifnull"}
_THROUGH |= {"If", "if", "CaseWhen", "struct", "CreateNamedStruct", "named_struct", "array"}
_THROUGH |= {"collect_list", "collect_set", "lag", "lead", "nvl2", "CreateArray", "CreateStruct"}
_THROUGH |= {"array_agg", "filter", "transform", "array_distinct", "array_compact", "slice", "get"}
_THROUGH |= {"array_union", "array_except", "array_intersect", "array_append", "array_prepend"}
_THROUGH |= {"element_at", "flatten", "shuffle"}
_KNOWN = _THROUGH | _ARITHMETIC | _SUMS | _ORDERS | _BY | _STRUCTS | {"Literal", "Cast"}


def parse(spark: SparkSession, sql: str) -> Node | None:
    """The tree of an expression as Spark parses it; None where it cannot be parsed."""
    try:
        parser = spark._jsparkSession.sessionState().sqlParser()
        nodes = json.loads(parser.parseExpression(sql).toJSON())
    except (*SPARK_ERRORS, ValueError):
        return None  # whoever runs the expression says what is wrong
    return _tree(iter(nodes))


def find_uses(node: Node, need: Need = Need.NOTHING) -> Iterator[Use]:
    """The columns of an expression, each with what it is needed for.

    Args:
        node: the expression.
        need: what the expression as a whole is needed for.
    """
    if node.column is not None:
        yield Use(node.column, need)
    for child, childs_need in _needs(node, need):
        yield from find_uses(child, childs_need)


def find_made_values(
    node: Node, need: Need, place: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, ...], Need]]:
    """What an expression makes and then orders, sums or compares, such as `trim(x)` in a maximum.

    Args:
        node: the expression.
        need: what the expression as a whole is needed for.
        place: where it is in a larger one.

    Returns:
        the place of each, as the way down to it by the indices of children, and its need.
    """
    if need in _CHECKED and node.column is None and node.function not in _KNOWN:
        yield place, need
    for child, childs_need in _needs(node, need):
        index = next(i for i, other in enumerate(node.children) if other is child)
        yield from find_made_values(child, childs_need, (*place, index))


def sql_of(spark: SparkSession, sql: str, place: tuple[int, ...]) -> str:
    """The SQL of a part of an expression.

    Args:
        spark: the session, whose parser reads it.
        sql: the expression.
        place: of the part, as `find_made_values` gives it.
    """
    node = spark._jsparkSession.sessionState().sqlParser().parseExpression(sql)
    for index in place:
        node = node.children().apply(index)
    return str(node.sql())


def find_numbers(node: Node) -> Iterator[str]:
    """The columns that an expression casts to a number, or calculates with."""
    number = node.kind == "Cast" and bool(_NUMERIC.match(str(node.fields["dataType"])))
    for child in node.children:
        if child.column is not None and (number or node.function in _ARITHMETIC):
            yield child.column
        yield from find_numbers(child)


def _needs(node: Node, need: Need) -> Iterator[tuple[Node, Need]]:
    """The children of a node, each with what the node needs it for."""
    name, children = node.function, node.children
    if name in _BY:
        yield children[0], need
        yield from ((child, Need.ORDER) for child in children[1:2])
        yield from ((child, Need.NOTHING) for child in children[2:])
        return
    if name in _STRUCTS and need is Need.ORDER:
        first = next((child for child in children if child.text is None), None)
        yield from ((child, need if child is first else Need.TIE) for child in children)
        return
    if name == "nullif":
        yield children[0], need
    if name in _COMPARISONS | _EQUALITIES:
        yield from ((child, _compared(name, children)) for child in children)
        return
    if name == "Cast":
        need = Need.TEXT if node.fields["dataType"] == "string" else Need.NOTHING
        yield from ((child, need) for child in children)
        return
    yield from ((child, _same_for_all(name, children, need)) for child in children)


def _same_for_all(name: str, children: tuple[Node, ...], need: Need) -> Need:
    if name in _ARITHMETIC:
        if need is Need.MIXED:
            return need
        is_strict = need in {Need.SUM, Need.COMPARISON, Need.QUOTED}
        return Need.SUM if is_strict else Need.NUMBER
    if name in _DATES and len(children) < 2:
        return Need.NOTHING
    if name in _THROUGH:
        literals = [child.text for child in children if child.text is not None]
        if name in _STRUCTS or not literals:  # names in structs are literals
            return need
        if any(not _is_plain(text) for text in literals):
            return Need.TEXT
        return Need.MIXED if need in {Need.ORDER, Need.TIE} else need
    for names, common in (
        (_SUMS, Need.SUM),
        (_ORDERS, Need.ORDER),
        (_TEXTS | _DATES, Need.TEXT),
    ):
        if name in names:
            return common
    return Need.NOTHING


def _compared(name: str, children: tuple[Node, ...]) -> Need:
    """What a comparison needs of a column: to be a number where it is compared with one."""
    if any(child.is_number for child in children):
        return Need.COMPARISON
    texts = [child.text for child in children if child.text is not None]
    if any(_DAY.match(text) for text in texts):
        return Need.NOTHING  # days compare right as text and as dates
    if name in _COMPARISONS and any(_WRITTEN_DAY.match(text) for text in texts):
        return Need.ORDER
    if any(not _is_plain(text) for text in texts):
        return Need.TEXT
    if name in _EQUALITIES:
        return Need.NOTHING
    return Need.QUOTED if texts else Need.ORDER


def _is_plain(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _tree(nodes: Iterator[dict[str, Any]]) -> Node:
    """The tree of nodes that are listed each before its children."""
    fields = next(nodes)
    kind = str(fields["class"]).rpartition(".")[2]
    children = tuple(_tree(nodes) for _ in range(int(fields["num-children"])))
    return Node(kind, fields, children)
