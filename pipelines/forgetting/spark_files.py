"""Removes what Spark jobs that were killed have left in Spark's local directories."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from pyspark.sql import SparkSession

_OWN = re.compile(r"^(blockmgr|spark)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_MARGIN = 60  # seconds


def local_directories(spark: SparkSession) -> list[Path]:
    """Where Spark keeps rows while a job runs, on this machine."""
    conf = spark.sparkContext.getConf()
    default = os.environ.get("TMPDIR", "/tmp")
    names = os.environ.get("SPARK_LOCAL_DIRS") or conf.get("spark.local.dir") or default
    return [Path(name) for name in str(names).split(",")]


def abandoned(directories: Iterable[Path]) -> list[Path]:
    """The user's folders of Spark that no living Java process on this machine can have made.

    Args:
        directories: Spark's local directories.
    """
    since = _oldest_java() - _MARGIN
    return [
        path
        for directory in directories
        for path in sorted(directory.glob("*"))
        if _OWN.match(path.name) and _is_ours(path) and _newest(path) < since
    ]


def remove_abandoned(directories: Iterable[Path]) -> int:
    """Remove them, and return how many they were."""
    folders = abandoned(directories)
    for path in folders:
        shutil.rmtree(path, ignore_errors=True)
    return len(folders)


def _is_ours(path: Path) -> bool:
    state = path.lstat()
    return path.is_dir() and not path.is_symlink() and state.st_uid == os.getuid()


def _newest(path: Path) -> float:
    newest = path.lstat().st_mtime
    for folder, _, names in os.walk(path):
        for name in ("", *names):
            try:
                newest = max(newest, os.lstat(os.path.join(folder, name)).st_mtime)
            except OSError:  # somebody is at work here
                return time.time()
    return newest


def _oldest_java() -> float:
    """When the oldest living Java process started [seconds since 1970]; now, without any."""
    starts = [time.time()]
    boot = int(_field("/proc/stat", r"^btime (\d+)$"))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() == "java":
                fields = (process / "stat").read_text().rpartition(")")[2].split()
                starts.append(boot + int(fields[19]) / os.sysconf("SC_CLK_TCK"))
        except OSError:  # it has ended
            continue
    return min(starts)


def _field(path: str, pattern: str) -> str:
    match = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    return match[1] if match else "0"
