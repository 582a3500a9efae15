"""Draws the figures of a backtest, narrow enough to be read on a phone."""

from __future__ import annotations

import datetime as dt

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from optdist.config.metrics import METRICS
from pipelines.backtest.results import CHANCE, OUT, RULE, Backtest, DateResult, Scorer

WIDTH = 520  # of a figure on the page [CSS pixels]
_INCHES = 5.2
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_RED, _GREY = "#c00000", "#777777"
_ALWAYS = ("normalized_gini", "spearman", "total_ratio", "coverage")


def over_time(backtest: Backtest) -> Figure:
    """Metrics by score date with their limits; a filled point is out of sample, a hollow one not.

    Args:
        backtest: the figures of all dates.
    """
    measured = {name for date in backtest.dates for name in date.main.metrics}
    names = [n for n in dict.fromkeys([*_ALWAYS, *backtest.bounds]) if n in measured]
    figure = Figure(figsize=(_INCHES, 0.6 + 1.75 * len(names)), layout="constrained")
    panels = np.atleast_1d(figure.subplots(len(names), 1, sharex=True))
    scorers = list(dict.fromkeys(s.name for date in backtest.dates for s in date.scorers))
    for axes, name in zip(panels, names, strict=True):
        for number, scorer in enumerate(scorers):
            _line(axes, backtest, scorer, name, _COLOURS[number % len(_COLOURS)])
        _limits(axes, backtest, name)
        axes.set_ylabel(METRICS[name].title)
        axes.grid(alpha=0.3)
        axes.margins(y=0.15)
    locator = AutoDateLocator(minticks=3, maxticks=8)
    panels[-1].xaxis.set_major_locator(locator)
    panels[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    panels[-1].set_xlabel("score date")
    if len(backtest.dates) == 1:
        day = _place(backtest.dates[0])
        panels[-1].set_xlim(day - 20, day + 20)
    panels[0].legend(frameon=False, fontsize=9, ncols=2)
    return figure


def deciles(date: DateResult) -> Figure:
    """Mean predicted and realised value in tenths of the rows, the highest predictions first."""
    figure = Figure(figsize=(_INCHES, 3.2), layout="constrained")
    axes = figure.subplots()
    x = np.arange(len(date.deciles))
    rows = np.array([group.rows for group in date.deciles])
    for offset, field, colour in ((-0.2, "predicted", _COLOURS[0]), (0.2, "realised", _COLOURS[4])):
        totals = np.array([getattr(group, field) for group in date.deciles])
        axes.bar(x + offset, totals / rows, 0.4, color=colour, label=field)
    axes.set_xticks(x, [group.name for group in date.deciles])
    axes.set(xlabel="tenth of the customers, by predicted value", ylabel="mean value (currency)")
    axes.legend(frameon=False)
    return figure


def captured(date: DateResult) -> Figure:
    """The share of all that was spent which each score's top customers hold, by budget."""
    figure = Figure(figsize=(_INCHES, 3.6), layout="constrained")
    axes = figure.subplots()
    customers = [budget.customers for budget in date.targeting]
    names = list(date.targeting[0].by)
    for number, name in enumerate(names):
        shares = [budget.by[name].share for budget in date.targeting]
        colour = _GREY if name == CHANCE else _COLOURS[number % len(_COLOURS)]
        style = ":" if name == CHANCE else "--" if name == RULE else "-"
        values = [share.value for share in shares]
        axes.plot(customers, values, style, marker="o", ms=4, color=colour, label=text(name))
        low, high = [s.low for s in shares], [s.high for s in shares]
        axes.fill_between(customers, low, high, color=colour, alpha=0.12, lw=0)
    axes.plot(
        customers,
        [b.possible / max(date.realised, 1e-12) for b in date.targeting],
        "^",
        ms=4,
        color="black",
        alpha=0.5,
        label="with hindsight",
    )
    if len(customers) > 1 and customers[-1] > 5 * customers[0]:
        axes.set_xscale("log")
        axes.set_xticks(customers, [f"{number:,}" for number in customers])
        axes.minorticks_off()
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(xlabel="customers targeted", ylabel="share of all that was spent", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, fontsize=9)
    return figure


def text(name: str) -> str:
    """A name in a figure, where `$` would begin a formula."""
    return name.replace("$", r"\$")


def _line(axes: Axes, backtest: Backtest, name: str, metric: str, colour: str) -> None:
    points = [
        (_place(date), scorer, date)
        for date in backtest.dates
        for scorer in date.scorers
        if scorer.name == name and metric in scorer.metrics
    ]
    if not points:
        return
    days = [day for day, _, _ in points]
    values = [scorer.metrics[metric] for _, scorer, _ in points]
    axes.plot(days, values, "-", color=colour, lw=1.2, alpha=0.8)
    for (day, scorer, date), value in zip(points, values, strict=True):
        fill = colour if scorer.sample == OUT else "white"
        axes.plot([day], [value], "o", ms=5, color=colour, mfc=fill)
        _interval(axes, day, scorer, metric, colour)
        if scorer is date.main and _is_outside(backtest, metric, value):
            axes.plot([day], [value], "o", ms=12, color=_RED, mfc="none", mew=1.8)
    label = f"version {name}" if name.isdigit() else name
    axes.plot([], [], "o-", color=colour, label=text(label))


def _interval(axes: Axes, day: float, scorer: Scorer, metric: str, colour: str) -> None:
    spread = scorer.intervals.get(metric)
    if spread is not None:
        axes.plot([day, day], [spread.low, spread.high], color=colour, lw=1, alpha=0.6)


def _place(date: DateResult) -> float:
    return float(date2num(dt.date.fromisoformat(date.run_date)))


def _limits(axes: Axes, backtest: Backtest, metric: str) -> None:
    for bound in backtest.bounds.get(metric, ()):
        if bound is not None:
            axes.axhline(bound, color=_RED, ls="--", lw=1)


def _is_outside(backtest: Backtest, metric: str, value: float) -> bool:
    low, high = backtest.bounds.get(metric, (None, None))
    return (low is not None and value < low) or (high is not None and value > high)
