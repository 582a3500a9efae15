"""Draws the figures of a data report, narrow enough to be read on a phone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipelines.monitoring.data_report.statistics import DataReport, FeatureStatistics

WIDTH = 520  # of a figure on the page [CSS pixels]
_INCHES = 5.2
_COLOURS = {"train": "#0072b2", "validation": "#e69f00", "test": "#009e73"} | {
    "out_of_time": "#cc79a7"
}
_MOST_NAMES = 25  # features in one figure


def label_histogram(report: DataReport) -> Figure:
    """The histogram of log(1 + label) of each split, zeros apart."""
    figure, axes = _figure(3.4)
    top = math.log1p(report.largest_label)
    for name, split in report.splits.items():
        zeros, *counts = split.histogram
        edges = np.linspace(0, top, len(counts) + 1)
        share = np.asarray(counts) / max(split.rows, 1)
        label = f"{name}: {zeros / max(split.rows, 1):.1%} are 0"
        axes.stairs(share, edges, color=_COLOURS.get(name), lw=1.6, label=label)
    ticks = [t for t in (0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000) if math.log1p(t) <= top]
    axes.set_xticks(np.log1p(ticks), [f"{tick:,}" for tick in ticks])
    axes.set(xlabel="label, on a scale of log(1 + label)", ylabel="share of the split's rows")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, fontsize=9)
    return figure


def by_date(report: DataReport) -> Figure:
    """Rows, share of positive labels and mean label by date."""
    periods = report.periods
    figure = Figure(figsize=(_INCHES, 5.4), layout="constrained")
    upper, middle, lower = figure.subplots(3, 1, sharex=True)
    x = range(len(periods))
    for name in report.splits:
        colour = _COLOURS[name]
        splits = [period.splits.get(name) for period in periods]
        rows = [split.rows if split else 0 for split in splits]
        upper.plot(x, rows, "o-", ms=3, color=colour, label=name)
        share = [split.positive_share if split else math.nan for split in splits]
        middle.plot(x, share, "o-", ms=3, color=colour)
        lower.plot(x, [s.mean if s else math.nan for s in splits], "o-", ms=3, color=colour)
    for axes, name in ((upper, "rows"), (middle, "positive share"), (lower, "mean label")):
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    middle.yaxis.set_major_formatter(PercentFormatter(1.0))
    upper.legend(frameon=False, fontsize=9, ncols=3)
    _dates(lower, [period.first for period in periods])
    return figure


def audit(features: Sequence[FeatureStatistics], names: Sequence[str]) -> Figure:
    """AUC and Norm-GINI of each feature alone; those of `names` are flagged."""
    shown = sorted(features, key=lambda f: max(f.auc or 0, (1 + (f.gini or 0)) / 2))[-_MOST_NAMES:]
    figure, axes = _figure(0.8 + 0.24 * len(shown))
    for place, feature in enumerate(shown):
        colour = "#d55e00" if feature.name in names else "#0072b2"
        if feature.auc is not None:
            axes.plot(feature.auc, place, "o", color=colour, label="AUC")
        if feature.gini is not None:
            axes.plot(feature.gini, place, "D", mfc="none", color=colour, label="Norm-GINI")
    axes.set_yticks(range(len(shown)), [short(feature.name) for feature in shown], fontsize=9)
    axes.set_xlim(min(0, *axes.get_xlim()), 1.02)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel("filled: AUC; open: Norm-GINI, of one feature alone")
    return figure


def drift(report: DataReport, limit: float) -> Figure:
    """The stability index of the features that drift most, by date."""
    shown = sorted(report.features, key=lambda f: -max(f.drift, default=0))[:_MOST_NAMES]
    values = np.array([feature.drift for feature in shown])
    figure, axes = _figure(1.1 + 0.24 * len(shown))
    image = axes.imshow(values, aspect="auto", cmap="OrRd", vmin=0, vmax=2 * limit)
    axes.set_yticks(range(len(shown)), [short(feature.name) for feature in shown], fontsize=9)
    _dates(axes, [period.first for period in report.periods])
    figure.colorbar(image, ax=axes, extend="max", label="stability index")
    return figure


def short(name: str) -> str:
    """A name that leaves room for the figure; `$` would begin a formula."""
    name = name.replace("$", r"\$")
    return name if len(name) <= 24 else f"{name[:22]}…"


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_INCHES, height), layout="constrained")
    return figure, figure.subplots()


def _dates(axes: Axes, dates: Sequence[str]) -> None:
    step = -(-len(dates) // 12)
    axes.set_xticks(range(0, len(dates), step), dates[::step], rotation=60, ha="right", fontsize=8)
