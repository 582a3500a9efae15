"""Paths of raw files: resolved, listed as Spark lists them, and fingerprinted."""

from __future__ import annotations

import fnmatch
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from optdist.config import fingerprint
from optdist.errors import DataError

_PACKAGE = "package:"
_FILE_URL = re.compile(r"^file:/+")
_GLOB = re.compile(r"[\[\]{}*?]")


def resolve_path(path: str) -> str:
    """A path of this machine, or a URL; `package:PACKAGE/file` is a file of an installed package.

    Raises:
        DataError: the package is not installed.
    """
    path = _FILE_URL.sub("/", path)
    if not path.startswith(_PACKAGE):
        return path if "://" in path else str(Path(path).expanduser().resolve())
    package, _, inside = path.removeprefix(_PACKAGE).partition("/")
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.origin:
        raise DataError(f"{path}: the package {package} is not installed. Install it with pip.")
    return str(Path(spec.origin).parent / inside)


def list_files(path: str, options: Mapping[str, str] | None = None) -> list[Path]:
    """A table's files on this machine that Spark reads: the one, or all of a folder.

    Spark skips files and folders whose names begin with `_` or `.`, and those that the option
    `pathGlobFilter` does not match.

    Args:
        path: a resolved path, no URL.
        options: the table's options.

    Raises:
        DataError: there is nothing at the path.
    """
    root = Path(path)
    if not root.exists():
        raise DataError(f"{explain_missing(path)} Set the table's path in the data set's YAML.")
    if not root.is_dir():
        return [root]
    pattern = lower_keys(options or {}).get("pathglobfilter")
    names = [re.compile(fnmatch.translate(p)) for p in _alternatives(pattern)] if pattern else []
    files = (file for folder, _, inside in walk(root, hidden=False) for file in inside)
    return sorted(f for f in files if not names or any(name.match(f.name) for name in names))


def walk(root: Path, *, hidden: bool) -> Iterator[tuple[Path, list[str], list[Path]]]:
    """Each folder below a folder, links followed: itself, the names of its folders, its files.

    Args:
        root: where to begin.
        hidden: whether to look at what Spark skips, too.
    """
    seen: set[str] = set()
    for top, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(top)
        folders[:] = sorted(f for f in folders if hidden or not is_hidden(f))
        if real in seen:  # a link to a folder above it
            folders.clear()
            continue
        seen.add(real)
        yield Path(top), folders, [Path(top, n) for n in names if hidden or not is_hidden(n)]


def is_hidden(name: str) -> bool:
    """Whether Spark skips a file or folder of this name."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def explain_missing(path: str) -> str:
    """What to say of a path at which there is nothing."""
    missing = f"{path} does not exist."
    if not _GLOB.search(path):
        return missing
    return (
        f"{missing} Patterns such as * are not expanded: give the folder, and choose files of it "
        f'with options: {{pathGlobFilter: "*.csv"}}.'
    )


def lower_keys(options: Mapping[str, str]) -> dict[str, str]:
    """Options by their names in lower case: Spark takes no notice of case."""
    return {name.lower(): value for name, value in options.items()}


def files_fingerprint(written: str, options: Mapping[str, str] | None = None) -> list[Any]:
    """Names, sizes and times of a path's files, or the version of the package that they are in.

    A URL is taken by its name alone: give new data a new path there.

    Args:
        written: the path as the settings have it.
        options: the table's options.
    """
    path = resolve_path(written)
    if "://" in path:
        return [fingerprint(path)]
    root, files = Path(path), list_files(path, options)
    if written.startswith(_PACKAGE):  # the same in every environment that installs the package
        package = written.removeprefix(_PACKAGE).partition("/")[0]
        return [written, _version(package), [[f.name, f.stat().st_size] for f in files]]
    return [
        fingerprint(path),  # a path may hold a secret of the environment
        [[str(f.relative_to(root)), f.stat().st_size, f.stat().st_mtime_ns] for f in files],
    ]


def _alternatives(pattern: str) -> list[str]:
    """A pattern of Hadoop's as patterns of fnmatch, which knows no {a,b} and no [^a]."""
    choice = re.search(r"\{([^{}]*)\}", pattern)
    if not choice:
        return [pattern.replace("[^", "[!")]
    before, after = pattern[: choice.start()], pattern[choice.end() :]
    return [p for part in choice[1].split(",") for p in _alternatives(before + part + after)]


def _version(package: str) -> str | None:
    """The version of the distribution that holds a package; None outside of any."""
    names = importlib.metadata.packages_distributions().get(package.partition(".")[0], [])
    return importlib.metadata.version(names[0]) if names else None
