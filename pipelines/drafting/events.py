"""Says what an event of transactions is: whose, when, worth what, and of which order."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import SparkSession

from pipelines.drafting import roles
from pipelines.drafting.amounts import set_amount
from pipelines.drafting.event_roles import EventRoles, free_columns, named_column
from pipelines.drafting.names import unused
from pipelines.drafting.profile import ColumnProfile, TableProfile
from pipelines.drafting.request import DraftError, Request
from pipelines.sources.columns import NO_ID
from pipelines.sources.formats.names import plain_or_quoted


def is_table_of_events(table: TableProfile) -> bool:
    """Whether a table has times, values, and ids that come back."""
    customer = roles.find_id(table, unique=False)
    if customer is None or roles.find_time(table) is None:
        return False
    others = [c for c in table.columns.values() if c.name != customer.name]
    amount = roles.find_amounts(others) or not table.has_header
    return bool(amount) and customer.repeats >= roles.LEAST_REPEATS


def find_event_roles(
    spark: SparkSession,
    main: TableProfile,
    request: Request,
    joined: Sequence[ColumnProfile] = (),
) -> EventRoles:
    """The roles of a table's columns, as asked for, else as names and values suggest.

    Args:
        spark: the session.
        main: the table of events.
        request: the roles that the user gives.
        joined: the columns of joined tables, which may name a part of the id.

    Raises:
        DraftError: a role is not found; the message names near columns and the flag.
    """
    taken = {name.lower() for name in (*main.columns, *(c.name for c in joined))}
    found = EventRoles([], "", "", None, False, None)
    _set_entity(found, main, request, taken, joined)
    _set_time(found, main, request, taken)
    set_amount(spark, found, main, request, taken)
    customer = main.columns.get(_raw(found, found.customer))
    order = customer and roles.find_order(free_columns(found, main), customer)
    if order:
        found.order = order.name
        found.used.add(order.name)
        found.reasons["order"] = (
            f"An order is a value of {order.name}: about {order.distinct:,} in {order.filled:,} "
            f"rows"
        )
    return found


def _set_entity(
    found: EventRoles,
    main: TableProfile,
    request: Request,
    taken: set[str],
    joined: Sequence[ColumnProfile],
) -> None:
    others = {c.name.lower(): c for c in joined}
    names = [others.get(name.lower()) or named_column(main, name, "--id") for name in request.id]
    if not names:
        customer = roles.find_id(main, unique=False)
        if customer is None:
            many = [c for c in main.columns.values() if c.is_code and not c.is_constant]
            raise DraftError(
                f"No column of {main.name} looks like a customer's id that comes back. Columns "
                f"that may be: {roles.near(sorted(many, key=lambda c: -c.distinct))}. Name it: "
                f"--id COLUMN."
            )
        names = [customer]
    conditions = []
    for place, c in enumerate(names):
        name = c.name
        if not main.has_header and name.startswith("_c"):
            name = unused("customer" if place == 0 else f"id_{place + 1}", taken)
            found.columns[name] = plain_or_quoted(c.name)
        found.entity.append(name)
        found.used |= {c.name, name}
        conditions += _is_named(name, c, is_joined=c.name.lower() in others)
        key = "id" if place == 0 else f"id.{name}"
        found.reasons[key] = (
            f"{c.name} has about {c.distinct:,} different values in {c.filled:,} rows"
            + ("" if request.id else ", so it is taken for the customer")
        )
    found.where = " AND ".join(conditions) or None
    first = names[0]
    if first.named < first.rows:
        found.reasons["where"] = (
            f"{first.rows - first.named:,} of {first.rows:,} rows "
            f"({1 - first.named / first.rows:.1%}) have no {found.customer}"
        )


def _is_named(name: str, c: ColumnProfile, *, is_joined: bool) -> list[str]:
    """The conditions that leave out rows without this id."""
    sql, conditions = plain_or_quoted(name), []
    if c.filled < c.rows or is_joined:  # a row without a partner has none
        conditions.append(f"{sql} IS NOT NULL")
    if c.named < c.filled and c.is_text:
        words = ", ".join("'" + word.replace("\\", "\\\\") + "'" for word in NO_ID)
        conditions.append(f"lower(trim({sql})) NOT IN ({words})")
    elif c.named < c.filled:
        conditions.append(f"NOT isnan({sql})")
    return conditions


def _set_time(found: EventRoles, main: TableProfile, request: Request, taken: set[str]) -> None:
    if request.time and request.time.lower() not in taken:
        found.time = unused("event_time", taken)
        found.columns[found.time] = request.time
        found.reasons["time"] = "Given with --time"
        return
    time = named_column(main, request.time, "--time") if request.time else roles.find_time(main)
    if time is None:
        times = [c for c in main.columns.values() if c.sort == "time"]
        hint = f"Dates are in {roles.near(times)}." if times else "No column has dates."
        raise DraftError(
            f"No column of {main.name} looks like the time of an event. {hint} Name it, or give "
            f"SQL that makes one: --time COLUMN. If each row is a sample with a label: --kind "
            f"samples --label COLUMN."
        )
    found.used.add(time.name)
    found.time = time.name
    written = time.reader or (plain_or_quoted(time.name) if time.name.startswith("_c") else None)
    if written and (time.reader or not main.has_header):
        found.time = unused("day" if "to_date" in written else "event_time", taken)
        found.columns[found.time] = written
    if time.type and not time.reader:
        found.types[time.name] = time.type
    found.reasons["time"] = f"{time.name} has about {time.distinct:,} different dates or times" + (
        f", read by {time.reader}" if time.reader else ""
    )


def _raw(found: EventRoles, name: str) -> str:
    return found.columns.get(name, name)
