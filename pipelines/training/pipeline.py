"""Runs the training pipeline: features, training, MLflow run, registry, promotion."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence

from matplotlib.figure import Figure
from pydantic import BaseModel
from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.config.identity import identity
from optdist.config.metrics import METRICS
from optdist.data.feature_table import FeatureTable
from optdist.evaluation import plots
from optdist.files import locked
from optdist.log import LOG
from optdist.tracking import LEARNED_UNTIL, OUT_OF_TIME_FROM, PACKAGE_DIGEST, Run, Tracker
from optdist.training import (
    EpochRecord,
    Launcher,
    Registration,
    RunFolder,
    TrainingPlan,
    TrainingResult,
)
from optdist.training.event_file import Event
from optdist.training.progress import ProgressBar
from optdist.training.warm_start import WarmStart
from pipelines.features.build import build_features
from pipelines.monitoring.gate.verdict import Accepting
from pipelines.monitoring.profiles import read_profile, with_scores
from pipelines.registry.card.writing import write_card
from pipelines.registry.promotion import promote
from pipelines.training.engines import launcher_of
from pipelines.training.guard import guard_training
from pipelines.training.start import find_start


class Report(BaseModel):
    """The outcome of a training job."""

    table: str
    data_report: str | None
    run_folder: str
    run_id: str
    model_name: str
    version: str
    result: TrainingResult
    decision: str
    model_card: str | None = None
    tracking: dict[str, str]


def run_training(
    spark: SparkSession,
    config: Config,
    as_of: dt.date | None = None,
    accepting: Accepting | None = None,
) -> Report:
    """Build what is missing, train, evaluate, log, register and promote.

    An interrupted run continues after its last epoch when it is started again with the same
    settings, and one that has registered its version continues with the promotion.

    Args:
        spark: the job's session.
        config: the whole configuration, which is logged with the run.
        as_of: the last day whose label windows count; None: as far as the data reach.
        accepting: failed checks of the gate that somebody lets pass.

    Raises:
        GateError: the features differ too much from those that the champion was trained on.
        BusyError: another job trains with the same settings on the same features.
        ConfigError: the engine cannot do what the settings ask for.
    """
    launcher_of(config)  # what the engine cannot do is said before anything is built
    return train_on(spark, config, build_features(spark, config, as_of), as_of, accepting)


def train_on(
    spark: SparkSession,
    config: Config,
    table: FeatureTable,
    as_of: dt.date | None = None,
    accepting: Accepting | None = None,
) -> Report:
    """Do what `run_training` does once the features are there.

    Args:
        spark: the job's session.
        config: the whole configuration, which is logged with the run.
        table: the features.
        as_of: the last day whose label windows count, of which the run's tags tell.
        accepting: failed checks of the gate that somebody lets pass.

    Raises:
        GateError: the features differ too much from those that the champion was trained on.
        BusyError: another job trains with the same settings on the same features.
    """
    launcher, tracker = launcher_of(config), Tracker(config)
    plan = training_plan(config, table, find_start(config, tracker))
    guard = guard_training(spark, config, tracker, table, accepting or Accepting())
    name = f"{config.dataset.name} {config.model.name} seed{config.training.seed}"
    with locked(plan.path):
        earlier = registered_before(tracker, plan.run_folder)
        run_id = earlier.run_id if earlier else None
        tracker.end_interrupted(plan.run_folder.started_run())
        with tracker.run(name, tags=run_tags(config, as_of), run_id=run_id) as run:
            plan.run_folder.write_started_run(run.run_id)
            if earlier:
                version = earlier.version
                LOG.info(
                    f"trained and registered before as version {version}: continuing from there"
                )
            else:
                guard.log(run)
                train(launcher, config, table, plan, run)
                version = register(config, tracker, table, plan, run)
            decision = promote(spark, config, tracker, table, version)
            run.log_metrics({"promoted": float(decision.promoted)})
            result = plan.run_folder.result()
            card = write_card(config, tracker, table, plan.run_folder, run, version, decision)
            folder = config.layout.run(run.run_id)
            shutil.move(plan.path, folder)
    return Report(
        table=str(table.path),
        data_report=str(table.page) if table.page.exists() else None,
        run_folder=str(folder),
        run_id=run.run_id,
        model_name=config.model_name,
        version=version,
        result=result,
        decision=decision.reason,
        model_card=str(folder / card.name) if card else None,
        tracking=tracker.describe(),
    )


def train(
    launcher: Launcher, config: Config, table: FeatureTable, plan: TrainingPlan, run: Run
) -> None:
    """Train and evaluate a plan, and log its settings, epochs, metrics and plots.

    Args:
        launcher: the engine.
        config: the configuration, which is logged whole.
        table: the features of the plan.
        plan: what to train.
        run: the MLflow run that everything is logged to.
    """
    folder = plan.run_folder
    run.log_config(config)
    run.log_table(table.manifest, table.schema)
    if table.page.exists():
        run.log_file(table.page)
    LOG.info(
        f"training {plan.model.name} on {plan.training.ranks} ranks"
        f"{' (continuing where it stopped)' if folder.checkpoint.exists() else ''}, "
        f"MLflow run {run.run_id}"
    )
    bar = ProgressBar()
    logged = _EpochLog(run)

    def on_event(event: Event) -> None:
        if event["event"] == "epoch":
            table.mark()  # training may take longer than cleaning keeps what nobody uses
        bar(event)
        logged(event)

    result = launcher.launch(plan, on_event)
    bar.close()
    logged.complete(folder.history())
    for inference, metrics in (result.test or {}).items():
        rule = "" if inference == result.inference else f"{inference}_"
        run.log_metrics(metrics, prefix=f"test_{rule}")
        run.log_metrics(result.validation[inference], prefix=f"validation_{rule}")
        if result.out_of_time:
            run.log_metrics(result.out_of_time[inference], prefix=f"out_of_time_{rule}")
        fitted = result.calibration[inference].model_dump()
        run.log_metrics(fitted, prefix=f"calibration_{rule}")
    run.log_figures(figures(folder, result.inference))
    carried = folder.carried()
    if carried:
        run.log_params({f"warm_start.{name}": v for name, v in carried.model_dump().items()})


def register(
    config: Config, tracker: Tracker, table: FeatureTable, plan: TrainingPlan, run: Run
) -> str:
    """Log and register the package, and say so in the plan's folder for the next start.

    Args:
        config: configures data set and model; the version keeps hashes of it.
        tracker: the registry.
        table: the features of the plan.
        plan: what was trained.
        run: the MLflow run that logs the model.
    """
    folder = plan.run_folder
    result = folder.result()
    test, late = result.test_metrics, result.out_of_time_metrics
    profile = read_profile(FeatureTable.open(plan.table))
    if profile:  # a table of an older optdist has none
        predicted = folder.predictions()[f"predicted_{result.inference}"]
        folder.package.add_profile(with_scores(profile, predicted))
    version = tracker.register(
        run.log_model(folder.package, config.scoring.quantiles),
        run.run_id,
        {
            "data_fingerprint": plan.table_fingerprint,
            "inference": result.inference,
            PACKAGE_DIGEST: folder.package.digest or "",
            LEARNED_UNTIL: table.manifest.last_event or "",
            **identity(config),
            **{f"test_{name}": f"{test[name]:.4f}" for name in METRICS if name in test},
            **{f"out_of_time_{name}": f"{late[name]:.4f}" for name in METRICS if name in late},
            **({OUT_OF_TIME_FROM: table.manifest.out_of_time_from or ""} if late else {}),
        },
    )
    folder.write_registration(Registration(run_id=run.run_id, version=version))
    return version


def registered_before(tracker: Tracker, folder: RunFolder) -> Registration | None:
    """The version of a start of the same plan that failed only after it had registered."""
    earlier = folder.registration()
    if earlier and tracker.is_of_run(earlier.version, earlier.run_id):
        return earlier
    return None


def run_tags(config: Config, as_of: dt.date | None) -> dict[str, str]:
    """The tags that tell a run from others in MLflow's list."""
    tags = {"dataset": config.dataset.name, "model": config.model.name} | identity(config)
    tags["registered_model"] = config.model_name  # tells the horizons of a data set apart
    return tags | ({"as_of": as_of.isoformat()} if as_of else {})


