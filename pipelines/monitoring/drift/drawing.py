"""Draws drift over time, narrow enough to be read on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.monitoring.data_report.drawing import short
from pipelines.monitoring.drift.rows import DriftRow

WIDTH = 520  # of a figure on the page [CSS pixels]
_INCHES = 5.2
_BLUE, _RED, _ORANGE = "#0072b2", "#d55e00", "#e69f00"
_MOST_NAMES = 30  # columns in one figure


def over_time(rows: Sequence[DriftRow], scores: Sequence[DriftRow]) -> Figure:
    """Rows, and mean and 95% quantile of the scores, by date; red where a check failed."""
    figure = Figure(figsize=(_INCHES, 4.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    dates = [row.date for row in rows]
    upper.plot(range(len(rows)), [row.rows for row in rows], "o-", ms=3, color=_BLUE)
    for place, row in enumerate(rows):
        if row.failed or row.accepted:
            upper.plot(place, row.rows, "o", ms=6, color=_RED if row.failed else _ORANGE)
    upper.set_ylabel("rows")
    places = {date: place for place, date in enumerate(dates)}
    known = [row for row in scores if row.date in places]
    for name, values in (
        ("mean", [row.mean for row in known]),
        ("95% quantile", [row.q95 for row in known]),
    ):
        lower.plot([places[row.date] for row in known], values, "o-", ms=3, label=name)
    lower.set_ylabel("prediction")
    lower.legend(frameon=False, fontsize=9)
    for axes in (upper, lower):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    _dates(lower, dates)
    return figure


def heat(values: Mapping[str, Sequence[float]], dates: Sequence[str], title: str) -> Figure:
    """A value of each column by date, the largest first.

    Args:
        values: column -> value at each date, NaN where it is not known.
        dates: ascending.
        title: of the value.
    """
    names = sorted(values, key=lambda name: -np.nanmax([*values[name], 0.0]))[:_MOST_NAMES]
    figure = Figure(figsize=(_INCHES, 1.2 + 0.24 * len(names)), layout="constrained")
    axes = figure.subplots()
    grid = np.array([values[name] for name in names], float)
    image = axes.imshow(grid, aspect="auto", cmap="OrRd", vmin=0, vmax=0.5)
    axes.set_yticks(range(len(names)), [short(name) for name in names], fontsize=9)
    _dates(axes, dates)
    figure.colorbar(image, ax=axes, extend="max", label=title)
    return figure


def _dates(axes: Axes, dates: Sequence[str]) -> None:
    step = max(1, -(-len(dates) // 12))
    axes.set_xticks(range(0, len(dates), step), dates[::step], rotation=60, ha="right", fontsize=8)
