"""Compares training from the champion's weights with training from initial ones, on real data.

A champion is trained on the samples whose labels ended some months ago. Then a newer table is
trained on twice with each seed: from initial weights, and from the champion's. Both get the same
epochs, learning rate and stopping; what differs is where they begin, and how soon they stop.

    . requirements/env.sh
    .venv/bin/python benchmarks/quality/warm_start.py --data data/online_retail.csv.gz

It prints the table of docs/operations.md; two feature tables are built below --root.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import time
from pathlib import Path

from optdist.config import Config, load_config
from optdist.data.feature_table import FeatureTable
from optdist.serving.package import Package
from optdist.training import TrainingPlan, TrainingResult
from optdist.training.local_launcher import OneProcess
from optdist.training.warm_start import WarmStart
from pipelines.features.build import build_features
from pipelines.session import spark_session
from pipelines.training.pipeline import training_plan

METRICS = ("normalized_gini", "spearman", "total_ratio")


def run(
    config: Config, table: FeatureTable, folder: Path, start: WarmStart | None
) -> tuple[TrainingPlan, TrainingResult, float]:
    """Train one plan in this process; its seconds are CPU time."""
    plan = training_plan(config, table, start).model_copy(update={"folder": str(folder)})
    began = time.process_time()
    result = OneProcess().launch(plan, lambda event: None)
    return plan, result, time.process_time() - began


def row(name: str, runs: list[tuple[TrainingPlan, TrainingResult, float]]) -> str:
    """Means over seeds, with the smallest and the largest of the first metric."""
    columns = []
    for metric in METRICS:
        values = [result.test_metrics[metric] for _, result, _ in runs]
        spread = f" ({min(values):.4f}-{max(values):.4f})" if metric == METRICS[0] else ""
        columns.append(f"{statistics.mean(values):.4f}{spread}")
    best = statistics.mean(result.best_epoch for _, result, _ in runs)
    epochs = statistics.mean(result.epochs for _, result, _ in runs)
    firsts = [plan.run_folder.history()[0].validation["normalized_gini"] for plan, _, _ in runs]
    seconds = statistics.mean(taken for _, _, taken in runs)
    cells = [f"{statistics.mean(firsts):.4f}", f"{best:.1f}", f"{epochs:.1f}", f"{seconds:.0f}"]
    return f"| {' | '.join([name, *cells, *columns])} |"


def main() -> None:
    """Build, train and print."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", required=True, help="online_retail.csv.gz")
    options.add_argument("--root", type=Path, default=Path("artifacts/warm_start"))
    options.add_argument("--then", type=dt.date.fromisoformat, default=dt.date(2011, 8, 31))
    options.add_argument("--now", type=dt.date.fromisoformat, default=dt.date(2011, 11, 30))
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, default=12)
    args = options.parse_args()
    settings = [
        f"paths.root={args.root.resolve()}",
        f"dataset.source.tables.invoices.path={args.data}",
        "training.engine=one_process",
        "training.ranks=1",
        f"training.epochs={args.epochs}",
    ]
    config = load_config("online_retail", overrides=settings)
    spark = spark_session(config.spark, "warm start")
    old, new = (build_features(spark, config, day) for day in (args.then, args.now))
    spark.stop()
    begun, outcomes = time.strftime("%H%M%S"), dict[str, list]()
    for seed in range(1, args.seeds + 1):
        one = config.model_copy(
            update={"training": config.training.model_copy(update={"seed": seed})}
        )
        folder = args.root / "runs" / f"{begun}-{seed}"
        champion = run(one, old, folder / "champion", None)
        package = Package(folder / "champion" / "package")
        start = WarmStart(package=str(package.path), version="1", digest=package.digest)
        outcomes.setdefault("champion, on the older samples", []).append(champion)
        outcomes.setdefault("cold", []).append(run(one, new, folder / "cold", None))
        outcomes.setdefault("warm", []).append(run(one, new, folder / "warm", start))
        shorter = one.training.model_copy(update={"epochs": max(args.epochs // 4, 1)})
        short = one.model_copy(update={"training": shorter})
        outcomes.setdefault(f"cold, {shorter.epochs} epochs", []).append(
            run(short, new, folder / "cold_short", None)
        )
        outcomes.setdefault(f"warm, {shorter.epochs} epochs", []).append(
            run(short, new, folder / "warm_short", start)
        )
        print(f"seed {seed}: {outcomes['warm'][-1][0].run_folder.carried()}", flush=True)
    rows = {name: table.manifest.counts["train"] for name, table in (("then", old), ("now", new))}
    print(f"\ntraining rows: {rows}; {args.seeds} seeds\n")
    heads = ["first epoch, validation", "best epoch", "epochs", "CPU s", *METRICS]
    print(f"| start | {' | '.join(heads)} |\n|---|{'---:|' * len(heads)}")
    for name, runs in outcomes.items():
        print(row(name, runs))


if __name__ == "__main__":
    main()
