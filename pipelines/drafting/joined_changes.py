"""Joins tables that change over time to a draft's samples, as they were known at each cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.drafting.changes import Changes
from pipelines.drafting.common import tables_setting
from pipelines.drafting.document import Document
from pipelines.drafting.event_features import EventFeatures
from pipelines.drafting.suspects import find_suspects
from pipelines.sources.own_columns import ADDED


def join_changes(base: dict[str, Any], features: EventFeatures, changes: Sequence[Changes]) -> None:
    """Add the joins to a document without dates, and the tables' columns to the features.

    Args:
        base: the document.
        features: of samples.
        changes: the tables.
    """
    source = base["source"]
    taken = {name.lower() for name in (*base["id"], *features.attributes, *features.sample_columns)}
    for one in changes:
        types = {c.name: c.type for c in one.table.columns.values() if c.type}
        source["tables"] |= tables_setting(one.table, [], types)
        source["joins"] = [*source.get("joins", []), one.setting]
        suspects = find_suspects(one.columns, of_samples=False)
        free = [c for c in suspects.without(one.columns) if c.name.lower() not in taken | ADDED]
        taken |= {c.name.lower() for c in one.columns}
        features.add_columns(free)


def explain_changes(document: Document, changes: Sequence[Changes], first: int) -> None:
    """Add a comment for each table.

    Args:
        document: the draft.
        changes: the tables.
        first: the place of the first one among the joins.
    """
    for place, one in enumerate(changes, first):
        document.explain(
            f"{one.table.name} has several rows of one {', '.join(one.by)}: each sample gets the "
            f"one that was valid at its cut.",
            *("source", "joins", str(place)),
        )
