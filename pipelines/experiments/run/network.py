"""Trains one of the networks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from optdist.config import TrainingConfig, model_section
from optdist.data.feature_table import FeatureTable
from optdist.errors import TrainingError
from optdist.serving.predictor import Predictor, load_predictor
from optdist.training import TrainingPlan, train
from pipelines.experiments.plan.measurements import Cost, SdnRows, SdnSummary, Trained
from pipelines.experiments.run.jobs import Job
from pipelines.experiments.run.speed import rows_per_second, scoring_rows

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def train_network(job: Job) -> tuple[Trained, dict[str, np.ndarray] | None]:
    """Train a network, or continue from its folder's checkpoint.

    Returns:
        What the training came to, and the test rows' columns if the job reads the test split.
    """
    keras.backend.clear_session()
    plan = _plan(job)
    result = train(plan) if plan.training.ranks == 1 else _train_on_ranks(plan)
    history = json.loads((plan.path / "history.json").read_text())
    seconds = [epoch["seconds"] for epoch in history]
    best = result["best_epoch"]
    rows, speed, sdn = None, None, None
    if job.test:
        with np.load(plan.path / "test_predictions.npz", allow_pickle=False) as file:
            rows = dict(file)
        speed = _scoring_speed(job, plan)
        if "selected_sdn" in rows:
            share = history[best - 1]["sdn_share"]
            sdn = SdnSummary(validation_share=share, test=summarize_sdns(rows, len(share)))
    cost = Cost(
        parameters=result["parameters"],
        train_rows_per_second=float(np.median([e["rows_per_second"] for e in history])),
        seconds=sum(seconds),
        seconds_to_best=sum(seconds[:best]),
        score_rows_per_second=speed,
    )
    trained = Trained(
        inference=result["inference"],
        validation=result["validation"],
        test=result["test"],
        history=[epoch["validation"]["normalized_gini"] for epoch in history],
        best_epoch=best,
        epochs=result["epochs"],
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
    model = load_predictor(plan.path / "package", threads=job.threads).model
    found = {}
    for rule in model.inferences:
        model.config = plan.model.model_copy(update={"inference": rule})
        found[rule] = rows_per_second(Predictor(model).predict, rows)
    return found


def _train_on_ranks(plan: TrainingPlan) -> dict[str, Any]:
    """Train on Horovod ranks of this machine."""
    plan.path.mkdir(parents=True, exist_ok=True)
    files = [plan.path / name for name in ("plan.json", "result.json")]
    files[0].write_text(plan.model_dump_json())
    files[1].unlink(missing_ok=True)
    ranks = str(plan.training.ranks)
    command = [sys.executable, "-m", "horovod.runner.launch", "--gloo", "-np", ranks]
    with (plan.path / "horovod.log").open("w") as log:
        done = subprocess.run(
            [*command, sys.executable, "-m", __name__, *map(str, files)],
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode or not files[1].exists():
        from optdist.training.entry import failure_reason

        reason = failure_reason(plan.path) or "a rank failed"
        raise TrainingError(f"{reason} Details: {plan.path / 'horovod.log'}")
    result: dict[str, Any] = json.loads(files[1].read_text())
    return result


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


def _rank(plan_file: str, result_file: str) -> None:
    from optdist.training.entry import run_rank

    plan = Path(plan_file).read_text()
    result = run_rank(plan, str(Path(plan_file).with_name("events.jsonl")))
    if os.environ.get("HOROVOD_RANK") == "0":
        Path(result_file).write_text(json.dumps(result))


if __name__ == "__main__":
    _rank(*sys.argv[1:])
