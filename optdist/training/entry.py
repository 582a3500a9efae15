"""What the launchers start on every Horovod rank."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

from optdist.files import write_atomically
from optdist.training.communicator import HorovodRanks
from optdist.training.plan import TrainingPlan
from optdist.training.progress import EventWriter
from optdist.training.worker import train

FAILED = "error-{}.txt"  # of a rank, in the run's folder


def failure_reason(folder: Path) -> str | None:
    """What the first rank that failed left in a run's folder, or None."""
    for path in sorted(folder.glob(FAILED.format("*"))):
        return path.read_text().split("\n\n")[0]
    return None


def run_rank(plan_json: str, events_path: str) -> dict[str, Any]:
    """Train the plan as one of the ranks; rank 0 reports to `events_path`.

    A rank that fails leaves the reason in the run's folder, for Horovod tells only that it failed.
    """
    plan = TrainingPlan.model_validate_json(plan_json)
    ranks = HorovodRanks(plan.training.sparse_as_dense)
    with EventWriter(events_path if ranks.rank == 0 else os.devnull) as writer:
        try:
            return train(plan, ranks, writer)
        except Exception as error:
            reason = f"{error}\n\n{traceback.format_exc()}"
            write_atomically(
                plan.path / FAILED.format(ranks.rank), lambda file: file.write(reason.encode())
            )
            raise
