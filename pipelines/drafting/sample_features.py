"""Drafts the source and the features of a table whose rows are samples already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipelines.drafting import roles
from pipelines.drafting.names import NOT_MONEY, TOTAL, points, unused
from pipelines.drafting.profile import ColumnProfile, TableProfile
from pipelines.drafting.request import DraftError, Request
from pipelines.sources.formats.names import plain_or_quoted as sql

_SKEWED = 10  # times the mean that a largest value is, from which its logarithm is taken


@dataclass
class SampleRoles:
    """Id and label of samples, and why."""

    id: list[str]
    label: str = ""
    meaning: str = ""  # of the label, in words
    raw_label: str | None = None  # the column of the main table; None: of a joined one
    columns: dict[str, str] = field(default_factory=dict)
    joins: list[dict[str, object]] = field(default_factory=list)
    tables: list[TableProfile] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def find_sample_roles(
    main: TableProfile, children: Sequence[tuple[TableProfile, list[str]]], request: Request
) -> SampleRoles:
    """Id and label of samples: as asked for, else as names and values suggest.

    Args:
        main: the table of samples.
        children: tables with several rows of a key of the main table.
        request: the roles that the user gives.

    Raises:
        DraftError: a role is not found; the message names near columns and the flag.
    """
    label = _given_label(main, request)
    found = SampleRoles(_ids(main, request))
    c = main.columns[found.id[0]]
    found.reasons["id"] = f"{c.name} has about {c.distinct:,} different values in {c.filled:,} rows"
    if label:
        _use_column(found, label, "Given with --label")
    else:
        _guess_label(found, main, children)
    return found


def _given_label(main: TableProfile, request: Request) -> ColumnProfile | None:
    columns = {name.lower(): c for name, c in main.columns.items()}
    if request.label and request.label.lower() not in columns:
        raise DraftError(
            f"--label names {request.label}, which is no column of {main.name}. Found: "
            f"{', '.join(main.columns)}."
        )
    return columns[request.label.lower()] if request.label else None


def _ids(main: TableProfile, request: Request) -> list[str]:
    names = {name.lower(): name for name in main.columns}
    wrong = [name for name in request.id if name.lower() not in names]
    if wrong:
        raise DraftError(
            f"--id names {', '.join(wrong)}, which is no column of {main.name}. Found: "
            f"{', '.join(main.columns)}."
        )
    if request.id:
        return [names[name.lower()] for name in request.id]
    c = roles.find_id(main, unique=True)
    if c is None:
        codes = sorted((c for c in main.columns.values() if c.is_code), key=lambda c: -c.distinct)
        raise DraftError(
            f"No column of {main.name} names a sample: is there once in each of {main.rows:,} rows "
            f"and looks like an id. Columns that may be: {roles.near(codes)}. Name it: --id COLUMN "
            f"(several: --id A,B). If the rows are events of customers who come back: --kind "
            f"snapshots --time COLUMN."
        )
    return [c.name]


def _guess_label(
    found: SampleRoles,
    main: TableProfile,
    children: Sequence[tuple[TableProfile, list[str]]],
) -> None:
    labels = [c for c in roles.find_labels(main) if c.name not in found.id]
    child = _child_with_amount(children, found.id)
    if child and not (labels and "label" in labels[0].name.lower()):
        _sum_child(found, main, *child)
        return
    if not labels:
        numbers = [c for c in main.columns.values() if c.sort == "number" and not c.is_constant]
        raise DraftError(
            f"No column of {main.name} looks like a sample's label, what it brought afterwards. "
            f"Numbers are in {roles.near(numbers)}. Name it: --label COLUMN."
        )
    others = ", ".join(c.name for c in labels[1:4])
    more = f". It may also be {others}: --label COLUMN" if others else ""
    _use_column(found, labels[0], f"{labels[0].name} is named like one{more}")


def _use_column(found: SampleRoles, c: ColumnProfile, why: str) -> None:
    found.raw_label, found.label, found.reasons["label"] = c.name, c.name, why
    found.meaning = c.name
    if c.reader:
        found.label = unused("label_value", {c.name.lower()})
        found.columns[found.label] = c.reader
    elif c.type:
        found.types[c.name] = c.type
    if c.missing:
        sql_label = c.reader or sql(c.name)
        found.label = "label_value"
        found.columns[found.label] = f"coalesce({sql_label}, 0)"
        found.reasons["label"] += (
            f"; missing in {c.missing:.1%} of the rows, which are taken for 0: change that where "
            f"missing means unknown"
        )


def _child_with_amount(
    children: Sequence[tuple[TableProfile, list[str]]], ids: list[str]
) -> tuple[TableProfile, list[str], ColumnProfile] | None:
    """The first table with several rows of an id and a value."""
    for table, by in children:
        others = [c for n, c in table.columns.items() if n.lower() not in map(str.lower, by)]
        amounts = [c for c in roles.find_amounts(others) if points(c.name, TOTAL, NOT_MONEY) > 0]
        if amounts and {n.lower() for n in by} == {n.lower() for n in ids}:
            return table, by, amounts[0]
    return None


def _sum_child(
    found: SampleRoles, main: TableProfile, child: TableProfile, by: list[str], c: ColumnProfile
) -> None:
    taken = {name.lower() for name in main.columns}
    total, label = unused(f"{child.name}_total", taken), unused("label_value", taken)
    number = c.reader or (f"cast({sql(c.name)} AS double)" if c.is_text else sql(c.name))
    found.tables.append(child)
    found.joins.append(
        {"table": child.name, "by": by, "how": "left", "aggregate": {total: f"sum({number})"}}
    )
    found.columns[label] = f"coalesce({total}, 0)"
    found.label, found.meaning = label, f"Sum of {c.name}"
    found.reasons["label"] = (
        f"The sum of {child.name}.{c.name} of each {', '.join(by)}, 0 without any (else: --label "
        f"COLUMN of {main.name})"
    )


def is_skewed(c: ColumnProfile) -> bool:
    """Whether a number is not negative and has a long tail, so that its logarithm is better."""
    if c.low is None or c.high is None or c.mean is None or c.negatives:
        return False
    return c.high > _SKEWED * max(c.mean, 1e-9)
