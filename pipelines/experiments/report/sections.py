"""The sections of a report, one for each table or figure of the paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.experiments.plan.results import Results
from pipelines.experiments.report import costs, pictures, table2, table3
from pipelines.experiments.report.overview import in_short
from pipelines.experiments.report.render import Block, Heading, Table, Text
from pipelines.experiments.report.rows import NONE, rows_of


def blocks(results: Results, paper: Mapping[str, Any]) -> list[Block]:
    """All of a report.

    Args:
        results: what is finished.
        paper: the paper's own figures, by data set.
    """
    grid = results.grid
    tables = {d: rows_of(results, d, grid.models, grid.experiment.seeds) for d in grid.datasets}
    tables = {dataset: rows for dataset, rows in tables.items() if rows}
    parts = (
        _head(results),
        _table1(results, paper),
        in_short(results, tables),
        table2.section(results, paper, tables),
        costs.choices(results, tables),
        costs.section(results, tables),
        table3.section(results, paper),
        pictures.figure4(results),
        pictures.figure5(tables),
        pictures.figure1(results),
        _failed(results),
    )
    return [block for part in parts for block in part]


def _head(results: Results) -> Iterator[Block]:
    wanted, records = results.grid.experiment, results.current()
    done = [record for record in records if "error" not in record]
    yield Heading(1, f"Results: {wanted.name}")
    yield Text(
        f"{wanted.description} Made by `./spark-submit.sh jobs/experiment.py {wanted.name}` "
        f"from the records of its training runs, and never typed."
    )
    if not done:
        yield Text("No cell is finished yet.")
        return
    hours = sum(record["cost"]["cell_seconds"] for record in done) / 3600
    dates = sorted(record["date"][:10] for record in done)
    versions = done[-1]["versions"]
    tasks = results.grid.tasks()
    ended = sum(results.done(task) for task in tasks)
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    yield Text(
        f"{ended} of {len(tasks)} tasks are finished, by {len(done)} training runs ({when}): "
        f"{hours:.1f} hours of worker processes in all. Python {versions['python']}, "
        f"TensorFlow {versions['tensorflow-cpu']}, LightGBM {versions['lightgbm']}."
    )
    yield Text(_CROSS_VALIDATED.format(folds=wanted.folds) if wanted.folds else _ONE_SPLIT)


_ONE_SPLIT = (
    "All models see the same encoded features and the same split. A learning rate (or LightGBM's "
    "parameters) is chosen by Norm-GINI on the validation split alone, with one seed; every "
    "model's sum is calibrated on training and validation rows; the test split is read once per "
    "final run. Seeds vary the training. ± is the standard deviation over seeds."
)
_CROSS_VALIDATED = (
    "Cross-validation in {folds} folds: the entities of the training and validation splits are "
    "dealt into folds, and the test split stays unread. Seed s holds out fold s, which is called "
    "test below; on the next fold it chooses its learning rate (or LightGBM's parameters), stops, "
    "and calibrates its intervals; it trains on the rest. After {folds} seeds the entities are "
    "dealt anew. All models see the same folds. ± is the standard deviation over seeds, whose test "
    "rows differ; models are compared seed by seed, and the t-tests allow for training rows that "
    "overlap (Nadeau and Bengio, 2003)."
)


def _table1(results: Results, paper: Mapping[str, Any]) -> Iterator[Block]:
    rows = []
    for dataset in results.grid.datasets:
        known = results.store.dataset(dataset)
        if known:
            counts = known["counts"]
            positives = sum(counts[f"{s}_positive"] for s in ("train", "validation", "test"))
            rows.append(_counts(dataset, counts["samples"], positives, counts))
        if dataset in paper:
            own = paper[dataset]
            rows.append(_counts(f"{dataset}, paper", own["samples"], own["positives"], {}))
    if rows:
        yield Heading(2, "Table 1: data sets")
        header = ["data set", "samples", "positive", "ratio", "train", "validation", "test"]
        yield Table(header, rows)


def _counts(name: str, samples: int, positives: int, counts: Mapping[str, int]) -> list[str]:
    splits = [f"{counts[s]:,}" if s in counts else NONE for s in ("train", "validation", "test")]
    return [name, f"{samples:,}", f"{positives:,}", f"{positives / samples:.2%}", *splits]


def _failed(results: Results) -> Iterator[Block]:
    failed = [record for record in results.current() if "error" in record]
    if failed:
        yield Heading(2, "Failed")
        lines = [
            [f"{r['dataset']}, {r['variant']}, {r['trial']}, seed {r['seed']}", r["error"]]
            for r in failed
        ]
        yield Table(["cell", "reason"], lines)
