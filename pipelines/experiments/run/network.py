"""Trains one of the networks."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from optdist.config import HorovodConfig, TrainingConfig, model_section
from optdist.data.feature_table import FeatureTable
from optdist.serving.predictor import Predictor, load_predictor
from optdist.training import TrainingPlan
from optdist.training.local_launcher import LocalHorovod, OneProcess
from pipelines.experiments.plan.measurements import Cost, SdnRows, SdnSummary, Trained
from pipelines.experiments.run.jobs import Job
from pipelines.experiments.run.speed import rows_per_second, scoring_rows

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def train_network(job: Job) -> tuple[Trained, dict[str, np.ndarray] | None]:
    """Train a network, or continue from its folder's checkpoint.

    Returns:
        The result of training, and the test rows' columns if the job reads the test split.
    """
    keras.backend.clear_session()
    plan = _plan(job)
    launcher = OneProcess() if plan.training.ranks == 1 else LocalHorovod(HorovodConfig())
    result = launcher.launch(plan, lambda event: None)
    history = plan.run_folder.history()
    seconds = [epoch.seconds for epoch in history]
    best = result.best_epoch
    rows, speed, sdn = None, None, None
    if job.test:
        rows = plan.run_folder.predictions()
        speed = _scoring_speed(job, plan)
        share = history[best - 1].sdn_share
        if share:
            sdn = SdnSummary(validation_share=share, test=summarize_sdns(rows, len(share)))
    cost = Cost(
        parameters=result.parameters,
        train_rows_per_second=float(np.median([e.rows_per_second for e in history])),
        seconds=sum(seconds),
        seconds_to_best=sum(seconds[:best]),
        score_rows_per_second=speed,
    )
    trained = Trained(
        **result.model_dump(include={"inference", "validation", "test", "best_epoch", "epochs"}),
        history=[epoch.validation["normalized_gini"] for epoch in history],
        sdn=sdn,
        cost=cost,
    )
    return trained, rows


def _plan(job: Job) -> TrainingPlan:
    settings = job.settings
    training = (settings.training or {}) | {"seed": job.seed, "threads_per_rank": job.threads}
    return TrainingPlan(
        table=job.table,
        table_fingerprint=job.table_fingerprint,
        folder=job.folder,
        model=model_section(settings.model),
        training=TrainingConfig(**training),
        test=job.test,
    )


def _scoring_speed(job: Job, plan: TrainingPlan) -> dict[str, float]:
    """Raw rows per second that the package scores, by rule of inference."""
    rows = scoring_rows(FeatureTable.open(job.table))
    model = load_predictor(plan.run_folder.package, threads=job.threads).model
    speeds = {}
    for rule in model.inferences:
        model.config = plan.model.model_copy(update={"inference": rule})
        speeds[rule] = rows_per_second(Predictor(model).predict, rows)
    return speeds


def summarize_sdns(rows: Mapping[str, np.ndarray], count: int) -> list[SdnRows]:
    """Share, and quantiles of actual and predicted value, of the test rows of each SDN (Fig. 5).

    Args:
        rows: [N] each: `label` and `predicted_hard` in currency units, `selected_sdn` in [0, L).
        count: L, the number of SDNs.
    """
    summary = []
    for i in range(count):
        selects = rows["selected_sdn"] == i
        if not selects.any():
            summary.append(SdnRows(share=0.0, actual=None, predicted=None))
            continue
        actual, predicted = (
            np.quantile(rows[name][selects], _QUANTILES).tolist()
            for name in ("label", "predicted_hard")
        )
        summary.append(SdnRows(share=float(selects.mean()), actual=actual, predicted=predicted))
    return summary
