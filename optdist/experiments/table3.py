"""Table 3 of the paper: variants of one model, and what each gains or loses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from optdist.experiments.render import Block, Heading, Table
from optdist.experiments.statistics import t_test
from optdist.experiments.tables import NONE, Row, mean_of, mean_sd

EXPLAINED = (
    "Norm-GINI by rule of inference, then what a variant gains over the model under the configured "
    "rule, seed by seed: the mean, the two-sided p of a paired t-test (not corrected for the "
    "number of variants) and in how many seeds the variant is better. A gain above 0 is better, "
    "also for NLL. The last column is the share of test rows of the SDN that is selected most: "
    "100% means that selection collapsed. A variant that a data set's config has anyway is left "
    "out there."
)
_GAINS = {"normalized_gini": "Norm-GINI", "spearman": "Spearman", "nll": "NLL"}


def ablations(
    dataset: str, rows: Sequence[Row], names: Mapping[str, str], overlap: float
) -> Iterator[Block]:
    """A data set's part of Table 3.

    Args:
        dataset: its name.
        rows: of the model and its variants, over the same seeds.
        names: variant -> its name in the table, the model first.
        overlap: of `t_test`.
    """
    by_variant = by_rule_of(rows)
    model = next(iter(names))
    rules = list(by_variant[model])
    lines = []
    for variant, by_rule in by_variant.items():
        line = [names[variant]]
        line += [mean_sd(by_rule[rule].values("normalized_gini")) for rule in rules]
        for metric in _GAINS:
            line += _gain(gains(by_variant, model, variant, metric), overlap)
        largest = mean_of(next(iter(by_rule.values())), _largest_share)
        lines.append([*line, NONE if np.isnan(largest) else f"{largest:.0%}"])
    seeds = len(rows[0].records)
    yield Heading(3, f"{dataset}, {seeds} {'seed' if seeds == 1 else 'seeds'}")
    shown = [part for name in _GAINS.values() for part in (f"{name} gain", "p", "better in")]
    yield Table(["method", *rules, *shown, "largest SDN"], lines)


def by_rule_of(rows: Sequence[Row]) -> dict[str, dict[str, Row]]:
    """Variant -> rule of inference -> row."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.model, {})[row.rule] = row
    return found


def gains(
    rows: Mapping[str, Mapping[str, Row]], model: str, variant: str, metric: str
) -> np.ndarray:
    """What a variant gains in a metric over the model [seeds], each under its configured rule.

    Empty for the model itself, and where one of the two has none of the metric.
    """
    if variant == model:
        return np.array([])
    ours, theirs = (_configured(rows[name]).values(metric) for name in (variant, model))
    if len(ours) != len(theirs):
        return np.array([])
    return (theirs - ours) if metric == "nll" else (ours - theirs)


def _gain(values: np.ndarray, overlap: float) -> list[str]:
    """The gains [seeds] of a variant as three cells."""
    if not len(values):
        return [NONE] * 3
    p = f"{t_test(values, overlap):.3f}" if len(values) > 1 else NONE
    return [f"{values.mean():+.4f}", p, f"{(values > 0).sum()} of {len(values)}"]


def _configured(by_rule: Mapping[str, Row]) -> Row:
    rule = next(iter(by_rule.values())).records[0]["inference"]
    return by_rule[rule]


def _largest_share(record: Mapping[str, Any]) -> float | None:
    return max(sdn["share"] for sdn in record["sdn"]["test"]) if record["sdn"] else None
