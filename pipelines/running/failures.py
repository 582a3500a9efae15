"""Says of an error which exit code a job ends with, and what to print: docs/operations.md."""

from __future__ import annotations

import errno
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optdist.errors import DiskError, OptDistError
from optdist.files import UNWRITABLE

BUG = 1
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
# What Java, HDF5, SQLite and ranks say of the same, whose errors reach the driver as text.
_FULL_TEXT = re.compile(
    r"No space left on device|Disk quota exceeded|Read-only file system|database or disk is full"
)
_DENIED_TEXT = re.compile(r"\(?Permission denied\)?|Mkdirs failed to create|AccessDeniedException")
_PATH = re.compile(r"(?:file:)?(/[^\s:;,'\"()]+)")


@dataclass(frozen=True)
class Failure:
    """How a job failed.

    Attributes:
        exit_code: what the job exits with.
        message: what it says: a sentence, or the traceback of a bug.
        kind: the error's class, for machines.
        checks: the reasons of the checks that failed, if checks did.
    """

    exit_code: int
    message: str
    kind: str
    checks: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What may stand in a file: the sentence; a bug's text may hold any value."""
        if self.exit_code == BUG:
            return f"{self.kind}: a bug; stderr has the traceback"
        return self.message.removeprefix("error: ")


def explain(error: Exception, root: Path | None = None) -> Failure:
    """The failure that an error means.

    Args:
        error: what left the job.
        root: the folder that the job writes to, for errors that name no file.
    """
    kind = type(error).__name__
    checks = tuple(getattr(error, "reasons", ()))
    if isinstance(error, OptDistError):
        is_full = any(_is_full(cause) for cause in _chain(error))
        code = DiskError.exit_code if is_full else error.exit_code
        return Failure(code, f"error: {error}", kind, checks)
    problem = next(filter(None, map(_write_problem, _chain(error))), None)
    if problem is None:
        text = "".join(traceback.format_exception(error))
        return Failure(BUG, text.rstrip(), kind)
    reason, path = problem
    place = f"{path}" if path else f"a file of this job below {root}" if root else "a file"
    message = f"error: {place} cannot be written: {reason}."
    return Failure(DiskError.exit_code, message, DiskError.__name__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what caused it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return bool(_FULL_TEXT.search(str(error)))


def _write_problem(error: BaseException) -> tuple[str, str | None] | None:
    """Why and where an error says that nothing could be written, or None for another error."""
    if isinstance(error, OSError) and error.errno in UNWRITABLE:
        return _advice(error.errno in {errno.ENOSPC, errno.EDQUOT}), _file_of(error)
    text = str(error)
    line = next((row for row in text.splitlines() if _FULL_TEXT.search(row)), None)
    if line:
        return _advice("Read-only" not in line), _path_in(line)
    line = next((row for row in text.splitlines() if _DENIED_TEXT.search(row)), None)
    if line and type(error).__name__.startswith(("Py4J", "Spark")):
        return _advice(is_full=False), _path_in(line)
    return None


def _advice(is_full: bool) -> str:
    if is_full:
        return "no space is left. Free some (jobs/clean.py lists what is not needed), or set " + (
            "paths.root or spark.local.dir to another disk"
        )
    return "there is no right to write there. Grant it, or choose another paths.root"


def _file_of(error: OSError) -> str | None:
    return None if error.filename is None else str(error.filename)


def _path_in(line: str) -> str | None:
    match = _PATH.search(line)
    return match.group(1) if match else None
