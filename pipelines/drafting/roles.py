"""Guesses which column of a table is the customer, the time, the value, the order and the label."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pipelines.drafting.names import (
    CODE,
    CUSTOMER,
    LABEL,
    NOT_CUSTOMER,
    NOT_MONEY,
    NOT_TIME,
    ORDER,
    PRICE,
    QUANTITY,
    TIME,
    TOTAL,
    looks_like_id,
    points,
)
from pipelines.drafting.profile import ColumnProfile, TableProfile

LEAST_REPEATS = 1.05  # rows for each id from which a table is one of events
_SURE = 9  # points of a label's name
_UNITS_MEAN = 5.0  # a whole number that is smaller on average may be a number of units

Columns = Sequence[ColumnProfile]


def find_time(table: TableProfile) -> ColumnProfile | None:
    """The column with the time of a row."""
    times = [c for c in table.columns.values() if c.sort == "time" and c.missing < 0.5]
    ranked = _ranked(times, lambda c: (points(c.name, TIME, NOT_TIME), c.filled, c.distinct))
    if not ranked or points(ranked[0].name, TIME, NOT_TIME) < -1:
        return None
    return ranked[0]


def find_id(table: TableProfile, *, unique: bool) -> ColumnProfile | None:
    """The column that names a customer: with several rows, or in samples with one.

    Args:
        table: the table.
        unique: whether each id must be there once.
    """
    codes = [c for c in table.columns.values() if c.is_code and c.distinct > 1 and c.filled]
    codes = [c for c in codes if c.is_unique is unique and c.missing < 0.6]
    if unique:
        codes = [c for c in codes if not c.missing]
    if not table.has_header:
        amounts = {c.name for c in codes if unique is False and c.distinct < c.rows / 500}
        others = [c for c in codes if c.name not in amounts]
        return max(others, key=lambda c: c.distinct, default=None)
    ranked = _ranked(codes, lambda c: (_id_points(c), c.distinct))
    return ranked[0] if ranked and _id_points(ranked[0]) > 0 else None


def find_order(columns: Iterable[ColumnProfile], customer: ColumnProfile) -> ColumnProfile | None:
    """The column that names an order of several lines.

    Args:
        columns: the table's columns, without those that have another role.
        customer: the customer's column.
    """
    codes = [
        c
        for c in columns
        if c.is_code and not c.missing and customer.distinct < c.distinct and points(c.name, ORDER)
    ]
    return max(codes, key=lambda c: (points(c.name, ORDER), c.distinct), default=None)


def find_quantity(columns: Iterable[ColumnProfile]) -> ColumnProfile | None:
    """The column with a number of units."""
    numbers = [c for c in columns if c.sort == "number" and points(c.name, QUANTITY) > 0]
    return max(numbers, key=lambda c: points(c.name, QUANTITY, NOT_MONEY), default=None)


def find_amounts(columns: Iterable[ColumnProfile]) -> list[ColumnProfile]:
    """The columns that may be an event's value, the likeliest first.

    A whole number that is small on average, such as `AMOUNT: 2`, counts units where another column
    has a price or a total.
    """
    numbers = [c for c in columns if c.sort == "number" and not c.is_constant and c.missing < 0.6]
    numbers = [c for c in numbers if _money_points(c) > 0]
    ranked = _ranked(numbers, lambda c: (_money_points(c), not c.whole, c.distinct))
    units = [c for c in ranked if looks_like_units(c)]
    return [c for c in ranked if c not in units] + units


def find_amount_without_names(columns: Iterable[ColumnProfile]) -> ColumnProfile | None:
    """The number of a table without a header: with fractions, or the one with most values."""
    numbers = [c for c in columns if c.sort == "number" and not c.is_constant]
    return max(numbers, key=lambda c: (not c.whole, c.distinct), default=None)


def is_total(amount: ColumnProfile) -> bool:
    """Whether a name says that a value is that of the whole row, not of a unit."""
    if "unit" in amount.name.lower():
        return False
    return points(amount.name, TOTAL) > 0 and points(amount.name, PRICE) <= 0


def is_unit_price(amount: ColumnProfile) -> bool:
    """Whether a name says that a value is that of one unit."""
    return "unit" in amount.name.lower() and points(amount.name, PRICE) > 0


def looks_like_units(c: ColumnProfile) -> bool:
    """Whether a column's numbers are small whole ones, mostly 1 or 2."""
    return c.whole and c.mean is not None and 0 < c.mean < _UNITS_MEAN and c.zeros < c.filled / 10


def find_labels(table: TableProfile) -> list[ColumnProfile]:
    """The columns that may be a sample's label, the likeliest first."""
    numbers = [c for c in table.columns.values() if c.sort == "number" and not c.is_constant]
    numbers = [c for c in numbers if _label_points(c) > 0 and c.negatives < 0.01 * c.rows]
    return _ranked(numbers, lambda c: (_label_points(c), c.distinct))


def is_surely_label(c: ColumnProfile) -> bool:
    """Whether a name says that a column is a label, as ltv and spend_90d do."""
    return _label_points(c) >= _SURE


def is_category(c: ColumnProfile) -> bool:
    """Whether a column is read as a category: text, a yes or no, or a number that is a code."""
    if c.sort in {"text", "boolean"}:
        return True
    is_code = points(c.name, CODE) > 0 or looks_like_id(c.name)
    return c.sort == "number" and c.whole and is_code


def near(columns: Iterable[ColumnProfile], most: int = 4) -> str:
    """Columns in words, for a message: names and numbers of distinct values."""
    listed = [f"{c.name} ({c.distinct:,} values)" for c in columns]
    return ", ".join(listed[:most]) or "none"


def _id_points(c: ColumnProfile) -> int:
    return points(c.name, CUSTOMER, NOT_CUSTOMER) + (3 if looks_like_id(c.name) else 0)


def _money_points(c: ColumnProfile) -> int:
    return points(c.name, TOTAL, PRICE, NOT_MONEY)


def _label_points(c: ColumnProfile) -> int:
    days = any(letter.isdigit() for letter in c.name)
    score = points(c.name, LABEL)
    return score + (4 if days and score > 0 else 0)


def _ranked(
    columns: Columns, key: Callable[[ColumnProfile], tuple[int | bool, ...]]
) -> list[ColumnProfile]:
    return sorted(columns, key=key, reverse=True)
