"""Sums up the files of a folder, to see later whether a byte of them has changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from optdist.files import sha256_of

_SUM = "sum"


def folder_digest(folder: Path) -> str:
    """A SHA-256 of the names and contents of a folder's files, but for hidden ones."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and _shown(path, folder))
    return json_digest(list(file_sums(folder, files).items()))


def file_sums(folder: Path, files: Sequence[Path]) -> dict[str, str]:
    """The SHA-256 of some files below a folder, by their paths there; several at a time."""
    with ThreadPoolExecutor() as threads:  # hashing leaves Python's lock to the others
        sums = list(threads.map(sha256_of, files))
    names = [file.relative_to(folder).as_posix() for file in files]
    return dict(zip(names, sums, strict=True))


def with_sum(record: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON record with a sum of its other fields."""
    return {**record, _SUM: json_digest(_without(record))}


def agrees_with_sum(record: Mapping[str, Any]) -> bool:
    """Whether a record is what `with_sum` gave, or has no sum, as older ones have none."""
    return _SUM not in record or record[_SUM] == json_digest(_without(record))


def _without(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != _SUM}


def json_digest(value: Any) -> str:
    """The SHA-256 of a JSON value, whatever the layout of the file that it stands in."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(("_", ".")) for part in path.relative_to(folder).parts)
