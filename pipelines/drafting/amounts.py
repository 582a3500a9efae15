"""Finds what an event is worth: a column, units times price, or what the user says."""

from __future__ import annotations

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipelines.drafting import roles
from pipelines.drafting.event_roles import EventRoles, free_columns, named_column
from pipelines.drafting.names import unused
from pipelines.drafting.profile import ColumnProfile, TableProfile
from pipelines.drafting.request import DraftError, Request
from pipelines.sources.columns import parse_number
from pipelines.sources.formats.names import plain_or_quoted
from pipelines.sources.formats.registry import read_table

_LINE_TOTAL = 1.2  # how much dearer two units are than one where the value is the line's


def set_amount(
    spark: SparkSession, found: EventRoles, main: TableProfile, request: Request, taken: set[str]
) -> None:
    """Set the amount, and what it is derived from.

    Args:
        spark: the session.
        found: the roles that are known.
        main: the table of events.
        request: what the user gives.
        taken: names of columns, to which new ones are added.

    Raises:
        DraftError: no column has a value.
    """
    if request.amount and request.amount.lower() not in taken:
        found.amount = unused("value", taken)
        found.columns[found.amount] = request.amount
        found.returns = True
        found.reasons["amount"] = "Given with --amount"
        mentioned = [c for c in main.columns.values() if c.name in request.amount]
        found.types |= {c.name: c.type for c in mentioned if c.type}
        return
    amount = _chosen_amount(found, main, request)
    quantity = roles.find_quantity(c for c in free_columns(found, main) if c.name != amount.name)
    units = quantity or _small_whole(found, main, amount)
    found.used.add(amount.name)
    _declare(found, amount)
    sql = amount.reader or plain_or_quoted(amount.name)
    found.reasons["amount"] = f"{amount.name} is {_described(amount)}"
    times = not request.amount and units and _is_price_of_unit(spark, main, amount, units)
    if times and units:
        found.amount = unused("value", taken)
        found.columns[found.amount] = f"{units.reader or plain_or_quoted(units.name)} * {sql}"
        _declare(found, units)
        found.reasons["amount"] = (
            f"{amount.name} looks like the price of one unit and {units.name} like their number, "
            f"so a row is worth their product (else: --amount {amount.name})"
        )
    elif amount.reader or not main.has_header:
        found.amount = unused("amount", taken)
        found.columns[found.amount] = sql
    else:
        found.amount = amount.name
    found.returns = bool(amount.negatives or (times and units and units.negatives))
    others = [
        c.name for c in roles.find_amounts(free_columns(found, main)) if c.name != amount.name
    ]
    if others and not request.amount:
        found.reasons["amount"] += f". It may also be {', '.join(others[:3])}: --amount COLUMN"


def _chosen_amount(found: EventRoles, main: TableProfile, request: Request) -> ColumnProfile:
    if request.amount:
        return named_column(main, request.amount, "--amount")
    amounts = roles.find_amounts(free_columns(found, main))
    if amounts:
        return amounts[0]
    numbers = [c for c in free_columns(found, main) if c.sort == "number" and not c.is_constant]
    nameless = None if main.has_header else roles.find_amount_without_names(numbers)
    if nameless:
        return nameless
    hint = f"Numbers are in {roles.near(numbers)}." if numbers else "No other column has numbers."
    raise DraftError(
        f"No column of {main.name} looks like the value of an event. {hint} Name it, or give SQL "
        f'such as "Quantity * UnitPrice": --amount COLUMN.'
    )


def _is_price_of_unit(
    spark: SparkSession, main: TableProfile, amount: ColumnProfile, units: ColumnProfile
) -> bool:
    """Whether the value is that of one unit: by its name, else if two cost no more than one."""
    if roles.is_total(amount) or roles.is_unit_price(amount):
        return roles.is_unit_price(amount)
    rows = read_table(spark, main.name, main.table)
    number = F.expr(units.reader) if units.reader else parse_number(rows, units.name)
    price = F.expr(amount.reader) if amount.reader else parse_number(rows, amount.name)
    one, two = rows.agg(
        *[F.percentile_approx(F.when(number == n, price), 0.5) for n in (1, 2)]
    ).collect()[0]
    return bool(one and two and two < _LINE_TOTAL * one)


def _small_whole(
    found: EventRoles, main: TableProfile, amount: ColumnProfile
) -> ColumnProfile | None:
    """A column named like money that counts units, as AMOUNT next to SALES_PRICE."""
    others = [c for c in roles.find_amounts(free_columns(found, main)) if c.name != amount.name]
    return next((c for c in others if roles.looks_like_units(c)), None)


def _declare(found: EventRoles, c: ColumnProfile) -> None:
    if c.type and not c.reader:
        found.types[c.name] = c.type


def _described(c: ColumnProfile) -> str:
    parts = ["a whole number" if c.whole else "a number with decimals"]
    if c.negatives:
        parts.append(f"negative in {c.negatives / max(c.filled, 1):.1%} of the rows (returns)")
    if c.filled < c.rows:
        parts.append(f"missing in {c.missing:.1%}")
    return ", ".join(parts)
