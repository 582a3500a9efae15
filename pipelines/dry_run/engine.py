"""Checks the training engine, and the cores that ranks need."""

from __future__ import annotations

import os
from importlib.util import find_spec

from optdist.config import Config
from optdist.errors import ConfigError
from pipelines.dry_run.report import WARNING, Report
from pipelines.training.engines import launcher_of
from pipelines.training.spark_launcher import SparkHorovod


def check_engine(report: Report, config: Config) -> None:
    """Look whether the training engine can start as many ranks as are asked for.

    Args:
        report: what is found.
        config: names the engine and the ranks; a Spark session is running.
    """
    engine, ranks = config.training.engine, config.training.ranks
    with report.check("training engine") as attempt:
        launcher = launcher_of(config)
        if engine in {"spark_horovod", "local_horovod"} and find_spec("horovod") is None:
            raise ConfigError(
                f"training.engine {engine} needs horovod, which is not installed. Install it "
                f"(requirements/install.sh), or set training.engine=one_process, training.ranks=1."
            )
        if isinstance(launcher, SparkHorovod):
            launcher.check_slots(ranks)
        attempt.say(f"{engine} with {ranks} rank{'s' if ranks > 1 else ''}")
    cores = len(os.sched_getaffinity(0))
    if engine == "local_horovod" and ranks > cores:
        report.add(
            "training engine", WARNING, f"{ranks} ranks share {cores} cores and slow each other"
        )
