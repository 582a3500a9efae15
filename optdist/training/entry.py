"""Runs a plan on one Horovod rank; launchers start it by its name."""

from __future__ import annotations

import json
import os
import traceback
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from optdist.errors import TrainingError
from optdist.ranks.errors import MissingRankError
from optdist.training.communicator import HorovodRanks, misses_a_rank
from optdist.training.event_file import EventWriter
from optdist.training.plan import TrainingPlan
from optdist.training.run_folder import RunFolder
from optdist.training.worker import train

RANK = "optdist.training.entry:run_rank"


def run_rank(plan_json: str) -> str:
    """Train the plan as one of the ranks; rank 0 reports its progress to the run's folder.

    A rank that fails leaves the reason in that folder, unless it is that another one is gone.

    Args:
        plan_json: a `TrainingPlan`.

    Returns:
        The run's `TrainingResult` as JSON, the same on all ranks.
    """
    folder = RunFolder(Path(json.loads(plan_json)["folder"]))  # before anything that can fail
    try:
        plan = _read_plan(plan_json)
        ranks = HorovodRanks(plan.training.sparse_as_dense)
        with EventWriter(folder.events if ranks.rank == 0 else os.devnull) as writer:
            return train(plan, ranks, writer).to_json()
    except Exception as error:
        if misses_a_rank(error):
            raise MissingRankError(str(error)) from error
        rank = int(os.environ.get("HOROVOD_RANK", "0"))
        with suppress(OSError):  # such as a full disk, which is what is to be said
            folder.write_failure(rank, f"{error}\n\n{traceback.format_exc()}")
        raise


def _read_plan(text: str) -> TrainingPlan:
    try:
        return TrainingPlan.model_validate_json(text)
    except ValidationError as error:  # such as a class that only the driver can import
        raise TrainingError("; ".join(problem["msg"] for problem in error.errors())) from error
