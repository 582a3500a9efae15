"""Registers the metrics that settings, tables and tests can name; evaluation computes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field


@dataclass(frozen=True)
class Metric:
    """A metric's name and properties.

    Args:
        name: its key in every record.
        title: its name in tables.
        better: which values are better; None where neither is, as for a share with a target.
        digits: decimals in tables.
        note: text next to the value in a run's closing table; may name other metrics' values.
        in_paper: one of the paper's five (4.1.2), which are compared and tested.
        needs_distribution: only of models that predict one.
        each_epoch: measured after each epoch, so that training can stop on it.
    """

    name: str
    title: str
    better: Literal["higher", "lower"] | None
    digits: int = 4
    note: str = ""
    in_paper: bool = False
    needs_distribution: bool = False
    each_epoch: bool = True

    @property
    def sign(self) -> int:
        """1, or -1 where lower is better: times a difference, it gives the gain."""
        return -1 if self.better == "lower" else 1

    @property
    def heading(self) -> str:
        """The title with an arrow to the better side."""
        arrows = {"higher": " ↑", "lower": " ↓"}
        return self.title + arrows.get(self.better or "", "")

    def text(self, value: float) -> str:
        """A value as tables print it."""
        return f"{value:.{self.digits}f}"


_POSITIVE = "rows with a positive label"
_CONSTANTS = "always zero {mae_zero:.3f}, mean {mae_mean:.3f}, median {mae_median:.3f}"
_BY_TENTHS = "share of all value that tenths of the rows, by prediction, are off"
_Ranking = partial(Metric, better="higher", in_paper=True)
_OfIntervals = partial(Metric, digits=3, needs_distribution=True, each_epoch=False)

_ALL = (
    Metric("mae", "MAE", "lower", 3, _CONSTANTS, in_paper=True),
    _Ranking("normalized_gini", "Norm-GINI"),
    _Ranking("spearman", "Spearman"),
    _Ranking("normalized_gini_positive", "Norm-GINI(+)", note=_POSITIVE),
    _Ranking("spearman_positive", "Spearman(+)", note=_POSITIVE),
    Metric("total_ratio", "total ratio", None, 3, "predicted / actual"),
    Metric("decile_error", "decile error", "lower", 3, _BY_TENTHS, each_epoch=False),
    Metric("nll", "NLL", "lower", 3, "nats", needs_distribution=True),
    _OfIntervals("mae_q50", "MAE of median", "lower", note="the median as the prediction"),
    _OfIntervals("coverage", "coverage", None, note="of the prediction interval"),
    _OfIntervals("coverage_if_positive", "coverage(+)", None, note="of the one given a purchase"),
    _OfIntervals("interval_width", "interval width", None, note="the mean, in currency"),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
PAPER_METRICS = tuple(metric.name for metric in _ALL if metric.in_paper)


_NAMES = [metric.name for metric in _ALL]
_COMPARED = [metric.name for metric in _ALL if metric.better]
_EACH_EPOCH = [name for name in _COMPARED if METRICS[name].each_epoch]
_AFTERWARDS = [name for name in _NAMES if name != "nll"]  # a score has no likelihood of a value


def _one_of(names: list[str]) -> Callable[[str], str]:
    def known(name: str) -> str:
        if name not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return name

    return known


def _listed(names: list[str]) -> Any:
    """Lists the names where settings are explained."""
    return Field(json_schema_extra={"enum": [*names]})


GateMetric = Annotated[str, AfterValidator(_one_of(_NAMES)), _listed(_NAMES)]
ComparedMetric = Annotated[str, AfterValidator(_one_of(_COMPARED)), _listed(_COMPARED)]
StopMetric = Annotated[str, AfterValidator(_one_of(_EACH_EPOCH)), _listed(_EACH_EPOCH)]
AfterwardsMetric = Annotated[str, AfterValidator(_one_of(_AFTERWARDS)), _listed(_AFTERWARDS)]
