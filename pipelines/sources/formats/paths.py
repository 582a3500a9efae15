"""Paths of raw files: resolved, listed, and fingerprinted."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

from optdist.config import fingerprint
from optdist.errors import DataError

_PACKAGE = "package:"


def resolve_path(path: str) -> str:
    """A path or URL; `package:PACKAGE/file` is a file inside an installed package.

    Raises:
        DataError: the package is not installed.
    """
    if not path.startswith(_PACKAGE):
        return path if "://" in path else str(Path(path).expanduser().resolve())
    package, _, inside = path.removeprefix(_PACKAGE).partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.origin:
        raise DataError(f"{path}: the package {package} is not installed. Install it with pip.")
    return str(Path(spec.origin).parent / inside)


def list_files(path: str) -> list[Path]:
    """A table's files on this machine: the one, or all of a folder.

    Raises:
        DataError: there is nothing at the path.
    """
    root = Path(path)
    if not root.exists():
        raise DataError(f"{path} does not exist. Set the table's path in the data set's YAML.")
    return sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]


def files_fingerprint(written: str) -> list[Any]:
    """Names, sizes and times of a path's files, or the version of the package that they are in.

    A URL is taken by its name alone: give new data a new path there.
    """
    path = resolve_path(written)
    if "://" in path:
        return [fingerprint(path)]
    root, files = Path(path), list_files(path)
    if written.startswith(_PACKAGE):  # the same in every environment that installs the package
        package = written.removeprefix(_PACKAGE).partition("/")[0]
        return [written, _version(package), [[f.name, f.stat().st_size] for f in files]]
    return [
        fingerprint(path),  # a path may hold a secret of the environment
        [[str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns] for f in files],
    ]


def _version(package: str) -> str | None:
    """The version of the distribution that holds a package; None outside of any."""
    names = importlib.metadata.packages_distributions().get(package.partition(".")[0], [])
    return importlib.metadata.version(names[0]) if names else None
