"""Draws the plots of a run as matplotlib figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_SIZE = (7.0, 4.2)


def training_curves(history: Sequence[dict[str, Any]]) -> Figure:
    """Training loss and validation Norm-GINI by epoch."""
    epochs = [record["epoch"] for record in history]
    gini = [record["validation"]["normalized_gini"] for record in history]
    figure = Figure(figsize=_SIZE, layout="constrained")
    left = figure.subplots()
    left.plot(epochs, [record["loss"] for record in history], "o-", color="tab:blue")
    left.set_xlabel("epoch")
    left.set_ylabel("training loss (nats)", color="tab:blue")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right = left.twinx()
    right.plot(epochs, gini, "s-", color="tab:orange")
    right.set_ylabel("validation Norm-GINI", color="tab:orange")
    best = int(np.argmax(gini))
    right.annotate(
        f"{gini[best]:.4f}", (epochs[best], gini[best]), (0, -14), textcoords="offset points"
    )
    left.set_title("Training")
    return figure


def sdn_shares(history: Sequence[dict[str, Any]]) -> Figure:
    """The share of validation rows that each SDN is selected for, by epoch."""
    shares = np.array([record["sdn_share"] for record in history])  # [epochs, L]
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    bottom = np.zeros(len(shares))
    for i, share in enumerate(shares.T):
        axes.bar([r["epoch"] for r in history], share, bottom=bottom, label=f"SDN {i}", width=0.85)
        bottom += share
    axes.set(xlabel="epoch", ylabel="share of validation rows", ylim=(0, 1), title="Selected SDN")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def deciles(y_true: np.ndarray, y_pred: np.ndarray, groups: int = 10) -> Figure:
    """Mean predicted and actual value in tenths of the rows, from the highest prediction down.

    Args:
        y_true: labels [N] in currency units, >= 0.
        y_pred: predicted means [N] in currency units.
        groups: how many parts of equal size, >= 1.
    """
    order = np.argsort(-y_pred, kind="stable")
    parts = np.array_split(order, groups)
    x = np.arange(1, groups + 1)
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.bar(x - 0.2, [y_pred[p].mean() for p in parts], 0.4, label="predicted")
    axes.bar(x + 0.2, [y_true[p].mean() for p in parts], 0.4, label="actual")
    axes.set(
        xlabel="tenth of the customers, by predicted value",
        ylabel="mean value (currency)",
        title=f"Total predicted / actual {y_pred.sum() / max(y_true.sum(), 1e-12):.3f}",
        xticks=x,
    )
    axes.legend(frameon=False)
    return figure


def sdn_boxplots(y_true: np.ndarray, y_pred: np.ndarray, selected: np.ndarray) -> Figure:
    """Actual and predicted value of the rows of each SDN (Fig. 5), on a log(1 + value) scale.

    Args:
        y_true: labels [N] in currency units, >= 0.
        y_pred: predicted means [N] in currency units.
        selected: the index of each row's SDN, int [N].
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    sdns = [int(i) for i in np.unique(selected)]
    for offset, values, colour, name in [
        (-0.2, y_true, "tab:orange", "actual"),
        (0.2, y_pred, "tab:blue", "predicted"),
    ]:
        _boxes(axes, [np.log1p(values[selected == i]) for i in sdns], offset, colour, name)
    axes.set_xticks(
        range(len(sdns)), [f"SDN {i}\n{np.mean(selected == i):.1%} of rows" for i in sdns]
    )
    ticks = [0, 1, 10, 100, 1_000, 10_000, 100_000]
    top = np.log1p(max(y_true.max(), y_pred.max()))
    visible = [t for t in ticks if np.log1p(t) <= top]
    axes.set_yticks(np.log1p(visible), [f"{t:,}" for t in visible])
    axes.set(ylabel="value (currency)", title="Value by selected SDN")
    axes.legend(frameon=False)
    return figure


def _boxes(axes: Axes, values: list[np.ndarray], offset: float, colour: str, name: str) -> None:
    boxes = axes.boxplot(
        values,
        positions=np.arange(len(values)) + offset,
        widths=0.35,
        showfliers=False,
        patch_artist=True,
        medianprops={"color": "black"},
    )
    for box in boxes["boxes"]:
        box.set_facecolor(colour)
        box.set_alpha(0.7)
    boxes["boxes"][0].set_label(name)
