"""Draws the figures of a model card, narrow enough to be read on a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipelines.registry.card.statistics import Group

WIDTH = 520  # of a figure on the page [CSS pixels]
_INCHES = 5.2
_COLOURS = {"test": "#009e73", "out_of_time": "#cc79a7"}


def reliability(groups: Mapping[str, Sequence[Group]]) -> Figure:
    """Mean label against mean prediction of each tenth, by split, on logarithmic scales."""
    figure = Figure(figsize=(_INCHES, 4.2), layout="constrained")
    axes = figure.subplots()
    shown = [g for tenths in groups.values() for g in tenths if g.actual > 0 and g.predicted > 0]
    ends = [value for g in shown for value in (g.actual, g.predicted)] or [1.0]
    line = [min(ends), max(ends)]
    axes.plot(line, line, color="#888", lw=1, label="predicted = actual")
    for split, tenths in groups.items():
        some = [g for g in tenths if g.actual > 0 and g.predicted > 0]
        x, y = [g.predicted for g in some], [g.actual for g in some]
        below = [max(g.actual - max(g.low, g.actual * 1e-3), 0) for g in some]
        above = [max(g.high - g.actual, 0) for g in some]
        axes.errorbar(
            x,
            y,
            [below, above],
            fmt="o",
            ms=4,
            capsize=2,
            color=_COLOURS[split],
            label=_name(split),
        )
    axes.set(xscale="log", yscale="log", xlabel="mean prediction (currency)")
    axes.set_ylabel("mean label (currency)")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9)
    return figure


def over_time(groups: Mapping[str, Sequence[Group]]) -> Figure:
    """Mean label and prediction, their ratio and Norm-GINI by date and split."""
    figure = Figure(figsize=(_INCHES, 5.6), layout="constrained")
    upper, middle, lower = figure.subplots(3, 1, sharex=True)
    names = sorted({group.name for dates in groups.values() for group in dates})
    for split, dates in groups.items():
        x, colour = [names.index(group.name) for group in dates], _COLOURS[split]
        upper.plot(x, [g.actual for g in dates], "o-", ms=3, color=colour, label=_name(split))
        upper.plot(x, [g.predicted for g in dates], "x--", ms=4, lw=1, color=colour)
        middle.plot(x, [_number(g.ratio) for g in dates], "o-", ms=3, color=colour)
        lower.plot(x, [_number(g.gini) for g in dates], "o-", ms=3, color=colour)
    middle.axhline(1, color="#888", lw=1)
    for axes, name in (
        (upper, "mean label (o)\nand prediction (x)"),
        (middle, "predicted / actual"),
        (lower, "Norm-GINI"),
    ):
        axes.set_ylabel(name, fontsize=9)
        axes.grid(alpha=0.3)
    upper.legend(frameon=False, fontsize=9)
    step = max(1, len(names) // 8)
    ticks = range(0, len(names), step)
    lower.set_xticks(ticks, [names[i][:10] for i in ticks], rotation=45, ha="right", fontsize=8)
    return figure


def shares(groups: Sequence[Group]) -> Figure:
    """The share of rows that each network predicts."""
    figure = Figure(figsize=(_INCHES, 0.9 + 0.3 * len(groups)), layout="constrained")
    axes = figure.subplots()
    total = sum(group.rows for group in groups)
    axes.barh([g.name for g in groups], [g.rows / total for g in groups], color="#0072b2")
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("share of the test rows")
    axes.invert_yaxis()
    return figure


def _name(split: str) -> str:
    return split.replace("_", " ")


def _number(value: float | None) -> float:
    return np.nan if value is None else value
