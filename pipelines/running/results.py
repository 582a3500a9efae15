"""Writes what a job has done as JSON, which a scheduler or a script can read."""

from __future__ import annotations

import datetime as dt
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from optdist.files import write_atomically
from optdist.version import __version__

LATEST = "latest.json"
_KEPT = 500  # results of a job and data set; older ones are removed


class JobError(BaseModel):
    """Why a job failed: the class of the error, and its sentence without secrets."""

    kind: str
    message: str


class JobResult(BaseModel):
    """The outcome of one run of a job; docs/operations.md explains each field."""

    job: str
    run: str
    status: str = "succeeded"  # succeeded | failed | stopped
    exit_code: int = 0
    error: JobError | None = None
    checks: list[str] = []  # the reasons of the checks that failed
    started: dt.datetime
    seconds: float = 0.0
    dataset: str | None = None
    env: str | None = None
    date: dt.date | None = None  # --run-date or --as-of
    host: str = socket.gethostname()
    process: int = os.getpid()
    version: str = __version__
    facts: dict[str, Any] = {}  # what the job made: rows, versions, paths


def write_result(result: JobResult, places: list[Path]) -> None:
    """Write a result to each of the files, atomically.

    Args:
        result: the outcome.
        places: the files; of a folder that is not there yet, it is made.
    """
    content = (result.model_dump_json(indent=1) + "\n").encode()
    for path in places:
        write_atomically(path, lambda file: file.write(content))


def default_places(folder: Path, run: str) -> list[Path]:
    """The run's own file in a job's folder, and the newest's; the oldest files are removed.

    Args:
        folder: the job's results.
        run: the run's id, which sorts by time.
    """
    for old in sorted(path for path in folder.glob("*.json") if path.name != LATEST)[:-_KEPT]:
        old.unlink(missing_ok=True)
    return [folder / f"{run}.json", folder / LATEST]


def plain(facts: Mapping[str, Any] | None) -> dict[str, Any]:
    """Facts as JSON has them: models, dates and paths as plain values."""
    return {name: _plain(value) for name, value in (facts or {}).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value != value:  # NaN is no JSON
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
