"""Puts the page of the drift table together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pipelines.monitoring.drift import drawing
from pipelines.monitoring.drift.rows import ROWS, SCORING, TRAINING, DriftRow
from pipelines.monitoring.gate.scores import SCORE
from pipelines.rendering import Block, Heading, Picture, Table, Text, Warnings, to_html, to_png


def draw_page(rows: Sequence[DriftRow]) -> str:
    """The page as HTML.

    Args:
        rows: of all dates.
    """
    blocks = list(content(rows))
    pictures = {b.name: to_png(b.figure, dpi=200) for b in blocks if isinstance(b, Picture)}
    return to_html(blocks, pictures)


def content(rows: Sequence[DriftRow]) -> Iterator[Block]:
    """The blocks of all sections."""
    yield Heading(1, "Drift over time")
    yield Text(
        "What the gate saw of each scored date and each training: every column against training "
        "and against the date before. Numbers are on the model's scale, in training's standard "
        "deviations from training's mean."
    )
    for kind, title in ((SCORING, "Scored dates"), (TRAINING, "Trainings")):
        own = sorted((row for row in rows if row.kind == kind), key=lambda row: row.date)
        if own:
            yield from _kind(own, title, kind)


def _kind(rows: Sequence[DriftRow], title: str, kind: str) -> Iterator[Block]:
    yield Heading(2, title)
    dates = sorted({row.date for row in rows})
    newest = [row for row in rows if row.date == dates[-1]]
    wrong = [f"**{row.column}**: {row.failed}" for row in newest if row.failed]
    if wrong:
        yield Warnings([f"{dates[-1]} was refused. {'; '.join(wrong)}"])
    totals = [row for row in rows if row.column == ROWS]
    scores = [row for row in rows if row.column == SCORE]
    if kind == SCORING:
        figure = drawing.over_time(totals, scores)
        text = "Rows and predictions by date; red: refused, orange: accepted."
        yield Picture(f"{kind}_dates", text, figure, drawing.WIDTH)
    for suffix, against in (("training", "training"), ("last", "the date before")):
        values = _values(rows, f"psi_{suffix}", dates)
        if values:
            text = f"Stability index of each column against {against}."
            figure = drawing.heat(values, dates, "stability index")
            yield Picture(f"{kind}_psi_{suffix}", text, figure, drawing.WIDTH)
    yield _by_date(rows, dates)
    yield Heading(3, f"Columns at {dates[-1]}")
    header = ["column", "rows", "missing", "unknown", "beyond training", "mean", "deviation",
              "5%", "50%", "95%", "index, training", "index, before", "failed"]  # fmt: skip
    yield Table(header, [_cells(row) for row in newest if row.column != ROWS], texts=[12])


def _by_date(rows: Sequence[DriftRow], dates: Sequence[str]) -> Table:
    lines = []
    for date in reversed(dates):
        own = [row for row in rows if row.date == date]
        total = next((row for row in own if row.column == ROWS), own[0])
        mean = next((row.mean for row in own if row.column == SCORE), None)
        worst = max(own, key=lambda row: row.psi_training or 0.0)
        failed = sorted({name for row in own for name in row.failed.split(", ") if name})
        accepted = sorted({name for row in own for name in row.accepted.split(", ") if name})
        state = f"refused: {', '.join(failed)}" if failed else "passed"
        state += f"; accepted: {', '.join(accepted)}" if accepted else ""
        lines.append(
            [
                date,
                f"{total.rows:,}",
                _number(mean),
                worst.column,
                _number(worst.psi_training),
                state,
            ]
        )
    header = ["date", "rows", "mean prediction", "column farthest from training", "index", "gate"]
    return Table(header, lines, texts=[5])


def _values(rows: Sequence[DriftRow], name: str, dates: Sequence[str]) -> dict[str, list[float]]:
    places = {date: place for place, date in enumerate(dates)}
    values: dict[str, list[float]] = {}
    for row in rows:
        value = getattr(row, name)
        if value is not None:
            values.setdefault(row.column, [math.nan] * len(dates))[places[row.date]] = value
    return values


def _cells(row: DriftRow) -> list[str]:
    shares = [
        "" if share is None else f"{share:.1%}" for share in (row.missing, row.unknown, row.outside)
    ]
    numbers = [row.mean, row.std, row.q05, row.q50, row.q95, row.psi_training, row.psi_last]
    state = row.failed + (f" (accepted: {row.accepted})" if row.accepted else "")
    return [row.column, f"{row.rows:,}", *shares, *map(_number, numbers), state]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.3g}"
