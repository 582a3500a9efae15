"""Trains a plan: the same function in one process and on every Horovod rank."""

from __future__ import annotations

import time
from collections.abc import Sequence

import keras

from optdist.config import TrainingConfig
from optdist.data.feature_table import FeatureTable
from optdist.errors import DataError
from optdist.models import build_model
from optdist.ranks import pulse
from optdist.training.communicator import OneRank, Ranks
from optdist.training.devices import use_devices
from optdist.training.epoch import EpochTrainer, Passes
from optdist.training.evaluator import Evaluation
from optdist.training.event_file import Event, OnEvent
from optdist.training.finish import finish
from optdist.training.learner import Learner
from optdist.training.plan import TrainingPlan
from optdist.training.result import EpochRecord, TrainingResult, best_epoch
from optdist.training.resume import keep_epoch, resume
from optdist.training.warm_start import carry_weights


def train(
    plan: TrainingPlan, ranks: Ranks | None = None, on_event: OnEvent | None = None
) -> TrainingResult:
    """Train, calibrate the best epoch on validation, evaluate it once on test, write the folder.

    Rank 0 writes a checkpoint after every epoch. A run whose folder has a checkpoint of the same
    plan continues from there, with the rows in the order that they would have had.

    Args:
        plan: what to train on and how.
        ranks: the processes that train together; None is this one alone.
        on_event: called on rank 0 with {"event": "step" | "epoch" | "resume" | "warm_start", ...}.

    Returns:
        The result, the same on all ranks.

    Raises:
        DataError: the table is damaged or has too few row groups.
        TrainingError: ranks disagree, or the loss is no longer finite.
    """
    ranks = ranks or OneRank()
    report = on_event if on_event and ranks.rank == 0 else _ignore
    use_devices(ranks, plan.training.threads_per_rank)
    keras.utils.set_random_seed(plan.training.seed)
    table = _planned_table(plan)
    trainer = EpochTrainer(table, plan.training, ranks)
    model = build_model(table.schema, plan.model, plan.training.seed)
    learner = Learner(model, plan.training, trainer.steps, ranks)
    evaluation = Evaluation(table, model, ranks, 4 * trainer.batch_size)
    if plan.warm_start and ranks.rank == 0 and not plan.run_folder.checkpoint.exists():
        start = plan.warm_start
        carried = carry_weights(start.load(), model, start.version)
        plan.run_folder.write_carried(carried)
        report({"event": "warm_start", "text": str(carried)})
    history = resume(plan, learner, ranks, report)
    with trainer.passes(range(len(history) + 1, plan.training.epochs + 1)) as passes:
        while not _finished(history, plan.training):
            history.append(_epoch(len(history) + 1, passes, trainer, learner, evaluation, report))
            if ranks.rank == 0:
                with pulse.working():
                    keep_epoch(plan, learner, history)
            report({"event": "epoch", "epochs": plan.training.epochs, **history[-1].model_dump()})
    return finish(plan, evaluation, history)


def _planned_table(plan: TrainingPlan) -> FeatureTable:
    table = FeatureTable.open(plan.table)
    if table.manifest.fingerprint != plan.table_fingerprint:
        raise DataError(f"{plan.table} was rebuilt since this run was planned. Start it again.")
    return table


def _epoch(
    epoch: int,
    passes: Passes,
    trainer: EpochTrainer,
    learner: Learner,
    evaluation: Evaluation,
    on_event: OnEvent,
) -> EpochRecord:
    """Train and evaluate one epoch."""
    started = time.monotonic()
    loss = trainer.train(learner, epoch, passes, on_event)
    seconds = time.monotonic() - started
    learner.check_ranks_agree()
    validation, share = evaluation.epoch("validation")
    return EpochRecord(
        epoch=epoch,
        loss=loss,
        learning_rate=learner.learning_rate,
        rows_per_second=sum(trainer.shard_rows) / seconds,
        seconds=seconds,
        validation=validation,
        sdn_share=share,
    )


def _finished(history: Sequence[EpochRecord], training: TrainingConfig) -> bool:
    if len(history) >= training.epochs:
        return True
    return len(history) - best_epoch(history, training.stop_metric) >= training.patience


def _ignore(event: Event) -> None:
    """Report nothing."""
