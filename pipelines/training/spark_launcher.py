"""Trains a plan on Horovod ranks in Spark's task slots."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pyspark.sql import SparkSession

from optdist.config import Config, HorovodConfig
from optdist.errors import TrainingError
from optdist.training.communicator import stall_limit
from optdist.training.entry import run_rank
from optdist.training.event_file import OnEvent, following
from optdist.training.plan import TrainingPlan
from optdist.training.result import TrainingResult
from pipelines.session import CODE_ARCHIVE

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
        with following(run.events, on_event):
            try:
                results = self.run_ranks(
                    run_rank, (plan.model_dump_json(),), plan.training.ranks, run.log
                )
            except Exception as error:  # Horovod raises what its ranks, Spark or gloo raise
                reason = run.failure() or str(error).splitlines()[0]
                raise TrainingError(f"Training failed: {reason} Details: {run.path}") from error
        return TrainingResult.model_validate_json(results[0])

    def run_ranks(
        self, function: Callable[..., Any], args: Sequence[Any], ranks: int, log: Path
    ) -> list[Any]:
        """Call a function on every rank.

        Args:
            function: importable on the executors.
            args: its arguments.
            ranks: number of ranks.
            log: the file that takes what they print.

        Returns:
            What each rank returned, in their order.
        """
        import horovod.spark

        with log.open("w") as output:
            results: list[Any] = horovod.spark.run(
                function,
                args=tuple(args),
                num_proc=ranks,
                start_timeout=self.horovod.start_timeout_seconds,
                use_gloo=True,
                nics=set(self.horovod.nics) or None,
                env=rank_environment(os.environ, self.horovod),
                stdout=output,
                stderr=output,
                verbose=0,
            )
        return results

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
