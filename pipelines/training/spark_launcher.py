"""Trains a plan on Horovod ranks in Spark's task slots."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from pyspark.sql import SparkSession

from optdist.config import Config, HorovodConfig
from optdist.errors import TrainingError
from optdist.privacy import current_umask
from optdist.ranks.process import Call
from optdist.ranks.rendezvous import Rendezvous, address_of, interface_towards
from optdist.training.communicator import stall_limit
from optdist.training.entry import run_rank
from optdist.training.event_file import OnEvent, following, tolerate_errors
from optdist.training.plan import TrainingPlan
from optdist.training.restarts import with_restarts
from optdist.training.result import TrainingResult
from pipelines.session import CODE_ARCHIVE
from pipelines.training.spark_ranks import RankTask, run_in_tasks

# The part of the driver's environment that ranks are sent: not all of it, because Horovod does not
# encrypt it. The rest comes from Spark's executors.
_SENT = re.compile(
    "PATH|LD_LIBRARY_PATH|HOME|USER|LANG|TZ|TMPDIR|VIRTUAL_ENV|JAVA_HOME"
    "|SPARK_(HOME|CONF_DIR|LOCAL_IP)"
    "|(LC_|PYTHON|HOROVOD_|NCCL_|CUDA_|NVIDIA_|TF_|XLA_|KERAS_|OMP_|MKL_).*"
)


class SparkHorovod:
    """Trains on Horovod ranks, one in each of Spark's task slots."""

    def __init__(self, spark: SparkSession, horovod: HorovodConfig) -> None:
        """Take a session with at least as many task slots as plans have ranks."""
        self.spark, self.horovod = spark, horovod

    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Take Horovod's settings from a configuration, and the running session."""
        return cls(SparkSession.active(), config.horovod)

    def launch(self, plan: TrainingPlan, on_event: OnEvent) -> TrainingResult:
        """Train a plan on `plan.training.ranks` ranks.

        Args:
            plan: its folder must be storage that driver and ranks share.
            on_event: called on the driver with rank 0's events; its errors do not stop training.

        Raises:
            TrainingError: too few slots, or a rank failed; the message names the log.
        """
        run = plan.run_folder
        self.check_slots(plan.training.ranks)
        run.prepare()
        arguments = (plan.model_dump_json(),)
        with following(run.events, on_event):
            with_restarts(
                lambda: self.run_ranks(run_rank, arguments, plan.training.ranks, run.log),
                run,
                self.horovod.restarts,
                tolerate_errors(on_event),
            )
        return run.result()

    def run_ranks(
        self, function: Callable[..., Any], args: Sequence[Any], ranks: int, log: Path
    ) -> list[Any]:
        """Call a function on every rank.

        Args:
            function: of a module that executors can import.
            args: its arguments, as JSON has them.
            ranks: number of ranks.
            log: the files that take what they print are named after it.

        Returns:
            What each rank returned, in their order.

        Raises:
            RanksFailed: a rank ended too early or hung.
            TrainingError: ranks could not be started.
        """
        call = Call(f"{function.__module__}:{function.__qualname__}", list(args))
        with self._rendezvous() as meeting:
            task = RankTask(
                meeting.channel,
                call,
                str(log),
                rank_environment(os.environ, self.horovod),
                self.horovod,
                current_umask(),
            )
            return run_in_tasks(self.spark.sparkContext, task, meeting, ranks)

    def _rendezvous(self) -> Rendezvous:
        """Where ranks meet: on the driver's address, which is the loopback on one machine."""
        context = self.spark.sparkContext
        if context.master.startswith("local"):
            return Rendezvous()
        host = str(context.getConf().get("spark.driver.host", socket.gethostname()))
        try:
            chosen = [address_of(interface_towards(host, self.horovod.nics))]
        except OSError:
            chosen = []
        for address in [*chosen, socket.gethostbyname(host)]:
            with suppress(OSError):
                return Rendezvous(address)
        raise TrainingError(
            f"The ranks' rendezvous cannot listen on {host}, the address of spark.driver.host. Set "
            f"spark.driver.host to an address of the driver that executors reach."
        )

    def check_slots(self, ranks: int) -> None:
        """Refuse more ranks than this machine's Spark has task slots.

        On a cluster executors may still be on their way, and Horovod waits for them.
        """
        context = self.spark.sparkContext
        slots = context.defaultParallelism
        if context.master.startswith("local") and slots < ranks:
            raise TrainingError(
                f"{ranks} ranks need {ranks} task slots at once, but Spark has {slots}. Start with "
                f"--master 'local[{ranks}]', or lower training.ranks."
            )


def rank_environment(driver: Mapping[str, str], horovod: HorovodConfig) -> dict[str, str]:
    """The part of the driver's environment that ranks are sent: nothing that may be a secret."""
    sent = {name: value for name, value in driver.items() if _SENT.fullmatch(name)}
    # a rank starts in its executor's folder, and runs the code that the driver sent there
    path = os.pathsep.join([CODE_ARCHIVE, *filter(None, [sent.get("PYTHONPATH")])])
    return sent | {"PYTHONPATH": path} | stall_limit(horovod)
