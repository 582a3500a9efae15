"""Starts a run's ranks again when one was lost; they continue after their last checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from optdist.errors import TrainingError
from optdist.ranks.watch import RanksFailed
from optdist.training.event_file import OnEvent
from optdist.training.run_folder import RunFolder

T = TypeVar("T")


def with_restarts(start: Callable[[], T], run: RunFolder, restarts: int, on_event: OnEvent) -> T:
    """Start ranks, and again where one was killed or hung.

    A rank that says why it failed would fail again, and is not started again.

    Args:
        start: starts all ranks, and returns when all have ended.
        run: the run's folder, where ranks leave their reasons.
        restarts: how often ranks are started again, >= 0.
        on_event: told of each restart.

    Raises:
        TrainingError: a rank said why it failed, or was lost once more than `restarts`.
    """
    for restart in range(restarts + 1):
        run.forget_failures()
        try:
            return start()
        except RanksFailed as error:
            if error.reason:
                reason = error.reason.rstrip(".")
                raise TrainingError(f"{reason}. Details: {run.log_of('*')}") from error
            if restart == restarts:
                raise TrainingError(f"{error} {_what_to_do(restarts)}") from error
            on_event(
                {
                    "event": "restart",
                    "reason": str(error),
                    "restart": restart + 1,
                    "restarts": restarts,
                }
            )
    raise ValueError(f"restarts must be >= 0. Received: {restarts}.")


def _what_to_do(restarts: int) -> str:
    again = "once" if restarts == 1 else f"{restarts} times"
    before = f"The ranks had been started again {again} before (horovod.restarts). "
    return (
        f"{before if restarts else ''}Start the job again: it continues after the last epoch that "
        f"was finished."
    )
