"""Finishes a run: calibrates the best epoch's weights, evaluates them once and writes them."""

from __future__ import annotations

from collections.abc import Sequence

from optdist.data.feature_table import OUT_OF_TIME
from optdist.ranks import pulse
from optdist.serving.package import Package
from optdist.training.evaluator import Evaluation
from optdist.training.plan import TrainingPlan
from optdist.training.result import EpochRecord, TrainingResult, best_epoch


def finish(
    plan: TrainingPlan, evaluation: Evaluation, history: Sequence[EpochRecord]
) -> TrainingResult:
    """Calibrate the best epoch on validation, evaluate it, and write the run's folder.

    It is evaluated on validation and test, and on the newest dates where they are held out.

    Args:
        plan: the run's plan; it names the run's folder.
        evaluation: evaluates the trained model, whose weights become those of the best epoch.
        history: the records of all epochs.

    Returns:
        The result, the same on all ranks.
    """
    folder, model, ranks = plan.run_folder, evaluation.model, evaluation.ranks
    best = best_epoch(history, plan.training.stop_metric)
    if ranks.rank == 0:
        with pulse.working():
            folder.load_best(best, model.variables)
    ranks.broadcast([variable.value for variable in model.variables])
    evaluation.calibrate()
    validation, _ = evaluation.final("validation")
    test, rows = evaluation.final("test") if plan.test else (None, None)
    late, late_rows = (
        evaluation.final(OUT_OF_TIME)
        if plan.test and OUT_OF_TIME in evaluation.table.manifest.splits
        else (None, None)
    )
    result = TrainingResult(
        best_epoch=best,
        epochs=len(history),
        inference=model.inference,
        validation=validation,
        test=test,
        out_of_time=late,
        test_sdn_share=None if rows is None else evaluation.shares(rows),
        calibration=model.calibrations,
        seconds=sum(record.seconds for record in history),
        rows=evaluation.table.manifest.counts,
        parameters=int(model.count_params()),
        ranks=ranks.size,
        plan=plan.fingerprint,
    )
    if ranks.rank == 0:
        with pulse.working():
            Package.save(model, folder.package)
            if rows is not None:
                folder.write_predictions(rows)
            if late_rows is not None:
                folder.write_predictions(late_rows, OUT_OF_TIME)
            folder.write_result(result)
    return result
