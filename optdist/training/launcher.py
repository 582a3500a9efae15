"""Defines what a training engine does: it takes a plan and returns the run's result."""

from __future__ import annotations

from typing import Protocol, Self

from optdist.config import Config
from optdist.training.event_file import OnEvent
from optdist.training.plan import TrainingPlan
from optdist.training.result import TrainingResult


class Launcher(Protocol):
    """Starts a plan's ranks and waits for their result.

    `training.engine` names one, also `package.module:Class` from outside this package. A launcher
    only has to make sure that `plan.training.ranks` processes call
    `optdist.training.train(plan, ranks)` with a `Ranks` that joins them, and that they and this
    process share the storage of the plan's folder.
    """

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Make the launcher from the sections that it reads.

        Raises:
            ConfigError: the settings ask for something that this engine cannot do.
        """

    def launch(self, plan: TrainingPlan, on_event: OnEvent) -> TrainingResult:
        """Train a plan, or continue it from its folder's checkpoint.

        Args:
            plan: what to train on and how.
            on_event: called in this process with rank 0's events, and with {"event": "restart",
                "reason": ..., "restart": n, "restarts": of} where lost ranks are started again;
                its errors do not stop training.

        Raises:
            TrainingError: a rank failed; the message says why and names the log.
        """
