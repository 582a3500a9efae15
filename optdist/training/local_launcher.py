"""Trains on this machine without Spark: in this process, or on Horovod ranks."""

from __future__ import annotations

import os
import sys
from typing import Self

from optdist.config import Config, HorovodConfig
from optdist.errors import ConfigError
from optdist.ranks.crew import run_here
from optdist.ranks.process import Call
from optdist.training.communicator import stall_limit
from optdist.training.entry import RANK
from optdist.training.event_file import OnEvent, following, tolerate_errors
from optdist.training.plan import TrainingPlan
from optdist.training.restarts import with_restarts
from optdist.training.result import TrainingResult
from optdist.training.worker import train


class OneProcess:
    """Trains in this process; Horovod need not be installed."""

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Check that one rank is asked for.

        Raises:
            ConfigError: `training.ranks` is not 1.
        """
        if config.training.ranks != 1:
            raise ConfigError(
                f"training.engine one_process has one rank, but training.ranks is "
                f"{config.training.ranks}. Set training.ranks=1, or choose another engine."
            )
        return cls()

    def launch(self, plan: TrainingPlan, on_event: OnEvent) -> TrainingResult:
        """Train a plan in this process."""
        plan.run_folder.prepare()
        return train(plan, on_event=tolerate_errors(on_event))


class LocalHorovod:
    """Trains on Horovod ranks that are children of this process."""

    def __init__(self, horovod: HorovodConfig) -> None:
        """Take Horovod's settings."""
        self.horovod = horovod

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Take Horovod's settings from a configuration."""
        return cls(config.horovod)

    def launch(self, plan: TrainingPlan, on_event: OnEvent) -> TrainingResult:
        """Train a plan on `plan.training.ranks` processes.

        Raises:
            TrainingError: a rank failed; the message names the log.
        """
        run = plan.run_folder
        run.prepare()
        call, ranks = Call(RANK, [plan.model_dump_json()]), plan.training.ranks
        environment = self._environment()
        with following(run.events, on_event):
            with_restarts(
                lambda: run_here(call, ranks, run.log, environment, self.horovod),
                run,
                self.horovod.restarts,
                tolerate_errors(on_event),
            )
        return run.result()

    def _environment(self) -> dict[str, str]:
        """This process's environment; ranks can import whatever this process can."""
        return (
            dict(os.environ)
            | stall_limit(self.horovod)
            | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        )
