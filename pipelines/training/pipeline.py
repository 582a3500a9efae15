"""The training pipeline: features, ranks, MLflow run, registry, promotion."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from pydantic import BaseModel
from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.config.identity import identity
from optdist.config.metrics import METRICS
from optdist.data.feature_table import FeatureTable
from optdist.evaluation import plots
from optdist.files import locked, write_json
from optdist.serving.package import Package
from optdist.tracking import Run, Tracker
from optdist.training.plan import TrainingPlan
from optdist.training.progress import ProgressBar
from pipelines.features.build import build_features
from pipelines.registry.promotion import Decision, promote
from pipelines.training.spark_launcher import launch

_REGISTERED = "registered.json"  # in the folder of a run that has not ended


class Report(BaseModel):
    """What a training job ends with."""

    table: str
    run_folder: str
    run_id: str
    model_name: str
    version: str
    result: dict[str, Any]
    decision: str
    tracking: dict[str, Any]


def run_training(spark: SparkSession, config: Config, as_of: dt.date | None = None) -> Report:
    """Build what is missing, train, evaluate, log, register and promote.

    An interrupted run goes on from its last epoch when it is started again with the same settings,
    and one that has registered its version goes on with the promotion.

    Raises:
        BusyError: another job trains with the same settings on the same features.
    """
    table = build_features(spark, config, as_of)
    plan = training_plan(config, table)
    tracker = Tracker(config)
    name = f"{config.dataset.name} {config.model.name} seed{config.training.seed}"
    with locked(plan.path):
        left = registered_before(tracker, plan)
        run_id = left["run_id"] if left else None
        with tracker.run(name, tags=run_tags(config, as_of), run_id=run_id) as run:
            if left:
                version = left["version"]
                print(f"trained and registered before as version {version}: going on from there")
            else:
                train(spark, config, table, plan, run)
                version = register(config, tracker, plan, run)
            decision: Decision = promote(spark, config, tracker, table, version)
            run.log_metrics({"promoted": float(decision.promoted)})
            result = json.loads((plan.path / "metrics.json").read_text())
            folder = config.layout.run(run.run_id)
            shutil.move(plan.path, folder)
    return Report(
        table=str(table.path),
        run_folder=str(folder),
        run_id=run.run_id,
        model_name=config.model_name,
        version=version,
        result=result,
        decision=decision.reason,
        tracking=tracker.describe(),
    )


def train(
    spark: SparkSession, config: Config, table: FeatureTable, plan: TrainingPlan, run: Run
) -> None:
    """Train and evaluate on the ranks, and log what came of it."""
    resumed = (plan.path / "checkpoint.npz").exists()
    run.log_config(config)
    run.log_table(table.manifest)
    print(
        f"training {config.model.name} on {plan.training.ranks} ranks"
        f"{' (going on where it stopped)' if resumed else ''}, MLflow run {run.run_id}"
    )
    bar = ProgressBar()
    logged = _EpochLog(run)

    def on_event(event: dict[str, Any]) -> None:
        bar(event)
        logged(event)

    result = launch(spark, plan, on_event)
    bar.close()
    logged.complete(plan.path)
    for inference, metrics in result["test"].items():
        rule = "" if inference == result["inference"] else f"{inference}_"
        run.log_metrics(metrics, prefix=f"test_{rule}")
        run.log_metrics(result["validation"][inference], prefix=f"validation_{rule}")
        run.log_metrics(result["calibration"][inference], prefix=f"calibration_{rule}")
    run.log_figures(figures(plan.path, result["inference"]))


def register(config: Config, tracker: Tracker, plan: TrainingPlan, run: Run) -> str:
    """Log and register the package; the plan's folder then says so, for the next start."""
    result = json.loads((plan.path / "metrics.json").read_text())
    test = result["test"][result["inference"]]
    version = tracker.register(
        run.log_model(Package(plan.path / "package"), config.scoring.quantiles),
        run.run_id,
        {
            "data_fingerprint": plan.table_fingerprint,
            "inference": result["inference"],
            **identity(config),
            **{f"test_{name}": f"{test[name]:.4f}" for name in METRICS if name in test},
        },
    )
    write_json(plan.path / _REGISTERED, {"run_id": run.run_id, "version": version})
    return version


def registered_before(tracker: Tracker, plan: TrainingPlan) -> dict[str, str] | None:
    """Run and version of a start of the same plan that failed only after it had registered."""
    file = plan.path / _REGISTERED
    left: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    return left if left and tracker.is_of_run(left["version"], left["run_id"]) else None


def run_tags(config: Config, as_of: dt.date | None) -> dict[str, str]:
    """What tells a run from others in MLflow's list."""
    tags = {"dataset": config.dataset.name, "model": config.model.name} | identity(config)
    return tags | ({"as_of": as_of.isoformat()} if as_of else {})


def training_plan(config: Config, table: FeatureTable) -> TrainingPlan:
    """The plan of a run; its folder is named by what decides the weights, to be found again."""
    plan = TrainingPlan(
        table=str(table.path),
        table_fingerprint=table.manifest["fingerprint"],
        folder="",
        model=config.model,
        training=config.training,
    )
    folder = config.layout.unfinished_run(plan.fingerprint)
    return plan.model_copy(update={"folder": str(folder)})


def figures(folder: Path, inference: str) -> dict[str, Figure]:
    """The plots of a finished run's folder, of predictions by one rule of inference."""
    history = json.loads((folder / "history.json").read_text())
    with np.load(folder / "test_predictions.npz", allow_pickle=False) as content:
        rows = dict(content)
    label, predicted = rows["label"], rows[f"predicted_{inference}"]
    made = {
        "training_curves": plots.training_curves(history),
        "deciles": plots.deciles(label, predicted),
    }
    if "selected_sdn" in rows:
        made["sdn_shares"] = plots.sdn_shares(history)
        made["sdn_boxplots"] = plots.sdn_boxplots(label, predicted, rows["selected_sdn"])
    return made


def summary(report: Report) -> str:
    """The closing lines: where everything is, and the test metrics as a table."""
    inference = report.result["inference"]
    test = report.result["test"][inference]
    rows = [
        f"  {metric.title:<16}{metric.text(test[name]):>8}   {metric.note.format_map(test)}"
        for name, metric in METRICS.items()
        if name in test
    ]
    table = "\n".join(row.rstrip() for row in rows)
    places = [
        ("features", report.table),
        ("run folder", report.run_folder),
        ("MLflow", f"{report.tracking.get('tracking_uri')} run {report.run_id}"),
        ("registry", f"{report.model_name} version {report.version}"),
        ("promotion", report.decision),
    ]
    lines = "\n".join(f"  {name:<12}{place}" for name, place in places)
    best = report.result["best_epoch"]
    return f"\ntest split, best epoch {best}, inference {inference}:\n{table}\n\nwhere:\n{lines}"


class _EpochLog:
    """Logs each epoch once, those before a resumed start included."""

    def __init__(self, run: Any) -> None:
        self.run, self.seen = run, set[int]()

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] == "epoch" and event["epoch"] not in self.seen:
            self.run.log_epoch(event)
            self.seen.add(event["epoch"])  # only now: what failed is logged by `complete`

    def complete(self, folder: Path) -> None:
        """Log what came before this start."""
        for record in json.loads((folder / "history.json").read_text()):
            self({"event": "epoch", **record})
