"""Folders that readers see in their old state or their new one, never in part or not at all."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


def publish(staged: Path, path: Path) -> None:
    """Put a finished folder in its place.

    On Linux both folders change places in one step. Elsewhere the old one is moved aside first; a
    crash between the two renames is mended by `restore`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    restore(path)
    if not path.exists():
        staged.rename(path)
    elif exchange(staged, path):
        shutil.rmtree(staged)
    else:
        path.rename(_aside(path))
        staged.rename(path)
        shutil.rmtree(_aside(path))


def restore(path: Path) -> None:
    """Finish what a crash inside `publish` left: without a new folder the old one comes back."""
    old = _aside(path)
    if old.exists() and not path.exists():
        old.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def exchange(a: Path, b: Path) -> bool:
    """Let two paths change places in one step; False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    done: int = rename(
        _AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), ctypes.c_uint(_RENAME_EXCHANGE)
    )
    return done == 0


def _aside(path: Path) -> Path:
    return path.with_name(f"_old-{path.name}")  # readers skip names with an underscore
