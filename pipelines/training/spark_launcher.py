"""Starts a training plan on Horovod ranks inside Spark, and shows their progress on the driver."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from optdist.errors import TrainingError
from optdist.training.entry import FAILED, failure_reason, run_rank
from optdist.training.plan import TrainingPlan
from optdist.training.progress import EventReader
from pipelines.session import CODE_ARCHIVE

# A rank that hangs ends the run instead of only warning.
_STALL_SECONDS = "600"
# What ranks are sent of the driver's environment, for Horovod does not encrypt it. The rest of
# theirs is that of Spark's executors.
_SENT = re.compile(
    "PATH|LD_LIBRARY_PATH|HOME|USER|LANG|TZ|TMPDIR|VIRTUAL_ENV|JAVA_HOME"
    "|SPARK_(HOME|CONF_DIR|LOCAL_IP)"
    "|(LC_|PYTHON|HOROVOD_|NCCL_|CUDA_|NVIDIA_|TF_|XLA_|KERAS_|OMP_|MKL_).*"
)


def launch(
    spark: SparkSession, plan: TrainingPlan, on_event: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Train `plan` on `plan.training.ranks` Horovod ranks.

    Args:
        spark: a session with at least as many task slots as ranks.
        plan: its folder must be storage that driver and ranks share.
        on_event: called on the driver with rank 0's events; its errors stop no training.

    Returns:
        What `optdist.training.train` returns.

    Raises:
        TrainingError: too few slots, or a rank failed; the message names the log.
    """
    import horovod.spark

    ranks, slots = plan.training.ranks, spark.sparkContext.defaultParallelism
    # a cluster's executors may still be on their way; Horovod waits for them
    if spark.sparkContext.master.startswith("local") and slots < ranks:
        raise TrainingError(
            f"{ranks} ranks need {ranks} task slots at once, Spark has {slots}. Start with "
            f"--master 'local[{ranks}]', or lower training.ranks."
        )
    events, log = plan.path / "events.jsonl", plan.path / "horovod.log"
    plan.path.mkdir(parents=True, exist_ok=True)
    for old in [events, *plan.path.glob(FAILED.format("*"))]:
        old.unlink(missing_ok=True)
    with log.open("w") as output, _following(events, on_event):
        try:
            results = horovod.spark.run(
                run_rank,
                args=(plan.model_dump_json(), str(events)),
                num_proc=ranks,
                start_timeout=plan.training.start_timeout_seconds,
                use_gloo=True,
                nics=set(plan.training.nics) or None,
                env=rank_environment(os.environ),
                stdout=output,
                stderr=output,
                verbose=0,
            )
        except Exception as error:  # Horovod raises what its ranks, Spark or gloo raise
            reason = failure_reason(plan.path) or str(error).splitlines()[0]
            raise TrainingError(f"Training failed: {reason} Details: {plan.path}") from error
    first: dict[str, Any] = results[0]
    return first


def rank_environment(driver: Mapping[str, str]) -> dict[str, str]:
    """The part of the driver's environment that ranks are sent: nothing that may be a secret."""
    sent = {name: value for name, value in driver.items() if _SENT.fullmatch(name)}
    # a rank starts in its executor's folder, and runs the code that the driver sent there
    path = os.pathsep.join([CODE_ARCHIVE, *filter(None, [sent.get("PYTHONPATH")])])
    return sent | {
        "PYTHONPATH": path,
        "HOROVOD_STALL_SHUTDOWN_TIME_SECONDS": _STALL_SECONDS,
    }


class _following:
    """Passes on events while the ranks run; the first error of `on_event` is a printed line."""

    def __init__(self, path: Path, on_event: Callable[[dict[str, Any]], None]) -> None:
        self.reader, self.on_event = EventReader(path), on_event
        self.done, self.failed = threading.Event(), False
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.done.set()
        self.thread.join()

    def _follow(self) -> None:
        while not self.done.wait(0.3):
            self._pass_on()
        self._pass_on()

    def _pass_on(self) -> None:
        for event in self.reader.new():
            try:
                self.on_event(event)
            except Exception as error:  # its text may hold the password of a store's URI
                if not self.failed:
                    print(
                        f"  WARNING: progress was not logged ({type(error).__name__}). Training "
                        f"goes on; what is missing is logged at its end."
                    )
                self.failed = True
