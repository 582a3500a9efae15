"""Builds the paper's Figs. 1, 4 and 5 from the records of an experiment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.experiments.plan.results import Results
from pipelines.experiments.report import drawing
from pipelines.experiments.report.rows import Row, rows_of
from pipelines.rendering import Block, Heading, Picture


def figure4(results: Results) -> Iterator[Block]:
    """Norm-GINI against one setting at a time."""
    settings = results.grid.experiment.sweeps
    if not settings:
        return
    values: dict[str, Any] = {}
    for dataset in results.grid.named(settings.datasets):
        for setting, variants in results.grid.sweep(dataset).items():
            for value, variant in variants.items():
                for row in rows_of(results, dataset, [variant], settings.seeds):
                    by_rule = values.setdefault(dataset, {}).setdefault(setting, {})
                    gini = row.values("normalized_gini").tolist()
                    by_rule.setdefault(row.rule, {})[value] = gini
    if not values:
        return
    yield Heading(2, "Fig. 4: number of SDNs and temperature")
    yield Picture(
        "figure4",
        f"Norm-GINI on test, mean and standard deviation over up to {len(settings.seeds)} seeds.",
        drawing.sweeps(values),
    )


def figure5(tables: Mapping[str, Sequence[Row]]) -> Iterator[Block]:
    """Actual and predicted value by selected SDN."""
    values = {}
    for dataset, rows in tables.items():
        summaries = [row.records[0].sdn for row in rows if row.ours and row.records[0].sdn]
        if summaries:
            values[dataset] = summaries[0].test
    if values:
        yield Heading(2, "Fig. 5: sub-distributions")
        yield Picture(
            "figure5",
            "Actual and predicted value (hard inference) of the test rows of each SDN, first seed: "
            "boxes are quartiles, whiskers the 5% and 95% quantiles. Where more than three "
            "quarters of an SDN's rows are 0, the box of their actual values is a line at 0.",
            drawing.sdn_boxes(values),
        )


def figure1(results: Results) -> Iterator[Block]:
    """Histograms of the value of clusters of users."""
    known = {d: results.store.dataset(d) for d in results.grid.datasets}
    values = {d: record.clusters for d, record in known.items() if record and record.clusters}
    if values:
        yield Heading(2, "Fig. 1: value by cluster of users")
        yield Picture(
            "figure1",
            "Training rows by log(CLTV + 1), in four k-means clusters of the numeric features.",
            drawing.clusters(values),
        )
