"""Drafts a data set of transactions: roles, dates, history, and whether the events suffice."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql import SparkSession

from optdist.log import LOG
from pipelines.drafting import roles
from pipelines.drafting.calendar import Calendar, choose_first_purchases, choose_snapshots
from pipelines.drafting.changes import known_changes
from pipelines.drafting.checking import Check
from pipelines.drafting.common import (
    explain_training,
    left_out,
    log_scaled,
    tables_setting,
    training_setting,
)
from pipelines.drafting.document import Document
from pipelines.drafting.event_comments import explain_events
from pipelines.drafting.event_features import (
    EventFeatures,
    Material,
    first_purchase_features,
    snapshot_features,
)
from pipelines.drafting.event_roles import EventRoles
from pipelines.drafting.events import find_event_roles
from pipelines.drafting.joined_changes import explain_changes, join_changes
from pipelines.drafting.joins import Joins
from pipelines.drafting.names import points
from pipelines.drafting.profile import ColumnProfile, TableProfile
from pipelines.drafting.request import DraftError, Request
from pipelines.drafting.sufficiency import (
    count_events,
    count_samples,
    judge_events,
    judge_splits,
)
from pipelines.drafting.suspects import Suspects, find_suspects
from pipelines.sources.formats.names import plain_or_quoted
from pipelines.sources.own_columns import ADDED

_CALENDAR_WORDS = dict.fromkeys(("week", "month", "year", "day", "hour", "quarter"), 1)
_ANY_DAY = dt.date(2000, 1, 1)


def draft_transactions(
    spark: SparkSession,
    request: Request,
    main: TableProfile,
    joins: Joins,
    check: Check,
    *,
    first_purchase: bool,
) -> Document:
    """Draft samples at snapshots, or at first purchases.

    Args:
        spark: the session.
        request: what the user gives.
        main: the table of events.
        joins: the tables that are joined to it.
        check: reads a document as the jobs will.
        first_purchase: samples at first purchases rather than at snapshots.

    Raises:
        DraftError: a role is not found, or the events are too few.
    """
    added = joins.columns()
    found = find_event_roles(spark, main, request, added)
    if first_purchase:
        _require_value(found, main)
    suspects = find_suspects(
        [*main.columns.values(), *added], [*found.used, *_keys(joins)], of_samples=False
    )
    material = _material(found, main, added, suspects)
    base = _base(request, main, joins, found, material)
    LOG.info("  counts customers and their days")
    trial = {"first_purchase": {"start": _ANY_DAY}}
    counts = count_events(spark, check(_tiny(base, trial, 1)), found.customer)
    if counts.range is None:
        reasons = ", ".join(str(reason) for reason in counts.bad)
        raise DraftError(
            f"No event of {main.name} has a customer, a time and a value ({reasons}). Name other "
            f"columns: --id, --time or --amount."
        )
    if not counts.repeated:
        raise DraftError(
            f"None of {counts.customers:,} customers of {main.name} ({found.customer}) has "
            f"purchases on two days, so there is no later spend to predict. Name another column: "
            f"--id; or, if each row is a sample with a label: --kind samples --label COLUMN."
        )
    first, last = counts.range
    if first_purchase:
        calendar = choose_first_purchases(first, last, request.horizon_days, request.start)
        features = first_purchase_features(material, calendar)
        dates: dict[str, Any] = {"first_purchase": {"start": calendar.start}}
    else:
        calendar = choose_snapshots(
            first, last, counts.customers, request.horizon_days, request.start
        )
        features = snapshot_features(material, calendar)
        dates = {"snapshots": {"start": calendar.start, "every": calendar.every}}
    LOG.info("  counts samples and positive labels")
    by_split = count_samples(spark, check(_tiny(base, dates, calendar.horizon)))
    changes = known_changes(joins.changes, found.entity, calendar.latest)
    join_changes(base, features, changes)
    document = Document(_content(base, dates, calendar, features, returns=found.returns))
    document.content |= training_setting(by_split)
    events, splits = judge_events(counts, calendar), judge_splits(by_split)
    document.facts = [*events.facts, *splits.facts]
    document.doubts = [*events.doubts, *splits.doubts]
    limit = check(str(document)).build.max_quarantined_share
    if counts.bad_share > limit:
        document.doubts.append(
            f"the feature job will stop, for build.max_quarantined_share allows {limit:.1%} of bad "
            f"rows: convert them in source.columns, or leave them out in source.where"
        )
    explain_events(document, found, joins, calendar, features)
    explain_changes(document, changes, len(joins.joined))
    explain_training(document)
    used = tuple(f"{one.table.name} is not joined" for one in changes)
    notes = [note for note in joins.notes if not note.startswith(used)]
    document.notes += [*left_out(suspects), *suspects.notes, *notes]
    return document


def _require_value(found: EventRoles, main: TableProfile) -> None:
    """Leave out rows without a value: a gift is no first purchase."""
    amount = main.columns.get(found.amount)
    if amount is None or not amount.zeros or found.returns:
        return
    condition = f"{plain_or_quoted(found.amount)} > 0"
    found.where = f"{condition} AND {found.where}" if found.where else condition
    why = f"{amount.zeros:,} rows have the value 0, which is no purchase"
    found.reasons["where"] = "; ".join([why, *filter(None, [found.reasons.get("where")])])


def _keys(joins: Joins) -> set[str]:
    return {name for one in joins.joined for name in one.by}


def _material(
    found: EventRoles, main: TableProfile, added: list[ColumnProfile], suspects: Suspects
) -> Material:
    """The columns that features are made of."""
    free = [c for c in main.columns.values() if c.name not in found.used]
    own, joined = (
        [c for c in suspects.without(columns) if c.name.lower() not in ADDED]
        for columns in (free, added)
    )
    return Material(
        found,
        numbers=[c for c in own if _is_number(c)],
        categories=[c for c in (*own, *joined) if roles.is_category(c)],
        joined_numbers=[c for c in joined if _is_number(c)],
    )


def _is_number(c: ColumnProfile) -> bool:
    calendar = points(c.name, _CALENDAR_WORDS) > 0
    return c.sort == "number" and not roles.is_category(c) and not calendar and not c.reader


def _base(
    request: Request, main: TableProfile, joins: Joins, found: EventRoles, material: Material
) -> dict[str, Any]:
    """The document without dates and features."""
    numbers = [*material.numbers, *material.joined_numbers]
    types = found.types | {c.name: c.type for c in numbers if c.type}
    source: dict[str, Any] = {
        "kind": "transactions",
        "tables": tables_setting(main, [one.table for one in joins.joined], types),
    }
    if joins.joined:
        source["joins"] = [one.setting for one in joins.joined]
    if found.columns:
        source["columns"] = dict(found.columns)
    if found.where:
        source["where"] = found.where
    return {
        "name": request.name or main.name,
        "id": found.entity,
        "split_key": [found.customer],
        "source": source | {"amount": found.amount, "timestamp": found.time},
    }


def _tiny(base: dict[str, Any], dates: dict[str, Any], horizon: int) -> str:
    """The document with one feature, to count with."""
    cut = "snapshot_date" if "snapshots" in dates else "first_day"
    floor = {"label_floor": 0}
    made = {"horizon_days": horizon, "sample_columns": {"weekday_of_cut": f"dayofweek({cut})"}}
    source = base["source"] | dates | floor | made
    features = {"categorical": ["weekday_of_cut"]}
    return str(Document(base | {"source": source, "features": features}))


def _content(
    base: dict[str, Any],
    dates: dict[str, Any],
    calendar: Calendar,
    features: EventFeatures,
    *,
    returns: bool,
) -> dict[str, Any]:
    source = dict(base["source"])
    if features.columns:
        source = _with_columns(source, features.columns)
    source |= dates | {"horizon_days": calendar.horizon}
    if returns:
        source["label_floor"] = 0
    if features.attributes:
        source["attributes"] = features.attributes
    source["history"] = features.history
    if features.sample_columns:
        source["sample_columns"] = features.sample_columns
    since = "from a date on" if calendar.every else "after the first purchase"
    return {
        "name": base["name"],
        "description": f"Spend of {', '.join(base['id'])} in the {calendar.horizon} days {since}",
        "id": base["id"],
        "split_key": base["split_key"],
        "source": source,
        "features": {
            "categorical": features.categorical,
            "numeric": log_scaled(features.numeric),
        },
    }


def _with_columns(source: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    """The source with more derived columns, in the place where derived columns stand."""
    made: dict[str, Any] = {}
    for key, value in source.items():
        if key in {"where", "amount"} and "columns" not in made:
            made["columns"] = source.get("columns", {}) | columns
        if key != "columns":
            made[key] = value
    return made
