"""Files that are whole or absent, folders of one job at a time, and paths with their scheme."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from optdist.errors import BusyError


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a file that readers see in its old state or its new one, never in part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically."""
    text = json.dumps(value, indent=1).encode()
    write_atomically(path, lambda file: file.write(text))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other jobs off a folder, also one that is still to be made, while the block runs.

    The lock is on a hidden file beside the folder; the kernel gives it back when the process ends,
    however it ends.

    Raises:
        BusyError: another job has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
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
                f"Another job ({holder}) works on {path}. Wait until it has ended, or stop it; "
                f"then start this one again."
            ) from None
        except OSError as error:
            warnings.warn(
                f"{name} cannot be locked ({error}). Start no two jobs on {path} at once.",
                RuntimeWarning,
                stacklevel=4,
            )
            return file
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), name.stat()):
                return file
        file.close()  # whoever had it removed it after it was opened here: the next one


def uri(path: str | Path) -> str:
    """A path with its scheme: without one Spark takes it to be on the cluster's default storage.

    Nothing is percent-encoded, for Spark reads the text as it stands. A URL stays as it is.
    """
    text = str(path)
    return text if "://" in text else f"file://{Path(text).absolute()}"
