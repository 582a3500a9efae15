"""Keeps what the next start of a run needs, and continues from it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from optdist.errors import TrainingError
from optdist.ranks import pulse
from optdist.training.communicator import Ranks, broadcast_text
from optdist.training.event_file import OnEvent
from optdist.training.learner import Learner
from optdist.training.plan import TrainingPlan
from optdist.training.result import EpochRecord, best_epoch

_HISTORY = TypeAdapter(list[EpochRecord])


def resume(
    plan: TrainingPlan, learner: Learner, ranks: Ranks, on_event: OnEvent
) -> list[EpochRecord]:
    """Fill the learner of all ranks with rank 0's checkpoint, if there is one.

    Args:
        plan: the run's plan; it names the run's folder.
        learner: has its initial variables.
        ranks: the processes that train together.
        on_event: told which epoch the run continues after.

    Returns:
        The records of the epochs that were trained before, the same on all ranks.

    Raises:
        TrainingError: the checkpoint is damaged or of another plan, or the ranks disagree.
    """
    folder, history = plan.run_folder, list[EpochRecord]()
    if ranks.rank == 0 and folder.checkpoint.exists():
        with pulse.working():
            state = folder.load_checkpoint(learner.variables)
        if state["plan"] != plan.fingerprint:
            raise TrainingError(
                f"{folder.checkpoint} was written with other settings. Remove it to train from "
                f"the start."
            )
        history = _HISTORY.validate_python(state["history"])
        on_event({"event": "resume", "epoch": len(history)})
    text = broadcast_text(ranks, _HISTORY.dump_json(history).decode())
    learner.broadcast()
    learner.check_ranks_agree()
    return _HISTORY.validate_json(text)


def keep_epoch(plan: TrainingPlan, learner: Learner, history: Sequence[EpochRecord]) -> None:
    """Write the last epoch to the run's folder; a crash on the way repeats at most that epoch.

    Args:
        plan: the run's plan; it names the run's folder.
        learner: after the last epoch.
        history: the records of all epochs.
    """
    folder, best = plan.run_folder, best_epoch(history, plan.training.stop_metric)
    if best == len(history):
        folder.save_best(best, learner.model.variables)
    folder.write_history(history)
    records = [record.model_dump() for record in history]
    folder.save_checkpoint(learner.variables, {"plan": plan.fingerprint, "history": records})
    folder.remove_beaten(best)
