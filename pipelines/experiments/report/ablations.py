"""Builds Table 3 of the paper: variants of one model, and what each gains or loses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from optdist.config.metrics import METRICS
from optdist.evaluation.comparison import bootstrap_test, t_test
from pipelines.experiments.plan.records import Record
from pipelines.experiments.plan.results import Results
from pipelines.experiments.report import drawing
from pipelines.experiments.report.rows import NONE, Row, format_p, mean_of, mean_sd, rows_of
from pipelines.rendering import Block, Heading, Picture, Table, Text

EXPLAINED = (
    "Norm-GINI by rule of inference, then what a variant gains over the model under the configured "
    "rule, seed by seed: the mean, in how many seeds the variant is better, and p. It is the "
    "larger p of a paired t-test over seeds and a paired bootstrap over test entities (of the "
    "t-test alone for NLL), not corrected for the number of variants. A gain above 0 is better, "
    "also for NLL. "
    "`total` is total predicted over total actual, and the last column the share of test rows of "
    "the SDN that is selected most: 100% means that selection collapsed. A variant that a data "
    "set's config has anyway is left out there."
)
_GAINS = ("normalized_gini", "spearman", "nll")
Variants = Mapping[str, Mapping[str, Row]]  # variant -> rule of inference -> row


def table3(results: Results, paper: Mapping[str, Any]) -> Iterator[Block]:
    """Table 3 and its figure.

    Args:
        results: the finished cells.
        paper: the paper's own figures, by data set.
    """
    settings, overlap = results.grid.experiment.ablations, results.grid.experiment.overlap
    if not settings:
        return
    tables: list[Block] = []
    values: dict[str, dict[str, list[float]]] = {}
    for dataset in results.grid.named(settings.datasets):
        names = {settings.model: settings.model, **results.grid.ablations(dataset)}
        variants: dict[str, dict[str, Row]] = {}
        for row in rows_of(results, dataset, names, settings.seeds):
            variants.setdefault(row.model, {})[row.rule] = row
        if len(variants) < 2 or settings.model not in variants:
            continue
        tables += dataset_table(dataset, variants, names, overlap)
        tables += _published(dataset, paper.get(dataset, {}).get("table3", {}))
        values[dataset] = {
            names[v]: gains(variants, settings.model, v, "normalized_gini").tolist()
            for v in variants
            if v != settings.model
        }
    if not tables:
        return
    yield Heading(2, "Table 3: ablations")
    yield Text(EXPLAINED)
    yield from tables
    yield Picture(
        "table3",
        f"Gain in Norm-GINI over {settings.model}: each seed (dots) and the mean (bar). An arrow "
        "is the mean of a variant that is far behind.",
        drawing.norm_gini(values, f"gain in Norm-GINI over {settings.model}", zero=True),
    )


def dataset_table(
    dataset: str, variants: Variants, names: Mapping[str, str], overlap: float
) -> Iterator[Block]:
    """A data set's part of Table 3.

    Args:
        dataset: its name.
        variants: rows over the same seeds.
        names: variant -> its name in the table, the model first.
        overlap: as in `t_test`.
    """
    model = next(iter(names))
    rules = list(variants[model])
    lines = []
    for variant, by_rule in variants.items():
        line = [names[variant]]
        for rule in rules:
            line.append(
                mean_sd(by_rule[rule].values("normalized_gini")) if rule in by_rule else NONE
            )
        for metric in _GAINS:
            line += _gain(variants, model, variant, metric, overlap)
        line.append(mean_sd(_configured(by_rule).values("total_ratio"), 3))
        largest = mean_of(_configured(by_rule), _largest_share)
        lines.append([*line, NONE if np.isnan(largest) else f"{largest:.0%}"])
    seeds = len(_configured(variants[model]).records)
    yield Heading(3, f"{dataset}, {seeds} {'seed' if seeds == 1 else 'seeds'}")
    titles = [METRICS[metric].title for metric in _GAINS]
    shown = [part for title in titles for part in (f"{title} gain", "better in", "p")]
    yield Table(["method", *rules, *shown, "total", "largest SDN"], lines)


def gains(variants: Variants, model: str, variant: str, metric: str) -> np.ndarray:
    """The gain [seeds] of a variant over the model in a metric, each under its configured rule.

    Empty for the model itself, and where one of the two lacks the metric in some seed.

    Args:
        variants: the rows of all variants on one data set, by name.
        model: the name of the model.
        variant: the name of the variant.
        metric: the name of a metric.
    """
    if variant == model:
        return np.array([])
    ours, theirs = (_configured(variants[name]) for name in (variant, model))
    a, b = ours.values(metric), theirs.values(metric)
    if not len(a) == len(b) == len(ours.records):
        return np.array([])
    return METRICS[metric].sign * (a - b)


def _gain(variants: Variants, model: str, variant: str, metric: str, overlap: float) -> list[str]:
    """The gains of a variant as three cells."""
    gain = gains(variants, model, variant, metric)
    if not len(gain):
        return [NONE] * 3
    p, (ours, theirs) = t_test(gain, overlap), (variants[variant], variants[model])
    a, b = _configured(ours).scores.resampled, _configured(theirs).scores.resampled
    if a is not None and b is not None and metric in a:
        p = max(p, bootstrap_test((a[metric] - b[metric]).mean(axis=0)))
    better = f"{(gain > 0).sum()} of {len(gain)}"
    return [f"{gain.mean():+.4f}", better, format_p(p) if len(gain) > 1 else NONE]


def _published(dataset: str, figures_of: Mapping[str, float]) -> Iterator[Block]:
    """The paper's own Table 3 of a data set."""
    if figures_of:
        yield Table(
            [f"{dataset}, paper", "Norm-GINI"], [[n, f"{v:.4f}"] for n, v in figures_of.items()]
        )


def _configured(by_rule: Mapping[str, Row]) -> Row:
    rule = next(iter(by_rule.values())).records[0].inference
    return by_rule[rule]


def _largest_share(record: Record) -> float | None:
    return max(sdn.share for sdn in record.sdn.test) if record.sdn else None
