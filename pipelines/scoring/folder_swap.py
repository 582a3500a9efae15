"""Replaces a folder in one step: readers see its old content or the new one, never a part."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


def swap_in(staged: Path, path: Path) -> None:
    """Move a finished folder to its place; the folder that was there is removed.

    On Linux both folders change places in one step. Elsewhere the old one is renamed first; a crash
    between the two renames is repaired by `recover`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path)
    if not path.exists():
        staged.rename(path)
    elif exchange(staged, path):
        shutil.rmtree(staged)
    else:
        path.rename(_old(path))
        staged.rename(path)
        shutil.rmtree(_old(path))


def recover(path: Path) -> None:
    """Clean up after a crash inside `swap_in`: without a new folder the old one comes back."""
    old = _old(path)
    if old.exists() and not path.exists():
        old.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def exchange(a: Path, b: Path) -> bool:
    """Let two paths change places in one step; False where the system cannot."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    status: int = rename(
        _AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), ctypes.c_uint(_RENAME_EXCHANGE)
    )
    return status == 0


def _old(path: Path) -> Path:
    return path.with_name(f"_old-{path.name}")  # readers skip names with an underscore
