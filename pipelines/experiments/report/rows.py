"""Records as the rows of the paper's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from optdist.evaluation.bootstrap import unpack
from optdist.evaluation.comparison import Comparison, Scores, compare
from optdist.evaluation.metrics import LOWER_IS_BETTER
from optdist.evaluation.weighted import METRICS, RESAMPLED
from pipelines.experiments.plan.grid import LIGHTGBM, Cell
from pipelines.experiments.plan.results import Results
from pipelines.experiments.plan.store import Record

NONE = "-"  # a cell without a figure
NAMES = {
    "mae": "MAE ↓",
    "normalized_gini": "Norm-GINI ↑",
    "spearman": "Spearman ↑",
    "normalized_gini_positive": "Norm-GINI(+) ↑",
    "spearman_positive": "Spearman(+) ↑",
}


@dataclass(frozen=True)
class Row:
    """A model under one rule of inference, over the seeds that all models of its table have."""

    model: str
    rule: str
    several: bool  # the model has other rules too
    ours: bool  # an OptDist
    ranks: bool  # its Norm-GINI is at least half of the best row's
    records: list[Record]  # one a seed

    @property
    def label(self) -> str:
        """The row's name."""
        return f"{self.model} ({self.rule})" if self.several else self.model

    def values(self, metric: str) -> np.ndarray:
        """A test metric [seeds]; empty where the model has none of it."""
        found = [record["test"][self.rule].get(metric) for record in self.records]
        return np.array([v for v in found if v is not None], np.float64)

    @cached_property
    def scores(self) -> Scores:
        """What tests are made on."""
        values = {metric: self.values(metric) for metric in METRICS}
        if not all("bootstrap" in record for record in self.records):
            return Scores(values, None)
        packed = [record["bootstrap"]["metrics"][self.rule] for record in self.records]
        return Scores(
            values, {m: np.stack([unpack(metrics[m]) for metrics in packed]) for m in RESAMPLED}
        )


def rows_of(
    results: Results, dataset: str, variants: Iterable[str], seeds: Iterable[int]
) -> list[Row]:
    """The rows of variants, over the seeds of which all of them have test metrics.

    A variant without any is left out.
    """
    records = {variant: seed_records(results, dataset, variant, seeds) for variant in variants}
    records = {variant: found for variant, found in records.items() if found}
    common = set.intersection(*(set(found) for found in records.values())) if records else set()
    rows = []
    for variant, found in records.items():
        mine = [found[seed] for seed in sorted(common)]
        if mine:
            rules = list(mine[0]["test"])
            ours = mine[0]["settings"].get("model", {}).get("name") == "optdist"
            rows += [Row(variant, rule, len(rules) > 1, ours, True, mine) for rule in rules]
    ginis = [float(row.values("normalized_gini").mean()) for row in rows]
    limit = max(ginis, default=0.0) / 2
    return [replace(row, ranks=gini >= limit) for row, gini in zip(rows, ginis, strict=True)]


def seed_records(
    results: Results, dataset: str, variant: str, seeds: Iterable[int]
) -> dict[int, Record]:
    """A variant's records with test metrics, by seed, at the trial that was chosen for it."""
    found = {}
    for seed in seeds:
        choice = results.choice(dataset, results.grid.base(variant), seed)
        record = choice and results.finished(Cell(dataset, variant, choice[0], seed), test=True)
        if record:
            found[seed] = record
    return found


def comparisons(
    rows: Sequence[Row], overlap: float = 0.0
) -> dict[str, dict[str, list[Comparison]]]:
    """Each OptDist's row against the paper's baselines and against LightGBM.

    Args:
        rows: of all models of a table.
        overlap: of `optdist.evaluation.comparison.t_test`.

    Returns:
        {row's label: {"baselines" | "LightGBM": one comparison a metric}}.
    """
    baselines = {r.label: r.scores for r in rows if r.ranks and not r.ours and r.model != LIGHTGBM}
    boosted = {r.label: r.scores for r in rows if r.model == LIGHTGBM}
    against = {"baselines": baselines, LIGHTGBM: boosted}
    return {
        row.label: {name: compare(row.scores, r, overlap) for name, r in against.items() if r}
        for row in rows
        if row.ours
    }


def best(rows: Sequence[Row]) -> dict[str, str]:
    """The label of the best row in each metric, by the mean over seeds, of those that rank."""
    ranking = [row for row in rows if row.ranks]
    return {
        metric: (min if metric in LOWER_IS_BETTER else max)(
            ranking, key=lambda row: float(row.values(metric).mean())
        ).label
        for metric in METRICS
    }


def mean_sd(values: np.ndarray, digits: int = 4) -> str:
    """Mean ± standard deviation (of a sample), or the mean alone of a single value."""
    if not len(values):
        return NONE
    spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{spread}"


def p_value(p: float) -> str:
    """A p-value as it is printed."""
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def mean_of(row: Row, value: Callable[[Mapping[str, Any]], float | None]) -> float:
    """The mean of something over a row's records; what is None is left out."""
    found = [v for v in map(value, row.records) if v is not None]
    return float(np.mean(found)) if found else float("nan")
