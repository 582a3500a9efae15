"""Writes files atomically, locks folders against other jobs, and gives paths their scheme."""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import hashlib
import json
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from optdist.errors import BusyError, ConfigError, DiskError

# No space (a disk, a quota), or no right to write (a read-only mount, permissions).
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a file; readers see its old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error  # of which file
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text atomically."""
    content = text.encode()
    write_atomically(path, lambda file: file.write(content))


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically."""
    write_text(path, json.dumps(value, indent=1))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(path: Path) -> None:
    """Make a folder and its parents, if they are not there yet.

    Raises:
        ConfigError: a file is in the way.
        DiskError: there is no space or no permission.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kind = DiskError if error.errno in UNWRITABLE else ConfigError
        raise kind(
            f"The folder {path} cannot be made: {error.strerror}. Choose another paths.root, or "
            f"remove what is in the way."
        ) from error


def require_writable(path: Path) -> Path:
    """Refuse a folder that `make_folder` could not make or nobody could write to; make nothing.

    Returns:
        The folder, or the nearest one above it that is there.

    Raises:
        ConfigError: a file is in the way, or there is no permission.
    """
    place = next(folder for folder in (path, *path.parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        why = "is not a folder" if not place.is_dir() else "may not be written to"
        raise ConfigError(
            f"The folder {path} cannot be used: {place} {why}. Choose another paths.root, or "
            f"remove what is in the way."
        )
    return place


def find_holder(path: Path) -> str | None:
    """Which job seems to work on a folder, in words; None: none.

    Only the lock's file is read: to try the lock could turn a job away. A job that was killed may
    have left the file.
    """
    try:
        return path.with_name(f".{path.name}.lock").read_text() or "just started"
    except OSError:
        return None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other jobs off a folder, which need not exist yet, while the block runs.

    The lock is on a hidden file next to the folder. The kernel releases it when the process ends,
    however it ends.

    Raises:
        BusyError: another job holds the lock.
        ConfigError: the folder cannot be made.
    """
    make_folder(path.parent)
    name = path.with_name(f".{path.name}.lock")
    with _locked_file(name, path) as file:
        file.truncate(0)
        now = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
        file.write(f"{socket.gethostname()}, process {os.getpid()}, since {now}")
        file.flush()
        try:
            yield
        finally:
            name.unlink(missing_ok=True)


def _locked_file(name: Path, path: Path) -> IO[str]:
    while True:
        file = name.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with file:
                file.seek(0)
                holder = file.read() or "just started"
            raise BusyError(
                f"Another job ({holder}) is working on {path}. Wait until it ends, or stop it; "
                f"then start this one again."
            ) from None
        except OSError as error:
            warnings.warn(
                f"{name} cannot be locked ({error}). Do not start two jobs on {path} at once.",
                RuntimeWarning,
                stacklevel=4,
            )
            return file
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), name.stat()):
                return file
        file.close()  # its holder removed it after it was opened here: try the new one


def uri(path: str | Path) -> str:
    """A path with its scheme; without one Spark looks on the cluster's default storage.

    Nothing is percent-encoded, because Spark takes the text literally. A URL stays as it is.
    """
    text = str(path)
    return text if "://" in text else f"file://{Path(text).absolute()}"
