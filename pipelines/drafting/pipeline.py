"""Drafts a data set's YAML from its tables."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import SparkSession

from optdist.log import LOG
from pipelines.drafting import roles
from pipelines.drafting.checking import Check
from pipelines.drafting.document import Document
from pipelines.drafting.events import is_table_of_events
from pipelines.drafting.files import table_of
from pipelines.drafting.joins import find_joins
from pipelines.drafting.profile import TableProfile, profile_table
from pipelines.drafting.request import DraftError, Kind, Request
from pipelines.drafting.table_samples import draft_samples
from pipelines.drafting.transactions import draft_transactions
from pipelines.sources.formats.registry import explain_read_errors


@explain_read_errors()
def draft_dataset(spark: SparkSession, request: Request, check: Check) -> Document:
    """Draft a data set's YAML, which the jobs run as it is.

    Args:
        spark: the session.
        request: the tables, and what the user gives.
        check: reads a document as the jobs will.

    Raises:
        DataError: a table cannot be read.
        DraftError: a role is not found; the message names near columns and the flag.
    """
    tables: list[TableProfile] = []
    for argument in request.tables:
        name, written, table = table_of(argument, request, check)
        if name in {one.name for one in tables}:
            raise DraftError(f"Two tables are called {name}. Name them: NAME=PATH.")
        LOG.info(f"  reads {name}: {written.path}")
        tables.append(profile_table(spark, name, written, table))
        LOG.info(f"    {tables[-1].rows:,} rows, {len(tables[-1].columns)} columns")
    main = _main_table(tables, request)
    others = [table for table in tables if table is not main]
    if others:
        LOG.info(f"  looks how the other tables join {main.name}")
    joins = find_joins(spark, main, others)
    kind = request.kind or _kind(main, request)
    if kind == "samples":
        document = draft_samples(spark, request, main, joins, check)
    else:
        document = draft_transactions(
            spark, request, main, joins, check, first_purchase=kind == "first_purchase"
        )
    _head(document, tables, kind)
    return document


def _main_table(tables: list[TableProfile], request: Request) -> TableProfile:
    """The first table with what the flags name, else of events, else with one row for each id."""
    named = {name.lower() for name in (*request.id, request.time, request.label) if name}
    tables = [t for t in tables if named <= {name.lower() for name in t.columns}] or tables
    if request.kind != "samples" and not request.label:
        for table in tables:
            if is_table_of_events(table):
                return table
    return next((t for t in tables if roles.find_id(t, unique=True)), tables[0])


def _kind(main: TableProfile, request: Request) -> Kind:
    if request.label:
        return "samples"
    if request.time or request.amount or is_table_of_events(main):
        return "snapshots"
    customer, time = roles.find_id(main, unique=True), roles.find_time(main)
    if customer is None and (roles.find_id(main, unique=False) or time):
        return "snapshots"  # which says what is missing
    if customer and time and not any(map(roles.is_surely_label, roles.find_labels(main))):
        raise DraftError(
            f"Each {customer.name} of {main.name} is there once, so nobody comes back and there is "
            f"no past to learn from. If each row is a sample with a label: --kind samples --label "
            f"COLUMN; if another column names the customer: --id COLUMN."
        )
    return "samples"


def _head(document: Document, tables: Sequence[TableProfile], kind: Kind) -> None:
    """The comments at the beginning: where it comes from, whether the data suffice, what is out."""
    listed = ", ".join(f"{t.name} ({t.rows:,} rows)" for t in tables)
    document.head += [
        f"Drafted by jobs/draft.py from {listed}. Each line is a guess to check; comments say what "
        f"from, and which flag changes it (--kind {kind}).",
        "",
        "Do the data suffice?",
        *(f"- {fact}." for fact in document.facts),
        *(f"- WARNING: {doubt}." for doubt in document.doubts),
    ]
    copies = [t for t in tables if t.different < 0.97 * t.rows]
    document.notes += [
        f"About {t.rows - t.different:,} of {t.rows:,} rows of {t.name} are copies of others: if "
        f"they are no purchases of their own, remove them first."
        for t in copies
    ]
    if document.notes:
        document.head += ["", "Look at:", *(f"- {note}" for note in document.notes)]