def training_plan(
    config: Config, table: FeatureTable, start: WarmStart | None = None
) -> TrainingPlan:
    """The plan of a run; its folder is named after what decides the weights, to be found again.

    Args:
        config: the settings of model and training.
        table: the features.
        start: what the weights start from; None: from initial ones.
    """
    plan = TrainingPlan(
        table=str(table.path),
        table_fingerprint=table.manifest.fingerprint,
        folder="",
        model=config.model,
        training=config.training,
        warm_start=start,
    )
    folder = config.layout.unfinished_run(plan.fingerprint)
    return plan.model_copy(update={"folder": str(folder)})


def figures(folder: RunFolder, inference: str) -> dict[str, Figure]:
    """The plots of a finished run, of predictions by one rule of inference."""
    history = [record.model_dump() for record in folder.history()]
    rows = folder.predictions()
    label, predicted = rows["label"], rows[f"predicted_{inference}"]
    drawn = {
        "training_curves": plots.training_curves(history),
        "deciles": plots.deciles(label, predicted),
    }
    if "selected_sdn" in rows:
        drawn["sdn_shares"] = plots.sdn_shares(history)
        drawn["sdn_boxplots"] = plots.sdn_boxplots(label, predicted, rows["selected_sdn"])
    return drawn


def summary(report: Report) -> str:
    """The closing lines: where everything is, and the metrics of held-out rows as a table."""
    test, late = report.result.test_metrics, report.result.out_of_time_metrics
    rows = [f"  {'':<16}{'test':>8}{'out of time':>13}"] if late else []
    rows += [
        f"  {metric.title:<16}{metric.text(test[name]):>8}"
        f"{f'{metric.text(late[name]):>13}' if late else ''}   {metric.note.format_map(test)}"
        for name, metric in METRICS.items()
        if name in test
    ]
    table = "\n".join(row.rstrip() for row in rows)
    places = [
        ("features", report.table),
        ("data report", report.data_report or "none"),
        ("run folder", report.run_folder),
        ("MLflow", f"{report.tracking.get('tracking_uri')} run {report.run_id}"),
        ("registry", f"{report.model_name} version {report.version}"),
        ("promotion", report.decision),
        ("model card", report.model_card or "none"),
    ]
    lines = "\n".join(f"  {name:<12}{place}" for name, place in places)
    best = f"best epoch {report.result.best_epoch}, inference {report.result.inference}"
    splits = "test split and newest dates" if late else "test split"
    return f"\n{splits}, {best}:\n{table}\n\nwhere:\n{lines}"


def facts(report: Report) -> dict[str, object]:
    """What a job's result file has of a training run."""
    result = report.result
    return {
        **report.model_dump(mode="json", exclude={"result", "tracking"}),
        "best_epoch": result.best_epoch,
        "epochs": result.epochs,
        "training_seconds": round(result.seconds, 1),
        "rows": result.rows,
        "test": result.test_metrics,
        "out_of_time": result.out_of_time_metrics or None,
    }


class _EpochLog:
    """Logs each epoch once, those before a resumed start included."""

    def __init__(self, run: Run) -> None:
        self.run, self.seen = run, set[int]()

    def __call__(self, event: Event) -> None:
        if event["event"] == "epoch":
            fields = {name: event[name] for name in EpochRecord.model_fields if name in event}
            self._log(EpochRecord(**fields))

    def complete(self, history: Sequence[EpochRecord]) -> None:
        """Log the epochs that have not been logged."""
        for record in history:
            self._log(record)

    def _log(self, record: EpochRecord) -> None:
        if record.epoch not in self.seen:
            self.run.log_epoch(record)
            self.seen.add(record.epoch)  # only now: what failed is logged by `complete`
