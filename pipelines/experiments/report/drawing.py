"""Draws the figures of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.experiments.plan.measurements import SdnRows
from pipelines.experiments.plan.records import Clusters

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_BOX = ("whislo", "q1", "med", "q3", "whishi")
_MARKS = ("o", "s", "^", "D", "v", "P")


def norm_gini(
    scores: Mapping[str, Mapping[str, Sequence[float]]],
    quantity: str = "Norm-GINI on test",
    zero: bool = False,
) -> Figure:
    """Norm-GINI, or a gain in it, of each model and seed, a panel for each data set.

    A model that is far behind the others stands as a number at the edge: its points would press
    those of the others together.

    Args:
        scores: data set -> row's label -> one value a seed.
        quantity: what the values are.
        zero: draw a line at 0.
    """
    most = max(len(rows) for rows in scores.values())
    figure, panels = _panels(list(scores), height=0.9 + 0.27 * most)
    for axes, (dataset, rows) in zip(panels, scores.items(), strict=True):
        labels = list(rows)[::-1]
        behind = _behind({label: float(np.mean(values)) for label, values in rows.items()})
        for place, label in enumerate(labels):
            colour = _COLOURS[1] if label.startswith("OptDist") else _COLOURS[0]
            if label in behind:
                axes.annotate(
                    f"\u2190 {behind[label]:.3f}",
                    (0.01, place),
                    xycoords=("axes fraction", "data"),
                    color=colour,
                    va="center",
                )
                continue
            axes.plot(rows[label], [place] * len(rows[label]), "o", color=colour, alpha=0.45, ms=5)
            axes.plot(np.mean(rows[label]), place, "|", color=colour, ms=15, mew=2.5)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(-0.6, len(labels) - 0.4)
        axes.locator_params(axis="x", nbins=6)
        axes.grid(axis="x", alpha=0.3)
        axes.set(title=dataset, xlabel=f"{quantity}: each seed, and the mean")
        if zero:
            axes.axvline(0, color="black", lw=1)
    return figure


def _behind(means: Mapping[str, float]) -> dict[str, float]:
    """The models whose mean is lower than the best by over five times the median model's gap."""
    best, middle = max(means.values()), float(np.median(list(means.values())))
    limit = best - 5 * max(best - middle, 0.002)
    return {label: mean for label, mean in means.items() if mean < limit}


def sweeps(
    values: Mapping[str, Mapping[str, Mapping[str, Mapping[Any, Sequence[float]]]]],
) -> Figure:
    """Norm-GINI against one setting at a time (Fig. 4).

    Args:
        values: data set -> setting -> rule of inference -> setting's value -> one value a seed.
    """
    settings = list(dict.fromkeys(name for by in values.values() for name in by))
    figure = Figure(figsize=(5.2 * len(settings), 3.3 * len(values)), layout="constrained")
    grid = figure.subplots(len(values), len(settings), squeeze=False)
    for row, (dataset, by_setting) in zip(grid, values.items(), strict=True):
        for axes, setting in zip(row, settings, strict=True):
            for i, (rule, points) in enumerate(by_setting.get(setting, {}).items()):
                x = np.arange(len(points))
                mean = np.array([np.mean(v) for v in points.values()])
                spread = np.array([np.std(v, ddof=1) if len(v) > 1 else 0 for v in points.values()])
                colour = _COLOURS[i]
                axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.15)
                axes.plot(x, mean, f"{_MARKS[i]}-", color=colour, label=rule)
                axes.set_xticks(x, [f"{value:g}" for value in points])
            axes.grid(alpha=0.3)
            axes.set(title=dataset, xlabel=setting, ylabel="Norm-GINI on test")
            axes.legend(frameon=False, fontsize=9)
    return figure


def sdn_boxes(values: Mapping[str, Sequence[SdnRows]]) -> Figure:
    """Actual and predicted value by selected SDN (Fig. 5), from quantiles; data set -> SDNs."""
    figure, panels = _panels(list(values), height=3.6)
    for axes, (dataset, sdns) in zip(panels, values.items(), strict=True):
        actual = [sdn.actual for sdn in sdns if sdn.actual]
        predicted = [sdn.predicted for sdn in sdns if sdn.predicted]
        _boxes(axes, actual, -0.2, "actual", _COLOURS[4])
        _boxes(axes, predicted, 0.2, "predicted", _COLOURS[0])
        labels = [f"SDN {i}\n{s.share:.1%} of rows" for i, s in enumerate(sdns) if s.actual]
        axes.set_xticks(range(len(labels)), labels)
        _currency(axes, max([0.0, *(quantiles[-1] for quantiles in [*actual, *predicted])]))
        axes.set(title=dataset, ylabel="value (currency)")
        axes.legend(frameon=False, fontsize=9)
    return figure


def _boxes(
    axes: Axes, quantiles: Sequence[Sequence[float]], offset: float, name: str, colour: str
) -> None:
    boxes = [dict(zip(_BOX, np.log1p(values).tolist(), strict=True)) for values in quantiles]
    drawn = axes.bxp(
        boxes,
        positions=np.arange(len(boxes)) + offset,
        widths=0.34,
        showfliers=False,
        patch_artist=True,
        medianprops={"color": "black"},
    )
    for box in drawn["boxes"]:
        box.set(facecolor=colour, alpha=0.75)
    drawn["boxes"][0].set_label(name)


def clusters(values: Mapping[str, Clusters]) -> Figure:
    """Histograms of log(1 + value) of clusters of users (Fig. 1); data set -> clusters."""
    figure, panels = _panels(list(values), height=3.3)
    for axes, (dataset, histogram) in zip(panels, values.items(), strict=True):
        for i, counts in enumerate(histogram.counts):
            axes.stairs(
                counts,
                histogram.edges,
                color=_COLOURS[i],
                lw=1.6,
                label=f"cluster {i + 1}: {sum(counts):,} rows",
            )
        axes.set_yscale("log")
        axes.set(title=dataset, xlabel="log(CLTV + 1)", ylabel="rows")
        axes.legend(frameon=False, fontsize=8)
    return figure


def _panels(titles: Sequence[str], height: float) -> tuple[Figure, list[Axes]]:
    """A figure of two columns, one panel for each title."""
    columns = min(2, len(titles))
    rows = math.ceil(len(titles) / columns)
    figure = Figure(figsize=(6.2 * columns, height * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[len(titles) :]:
        axes.set_axis_off()
    return figure, panels[: len(titles)]


def _currency(axes: Axes, top: float) -> None:
    """Ticks in currency on a log(1 + value) axis."""
    ticks = [
        t for t in (0, 1, 3, 10, 30, 100, 300, 1_000, 10_000, 100_000) if t <= max(top, 1) * 1.2
    ]
    axes.set_yticks(np.log1p(ticks), [f"{t:,}" for t in ticks])
