"""Builds Table 1 of the paper: the data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optdist.data.feature_table import SPLITS
from pipelines.experiments.plan.results import Results
from pipelines.experiments.report.rows import NONE
from pipelines.rendering import Block, Heading, Table


def table1(results: Results, paper: Mapping[str, Any]) -> Iterator[Block]:
    """Table 1: samples and positives of each data set, and of the paper's own."""
    rows = []
    for dataset in results.grid.datasets:
        known = results.store.dataset(dataset)
        if known:
            counts = known.counts
            positives = sum(counts[f"{s}_positive"] for s in SPLITS)
            rows.append(_counts(dataset, counts["samples"], positives, counts))
        if dataset in paper:
            own = paper[dataset]
            rows.append(_counts(f"{dataset}, paper", own["samples"], own["positives"], {}))
    if rows:
        yield Heading(2, "Table 1: data sets")
        header = ["data set", "samples", "positive", "ratio", *SPLITS]
        yield Table(header, rows)


def _counts(name: str, samples: int, positives: int, counts: Mapping[str, int]) -> list[str]:
    splits = [f"{counts[s]:,}" if s in counts else NONE for s in SPLITS]
    return [name, f"{samples:,}", f"{positives:,}", f"{positives / samples:.2%}", *splits]
