"""Checks the folder of everything that jobs write, its disk, and the cores that ranks need."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from optdist.config import Config
from optdist.errors import ConfigError
from optdist.files import require_writable
from pipelines.dry_run.report import WARNING, Report
from pipelines.dry_run.sizes import in_words
from pipelines.training.engines import launcher_of
from pipelines.training.spark_launcher import SparkHorovod


def check_root(report: Report, root: Path) -> int | None:
    """Look whether `paths.root` can be written; the bytes that are free there, or None.

    Args:
        report: what is found.
        root: the folder, which need not be there yet.
    """
    with report.check("paths.root") as attempt:
        place = require_writable(root)
        free = shutil.disk_usage(place).free
        new = "" if place == root else ", which will be made"
        attempt.say(f"{root}{new}; {in_words(free)} free")
    return None if attempt.failed else free


def check_disk(report: Report, needed: float, free: int | None) -> None:
    """Compare the disk that a job needs with what is free.

    Args:
        report: what is found.
        needed: by an estimate [bytes].
        free: below `paths.root`; None: not known [bytes].
    """
    if free is None:
        return
    with report.check("disk") as attempt:
        if needed > free:
            raise ConfigError(
                f"About {in_words(needed)} are needed at paths.root, and {in_words(free)} are "
                f"free. Remove what is not needed (jobs/clean.py), or choose another paths.root."
            )
        attempt.say(f"about {in_words(needed)} of {in_words(free)}")


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
