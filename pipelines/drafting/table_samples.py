"""Drafts a data set whose rows are samples: roles, features, leaks, and whether they suffice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.log import LOG
from pipelines.drafting import roles
from pipelines.drafting.checking import Check
from pipelines.drafting.common import (
    explain_training,
    left_out,
    tables_setting,
    training_setting,
)
from pipelines.drafting.document import Document
from pipelines.drafting.joins import Joins
from pipelines.drafting.names import unused
from pipelines.drafting.profile import ColumnProfile, TableProfile
from pipelines.drafting.request import DraftError, Request
from pipelines.drafting.sample_features import SampleRoles, find_sample_roles, is_skewed
from pipelines.drafting.sufficiency import count_samples, judge_splits
from pipelines.drafting.suspects import find_leaks, find_suspects
from pipelines.sources.columns import LABEL, column
from pipelines.sources.inference import infer_types, typed_dataset
from pipelines.sources.joins import read_rows

_FREE_TEXT = 0.5  # different values in a row, from which text is no category
_RESERVED = {"label", "reason", "stage", "split", "row_key", "group_key"}


def draft_samples(
    spark: SparkSession, request: Request, main: TableProfile, joins: Joins, check: Check
) -> Document:
    """Draft a table whose rows are samples.

    Args:
        spark: the session.
        request: what the user gives.
        main: the table of samples.
        joins: the tables that are joined to it.
        check: reads a document as the jobs will.

    Raises:
        DraftError: a role is not found, or no feature is left.
    """
    found = find_sample_roles(main, joins.children, request)
    kept = [*found.id, *([found.raw_label] if found.raw_label else [])]
    kept += [name for one in joins.joined for name in one.by if name in found.id]
    columns = [*main.columns.values(), *joins.columns()]
    suspects = find_suspects(columns, kept, of_samples=True)
    free = [c for c in suspects.without(columns) if c.name not in kept]
    for c in free:
        if c.sort == "text" and c.distinct > _FREE_TEXT * c.filled and c.filled > 100:
            suspects.reasons[c.name] = "is text with a different value in most rows"
        elif c.sort == "time":
            suspects.reasons[c.name] = (
                "is a date: derive a number from it in source.columns, such as a weekday"
            )
    free = suspects.without(free)
    if free:
        LOG.info("  looks for leaks of the label")
        suspects.reasons.update(_leaks(spark, check, request, main, joins, found, free))
        free = suspects.without(free)
    if not free:
        why = "; ".join(f"{name} {reason}" for name, reason in suspects.reasons.items())
        raise DraftError(
            f"No column of {main.name} is left to be a feature: {why}. Join a table that says more "
            f"about {', '.join(found.id)}."
        )
    document = Document(_content(request, main, joins, found, free))
    LOG.info("  counts samples and positive labels")
    tiny = Document(_content(request, main, joins, found, free[:1]))
    splits = count_samples(spark, check(str(tiny)))
    document.content |= training_setting(splits)
    explain_training(document)
    verdict = judge_splits(splits)
    document.facts, document.doubts = verdict.facts, verdict.doubts
    check(str(document))
    _explain(document, found, joins)
    document.notes += [*left_out(suspects), *suspects.notes, *_unused(joins, found)]
    others = [c.name for c in roles.find_labels(main) if c in free]
    if others:
        document.notes.append(
            f"{', '.join(others)} {'are' if others[1:] else 'is'} named like a label too: remove "
            f"what is known only afterwards."
        )
    return document


def _leaks(
    spark: SparkSession,
    check: Check,
    request: Request,
    main: TableProfile,
    joins: Joins,
    found: SampleRoles,
    free: Sequence[ColumnProfile],
) -> dict[str, str]:
    config: Config = check(str(Document(_content(request, main, joins, found, free))))
    dataset = typed_dataset(config.dataset, infer_types(spark, config.dataset))
    rows = read_rows(spark, dataset.source).withColumn(LABEL, column(found.label))
    return find_leaks(rows, [c for c in free if c.name != LABEL])


def _content(
    request: Request,
    main: TableProfile,
    joins: Joins,
    found: SampleRoles,
    free: Sequence[ColumnProfile],
) -> dict[str, Any]:
    categories = [c for c in free if roles.is_category(c)]
    numbers = [c for c in free if c.sort == "number" and c not in categories]
    types = found.types | {c.name: c.type for c in numbers if c.type and not c.reader}
    tables = tables_setting(main, [*(j.table for j in joins.joined), *found.tables], types)
    columns, names = dict(found.columns), {c.name: c.name for c in free}
    taken = {name.lower() for name in (*main.columns, *columns)}
    for c in free:
        if c.reader or c.name.lower() in _RESERVED:
            names[c.name] = unused(f"{c.name}_value", taken)
            columns[names[c.name]] = c.reader or f"`{c.name}`"
    source: dict[str, Any] = {"kind": "samples", "tables": tables}
    if joins.joined or found.joins:
        source["joins"] = [*(one.setting for one in joins.joined), *found.joins]
    if columns:
        source["columns"] = columns
    customer = roles.find_id(main, unique=False)
    group = [customer.name] if customer and not customer.missing else found.id[:1]
    return {
        "name": request.name or main.name,
        "description": f"{found.meaning} of {', '.join(found.id)}",
        "id": found.id,
        "split_key": group,
        "source": source | {"label": found.label},
        "features": {
            "categorical": [names[c.name] for c in categories],
            "numeric": {names[c.name]: {"log1p": True} if is_skewed(c) else {} for c in numbers},
        },
    }


def _explain(document: Document, found: SampleRoles, joins: Joins) -> None:
    document.explain(f"{found.reasons['id']}: it names a sample (--id).", "id")
    document.explain("Rows that agree in it go to one split.", "split_key")
    document.explain(f"{found.reasons['label']}.", "source", "label")
    for place, one in enumerate(joins.joined):
        document.explain(
            f"{one.table.name} has one row for each {', '.join(one.by)}; {one.matched:.1%} of the "
            f"rows have a partner. Join only what was known at the sample's day.",
            *("source", "joins", str(place)),
        )


def _unused(joins: Joins, found: SampleRoles) -> list[str]:
    """The notes of tables that are not joined after all."""
    summed = {table.name for table in found.tables}
    return [note for note in joins.notes if note.split(" ")[0] not in summed]
