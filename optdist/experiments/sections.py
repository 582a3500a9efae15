"""The sections of a report, one for each table or figure of the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from optdist.experiments import figures, table3
from optdist.experiments.grid import LIGHTGBM
from optdist.experiments.render import Block, Heading, Picture, Table, Text
from optdist.experiments.results import Results
from optdist.experiments.table2 import EXPLAINED, models
from optdist.experiments.tables import NONE, Row, mean_of, mean_sd, rows_of, seed_records


class Sections:
    """Blocks, and the figures that they show by name."""

    def __init__(self, results: Results, paper: Mapping[str, Any]) -> None:
        """Prepare the sections of `results`, with the `paper`'s own figures beside."""
        self.results, self.grid, self.paper = results, results.grid, paper
        self.figures: dict[str, Figure] = {}
        seeds = self.grid.experiment.seeds
        tables = {d: rows_of(results, d, self.grid.models, seeds) for d in self.grid.datasets}
        self.table2 = {dataset: rows for dataset, rows in tables.items() if rows}

    def blocks(self) -> list[Block]:
        """All of the report."""
        parts = (
            self._head,
            self._table1,
            self._table2,
            self._choices,
            self._cost,
            self._table3,
            self._figure4,
            self._figure5,
            self._figure1,
            self._failed,
        )
        return [block for part in parts for block in part()]

    def _head(self) -> Iterator[Block]:
        wanted, records = self.grid.experiment, self.results.current()
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
        tasks = self.grid.tasks()
        ended = sum(self.results.done(task) for task in tasks)
        when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
        yield Text(
            f"{ended} of {len(tasks)} tasks are finished, by {len(done)} training runs ({when}): "
            f"{hours:.1f} hours of worker processes in all. Python {versions['python']}, "
            f"TensorFlow {versions['tensorflow-cpu']}, LightGBM {versions['lightgbm']}."
        )
        if wanted.folds:
            yield Text(
                f"Cross-validation: the entities of the training and validation splits fall into "
                f"{wanted.folds} folds, and the test split stays unread. Seed s holds out fold s, "
                f"which is called test below, stops and calibrates on the next fold, and trains on "
                f"the rest; after {wanted.folds} seeds the entities are dealt anew. The t-tests "
                f"allow for training rows that overlap (Nadeau and Bengio, 2003)."
            )
        yield Text(
            "All models see the same encoded features and the same split. A learning rate (or "
            "LightGBM's parameters) is chosen by Norm-GINI on the validation split alone, with one "
            "seed; every model's sum is calibrated on training and validation rows; the test split "
            "is read once per final run. Seeds vary the training. ± is the standard deviation over "
            "seeds."
        )

    def _table1(self) -> Iterator[Block]:
        rows = []
        for dataset in self.grid.datasets:
            known = self.results.store.dataset(dataset)
            if known:
                counts = known["counts"]
                splits = ("train", "validation", "test")
                positives = sum(counts[f"{split}_positive"] for split in splits)
                rows.append(_counts(dataset, counts["samples"], positives, counts))
            if dataset in self.paper:
                own = self.paper[dataset]
                rows.append(_counts(f"{dataset}, paper", own["samples"], own["positives"], {}))
        if rows:
            yield Heading(2, "Table 1: data sets")
            header = ["data set", "samples", "positive", "ratio", "train", "validation", "test"]
            yield Table(header, rows)

    def _table2(self) -> Iterator[Block]:
        if not self.table2:
            return
        yield Heading(2, "Table 2: models")
        yield from map(Text, EXPLAINED)
        for dataset, rows in self.table2.items():
            published = self.paper.get(dataset, {}).get("table2", {})
            overlap, ratio = self.grid.experiment.overlap, self._split_ratio(dataset)
            yield from models(dataset, rows, published, overlap, ratio)
        values = {
            dataset: {row.label: row.values("normalized_gini").tolist() for row in rows}
            for dataset, rows in self.table2.items()
        }
        self.figures["norm_gini"] = figures.norm_gini(values)
        yield Picture(
            "norm_gini",
            "Norm-GINI on test: each seed (dots) and the mean (bar). An arrow is the mean of a "
            "model that is far behind.",
        )

    def _split_ratio(self, dataset: str) -> float | None:
        """The mean label of the rows that the scale is fitted on over that of test rows."""
        known = self.results.store.dataset(dataset)
        if not known or "mean_label" not in known or self.grid.experiment.folds:
            return None
        mean, rows = known["mean_label"], known["counts"]
        total = sum(mean[split] * rows[split] for split in ("train", "validation"))
        return float(total / (rows["train"] + rows["validation"]) / mean["test"])

    def _choices(self) -> Iterator[Block]:
        if not self.table2:
            return
        yield Heading(2, "Chosen on validation")
        yield Text(
            "The learning rate or trial that was chosen, and Norm-GINI on validation rows over "
            "seeds: by this, and not by the test split, settings are judged."
        )
        lines = []
        for model in self.grid.models:
            line = [model]
            for dataset in self.table2:
                line += [self._trials(dataset, model), self._validated(dataset, model)]
            lines.append(line)
        header = [part for d in self.table2 for part in (f"{d}, chosen", f"{d}, validation")]
        yield Table(["model", *header], lines)
        if self.grid.experiment.lightgbm:
            trials = enumerate(self.grid.experiment.lightgbm.trials, 1)
            listed = [f"trial{i}: {', '.join(f'{k} {v}' for k, v in t.items())}" for i, t in trials]
            yield Text(f"{LIGHTGBM}'s trials. {'; '.join(listed)}.")

    def _trials(self, dataset: str, model: str) -> str:
        """The trial chosen, or how often each was where every seed has its own."""
        seeds = dict.fromkeys(map(self.grid.tune_seed, self.grid.experiment.seeds))
        choices = [self.results.choice(dataset, model, seed) for seed in seeds]
        counts = Counter(choice[0] for choice in choices if choice)
        if len(seeds) == 1:
            return next(iter(counts), NONE)
        return ", ".join(f"{trial} ({n})" for trial, n in counts.most_common()) or NONE

    def _validated(self, dataset: str, model: str) -> str:
        records = seed_records(self.results, dataset, model, self.grid.experiment.seeds).values()
        values = [r["validation"][r["inference"]]["normalized_gini"] for r in records]
        return mean_sd(np.array(values))

    def _cost(self) -> Iterator[Block]:
        if not self.table2:
            return
        yield Heading(2, "Cost")
        yield Text(
            "Means over seeds, each run alone on its worker process, others beside it. An epoch of "
            f"{LIGHTGBM} is a boosting round, its parameters are leaves. Scoring starts from raw "
            "rows, encoding included."
        )
        header = [
            "model",
            "parameters",
            "training rows/s",
            "best epoch",
            "s to best epoch",
            "s in all",
        ]
        header.append("scoring rows/s")
        for dataset, rows in self.table2.items():
            yield Heading(3, dataset)
            yield Table(header, [_cost_line(row) for row in rows])

    def _table3(self) -> Iterator[Block]:
        wanted = self.grid.experiment.ablations
        if not wanted:
            return
        tables = {}
        for dataset in self.grid.named(wanted.datasets):
            names = {wanted.model: wanted.model, **self.grid.ablations(dataset)}
            rows = rows_of(self.results, dataset, names, wanted.seeds)
            if len({row.model for row in rows}) > 1:
                tables[dataset] = names, rows
        if not tables:
            return
        yield Heading(2, "Table 3: ablations")
        yield Text(table3.EXPLAINED)
        values: dict[str, dict[str, list[float]]] = {}
        for dataset, (names, rows) in tables.items():
            yield from table3.ablations(dataset, rows, names, self.grid.experiment.overlap)
            variants = table3.by_rule_of(rows)
            values[dataset] = {
                names[v]: table3.gains(variants, wanted.model, v, "normalized_gini").tolist()
                for v in variants
                if v != wanted.model
            }
        self.figures["table3"] = figures.norm_gini(values, f"gain in Norm-GINI over {wanted.model}")
        yield Picture(
            "table3",
            f"Gain in Norm-GINI over {wanted.model}: each seed (dots) and the mean (bar). An arrow "
            "is the mean of a variant that is far behind.",
        )

    def _figure4(self) -> Iterator[Block]:
        wanted = self.grid.experiment.sweeps
        if not wanted:
            return
        values: dict[str, Any] = {}
        for dataset in self.grid.named(wanted.datasets):
            for setting, variants in self.grid.sweep(dataset).items():
                for value, variant in variants.items():
                    for row in rows_of(self.results, dataset, [variant], wanted.seeds):
                        by_rule = values.setdefault(dataset, {}).setdefault(setting, {})
                        gini = row.values("normalized_gini").tolist()
                        by_rule.setdefault(row.rule, {})[value] = gini
        if not values:
            return
        self.figures["figure4"] = figures.sweeps(values)
        yield Heading(2, "Fig. 4: number of SDNs and temperature")
        yield Picture(
            "figure4",
            f"Norm-GINI on test, mean and standard deviation over up to {len(wanted.seeds)} seeds.",
        )

    def _figure5(self) -> Iterator[Block]:
        values = {}
        for dataset, rows in self.table2.items():
            ours = [row for row in rows if row.ours and row.records[0]["sdn"]]
            if ours:
                values[dataset] = ours[0].records[0]["sdn"]["test"]
        if values:
            self.figures["figure5"] = figures.sdn_boxes(values)
            yield Heading(2, "Fig. 5: sub-distributions")
            yield Picture(
                "figure5",
                "Actual and predicted value (hard inference) of the test rows of each SDN, first "
                "seed: boxes are quartiles, whiskers the 5% and 95% quantiles.",
            )

    def _figure1(self) -> Iterator[Block]:
        known = {d: self.results.store.dataset(d) for d in self.grid.datasets}
        values = {d: found["clusters"] for d, found in known.items() if found and found["clusters"]}
        if values:
            self.figures["figure1"] = figures.clusters(values)
            yield Heading(2, "Fig. 1: value by cluster of users")
            yield Picture(
                "figure1",
                "Training rows by log(CLTV + 1), in four k-means clusters of the numeric features.",
            )

    def _failed(self) -> Iterator[Block]:
        failed = [record for record in self.results.current() if "error" in record]
        if failed:
            yield Heading(2, "Failed")
            lines = [
                [f"{r['dataset']}, {r['variant']}, {r['trial']}, seed {r['seed']}", r["error"]]
                for r in failed
            ]
            yield Table(["cell", "reason"], lines)


def _counts(name: str, samples: int, positives: int, counts: Mapping[str, int]) -> list[str]:
    splits = [f"{counts[s]:,}" if s in counts else NONE for s in ("train", "validation", "test")]
    return [name, f"{samples:,}", f"{positives:,}", f"{positives / samples:.2%}", *splits]


def _cost_line(row: Row) -> list[str]:
    def mean(name: str) -> float:
        return mean_of(row, lambda record: record["cost"][name])

    return [
        row.label,
        f"{mean('parameters'):,.0f}",
        f"{mean('train_rows_per_second'):,.0f}",
        f"{mean_of(row, lambda r: r['best_epoch']):.1f}",
        f"{mean('seconds_to_best'):,.1f}",
        f"{mean('seconds'):,.1f}",
        f"{mean_of(row, lambda r: r['cost']['score_rows_per_second'][row.rule]):,.0f}",
    ]
