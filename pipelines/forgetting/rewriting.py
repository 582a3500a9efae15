"""Replaces a folder by a copy without customers' rows, in one step."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq

from optdist.files import uri
from pipelines.forgetting.matching import Matcher
from pipelines.forgetting.places import DataFile, Kind, Place
from pipelines.scoring.folder_swap import swap_in

_NEW = "_new"


def replace_folder(
    place: Place,
    affected: Sequence[DataFile],
    matcher: Matcher,
    finish: Callable[[Path], object],
) -> None:
    """Write a folder again without the customers' rows, and let it take the old one's place.

    Files without such rows are linked, not copied. Readers see the old folder or the new one.

    Args:
        place: the folder, which the caller has locked.
        affected: its files that have such rows.
        matcher: knows the customers.
        finish: brings what describes the rows up to date in the prepared folder.
    """
    shutil.rmtree(place.staged, ignore_errors=True)
    replaced = {file.path for file in affected}
    _link_tree(place.path, place.staged, replaced)
    leaves: dict[tuple[Path, Kind, str], list[DataFile]] = defaultdict(list)
    for file in affected:
        folder = place.staged / file.path.parent.relative_to(place.path)
        leaves[folder, file.kind, file.types].append(file)
    for (folder, kind, _), files in leaves.items():
        _write_rest(files, kind, folder, matcher)
    finish(place.staged)
    swap_in(place.staged, place.path)


def _write_rest(files: Sequence[DataFile], kind: Kind, folder: Path, matcher: Matcher) -> None:
    """Write what stays of some files into a prepared folder, in as many files at most."""
    rows = matcher.spark.read.parquet(*[uri(file.path) for file in files])
    new = folder / _NEW
    matcher.without(rows, kind).repartition(len(files)).write.parquet(uri(new))
    written = sorted(new.glob("*.parquet"))
    full = [path for path in written if pq.read_metadata(path).num_rows]
    is_bare = not full and kind is not Kind.HASHES and not any(folder.glob("*.parquet"))
    for path in full or (written[:1] if is_bare else []):  # an empty file keeps the columns
        os.replace(path, folder / path.name)
        with suppress(FileNotFoundError):
            os.replace(_sum_of(path), _sum_of(folder / path.name))
    shutil.rmtree(new)


def _link_tree(source: Path, target: Path, without: set[Path]) -> None:
    skipped = {*without, *map(_sum_of, without)}

    def ignored(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder, name) in skipped]

    shutil.copytree(source, target, symlinks=True, ignore=ignored, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # storage without hard links
        shutil.copy2(source, target)


def _sum_of(path: Path) -> Path:
    """The file with the checksums that Hadoop keeps of a file."""
    return path.with_name(f".{path.name}.crc")
