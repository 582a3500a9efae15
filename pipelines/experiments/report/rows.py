"""Makes the rows of the paper's tables from records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from optdist.config.metrics import METRICS, PAPER_METRICS
from optdist.evaluation.comparison import Comparison, Scores, compare
from pipelines.experiments.plan.coordinates import LIGHTGBM, Cell
from pipelines.experiments.plan.measurements import Metrics
from pipelines.experiments.plan.records import Record
from pipelines.experiments.plan.results import Results

NONE = "-"  # a cell without a figure


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
        """A test metric [seeds]; empty if the model lacks it."""
        values = [test_metrics(record, self.rule).get(metric) for record in self.records]
        return np.array([v for v in values if v is not None], np.float64)

    @cached_property
    def scores(self) -> Scores:
        """The values that tests compare."""
        values = {metric: self.values(metric) for metric in PAPER_METRICS}
        resampled = [r.bootstrap.values(self.rule) for r in self.records if r.bootstrap]
        if len(resampled) < len(self.records):
            return Scores(values, None)
        names = resampled[0]
        return Scores(values, {m: np.stack([metrics[m] for metrics in resampled]) for m in names})


def rows_of(
    results: Results, dataset: str, variants: Iterable[str], seeds: Iterable[int]
) -> list[Row]:
    """The rows of variants, over the seeds of which all of them have test metrics.

    A variant without any is left out.

    Args:
        results: the grid's finished cells.
        dataset: the data set's name.
        variants: names of models or of their variants.
        seeds: seeds of training.
    """
    records = {variant: seed_records(results, dataset, variant, seeds) for variant in variants}
    records = {variant: by_seed for variant, by_seed in records.items() if by_seed}
    common = set.intersection(*map(set, records.values())) if records else set()
    rows: list[Row] = []
    for variant, by_seed in records.items() if common else ():
        of_variant = [by_seed[seed] for seed in sorted(common)]
        rules = list(of_variant[0].test or {})
        ours = (of_variant[0].settings.model or {}).get("name") == "optdist"
        rows += [Row(variant, rule, len(rules) > 1, ours, True, of_variant) for rule in rules]
    ginis = [float(row.values("normalized_gini").mean()) for row in rows]
    limit = max(ginis, default=0.0) / 2
    return [replace(row, ranks=gini >= limit) for row, gini in zip(rows, ginis, strict=True)]


def seed_records(
    results: Results, dataset: str, variant: str, seeds: Iterable[int]
) -> dict[int, Record]:
    """A variant's records with test metrics, by seed, at the trial that was chosen for it.

    Args:
        results: the grid's finished cells.
        dataset: the data set's name.
        variant: the name of a model or of a variant.
        seeds: seeds of training.
    """
    records = {}
    for seed in seeds:
        choice = results.choice(dataset, results.grid.variants.base(variant), seed)
        record = choice and results.finished(Cell(dataset, variant, choice[0], seed), test=True)
        if record:
            records[seed] = record
    return records


def test_metrics(record: Record, rule: str) -> Metrics:
    """A record's test metrics under a rule of inference; none where the test split is not read."""
    return (record.test or {}).get(rule, {})


def comparisons(
    rows: Sequence[Row], overlap: float = 0.0
) -> dict[str, dict[str, list[Comparison]]]:
    """Each OptDist's row against the paper's baselines and against LightGBM.

    Args:
        rows: the rows of all models in a table.
        overlap: as in `optdist.evaluation.comparison.t_test`.

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
        metric: max(
            ranking, key=lambda row: METRICS[metric].sign * float(row.values(metric).mean())
        ).label
        for metric in PAPER_METRICS
    }


def mean_sd(values: np.ndarray, digits: int = 4) -> str:
    """Mean ± standard deviation (of a sample), or the mean alone of a single value."""
    if not len(values):
        return NONE
    spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{spread}"


def format_p(p: float) -> str:
    """A p-value as tables print it."""
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def mean_of(row: Row, value: Callable[[Record], float | None]) -> float:
    """The mean of a value over a row's records, without those where it is None."""
    values = [v for v in map(value, row.records) if v is not None]
    return float(np.mean(values)) if values else float("nan")
