"""Runs a plan on one Horovod rank; launchers start it, also as a script with a plan in a file."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from optdist.training.communicator import HorovodRanks
from optdist.training.event_file import EventWriter
from optdist.training.plan import TrainingPlan
from optdist.training.worker import train


def run_rank(plan_json: str) -> str:
    """Train the plan as one of the ranks; rank 0 reports its progress to the run's folder.

    A rank that fails leaves the reason in that folder, because Horovod only says that it failed.

    Args:
        plan_json: a `TrainingPlan`.

    Returns:
        The run's `TrainingResult` as JSON, the same on all ranks.
    """
    plan = TrainingPlan.model_validate_json(plan_json)
    ranks = HorovodRanks(plan.training.sparse_as_dense)
    with EventWriter(plan.run_folder.events if ranks.rank == 0 else os.devnull) as writer:
        try:
            return train(plan, ranks, writer).to_json()
        except Exception as error:
            plan.run_folder.write_failure(ranks.rank, f"{error}\n\n{traceback.format_exc()}")
            raise


if __name__ == "__main__":
    run_rank(Path(sys.argv[1]).read_text())
