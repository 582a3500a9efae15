"""Writes the part of the page that says what was read: rows, types, joins, quarantine, windows."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.monitoring.data_report.statistics import DataReport
from pipelines.rendering import Block, Heading, Table, Text


def reading(report: DataReport) -> Iterator[Block]:
    """Tables of what only the build knows."""
    build, counts = report.build, report.build.counts
    yield Heading(2, "What was read")
    names = {"events": "good events", "samples": "samples", "quarantined": "rows quarantined"}
    names |= {"incomplete": "samples left out, whose label window has not ended"}
    names |= {"vanished": "customers without a good row"}
    rows = [[title, f"{counts[name]:,}"] for name, title in names.items() if name in counts]
    yield Table(["", "rows"], rows)
    types = [
        [table, c, kind] for table, columns in build.types.items() for c, kind in columns.items()
    ]
    if types:
        yield Table(["table", "column of text", "read as"], types)
    if build.joins:
        rows = [
            [
                join.table,
                ", ".join(join.by),
                f"{join.rows:,}",
                f"{join.matched:,}",
                f"{join.matched / max(join.rows, 1):.1%}",
                f"as of {join.valid_from}" if join.valid_from else "as it is now",
                join.note or "",
            ]
            for join in build.joins
        ]
        header = ["join with", "by", "rows", "with a partner", "share", "known", "note"]
        yield Table(header, rows, texts=[6])
    if build.quarantine:
        value = build.value or 0.0
        rows = [
            [
                quarantined.reason,
                quarantined.stage,
                f"{quarantined.rows:,}",
                quarantined.example or "",
                f"{quarantined.value:,.0f}" if quarantined.value else "",
                f"{quarantined.value / (value + quarantined.value):.1%}"
                if quarantined.value
                else "",
            ]
            for quarantined in build.quarantine
        ]
        header = ["quarantined", "stage", "rows", "shape of one", "value, by a guess", "share"]
        yield Table(header, rows)
    else:
        yield Text("No row was quarantined.")
    yield from _windows(report)


def _windows(report: DataReport) -> Iterator[Block]:
    windows = report.build.windows
    if windows is None:
        return
    yield Heading(2, "Windows")
    first = report.periods[0].first if report.periods else windows.first_event
    last = report.periods[-1].last if report.periods else windows.last_event
    yield Text(
        f"Events are of {windows.first_event} to {windows.last_event}. Label windows of "
        f"{windows.horizon_days} days end by {windows.complete_until}: {windows.why}. Samples are "
        f"of {first} to {last}; {windows.incomplete:,} more were left out, whose window has not "
        f"ended."
    )
    if windows.history:
        known = windows.days_known(first)
        rows = [
            [
                name,
                f"{days:,}",
                "whole" if days <= known else f"{known:,} days are known at {first}",
            ]
            for name, days in windows.history.items()
        ]
        yield Table(["history window", "reaches back [days]", "at the first date"], rows)
