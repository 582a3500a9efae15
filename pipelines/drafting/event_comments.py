"""Writes the comments of a draft of transactions: what each part is guessed from."""

from __future__ import annotations

from pipelines.drafting.calendar import Calendar
from pipelines.drafting.document import Document
from pipelines.drafting.event_features import EventFeatures
from pipelines.drafting.event_roles import EventRoles
from pipelines.drafting.joins import Joins


def explain_events(
    document: Document,
    found: EventRoles,
    joins: Joins,
    calendar: Calendar,
    features: EventFeatures,
) -> None:
    """Add the comments.

    Args:
        document: the draft.
        found: the roles, and why.
        joins: the tables that are joined.
        calendar: the dates.
        features: the features.
    """
    reasons, explain = found.reasons, document.explain
    explain(f"{reasons['id']} (--id).", "id")
    for name in found.entity[1:]:
        explain(f"{reasons[f'id.{name}']}.", "id")
    explain("All samples of a customer go to one split.", "split_key")
    for place, one in enumerate(joins.joined):
        explain(
            f"{one.table.name} has one row for each {', '.join(one.by)}; {one.matched:.1%} of the "
            f"rows have a partner. It is read as it is now: join only what was known then.",
            *("source", "joins", str(place)),
        )
    if "where" in reasons:
        explain(f"{reasons['where']}: they are left out.", "source", "where")
    explain(f"{reasons['amount']} (--amount).", "source", "amount")
    explain(f"{reasons['time']} (--time).", "source", "timestamp")
    if calendar.every:
        explain(
            f"{calendar.known} days are known before the first date. Without end, the series runs "
            f"to the last date whose label has ended, so that each training finds new samples.",
            *("source", "snapshots"),
        )
    else:
        explain(
            f"{calendar.known} days are known before the first sample. Without end, samples are "
            f"taken to the last day whose label has ended (--kind snapshots scores everybody).",
            *("source", "first_purchase"),
        )
    explain(f"The data have {calendar.days:,} days (--horizon).", *("source", "horizon_days"))
    for table, setting in document.content["source"]["tables"].items():
        if "types" in setting:
            why = "Text in the file, whose values can be read as this."
            explain(why, "source", "tables", table, "types")
        if setting.get("options", {}).get("header") is False:
            explain("The file has no header: these are names.", "source", "columns")
    if found.returns:
        explain("Returns may exceed what is bought.", "source", "label_floor")
    if "order" in reasons:
        explain(f"{reasons['order']}.", "source", "history", "0")
    if features.attributes:
        explain("Of the first day; the largest amount stands for the day.", "source", "attributes")
