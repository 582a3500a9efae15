"""Finds and removes folders that jobs have left behind and nothing needs any more."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from optdist.errors import BusyError
from optdist.files import locked
from optdist.layout import Layout, ScoresFolder
from optdist.tracking import CHALLENGER, CHAMPION, PREVIOUS, Registry
from pipelines.scoring.manifest import ScoresManifest, read_manifest

_DAY = 86_400  # seconds


@dataclass(frozen=True)
class Leftover:
    """A folder that may go, and what a job locks before it writes there."""

    path: Path
    lock: Path
    size: int  # bytes


def leftovers(
    layout: Layout, tracker: Registry | None, keep_days: int, further: Sequence[str] = ()
) -> list[Leftover]:
    """A data set's folders that no job has written or opened for `keep_days` days.

    The features, run and package of champion and challenger are never among them, nor are the
    packages and samples that a published date of scores names.

    Args:
        layout: the folders of the data set that is searched.
        tracker: the registry, which knows what champion and challenger need; None: there is none
            yet.
        keep_days: what a job used within this many days stays, >= 1.
        further: the registered models of further horizons.
    """
    trackers = [tracker, *map(tracker.of, further)] if tracker else []
    before = time.time() - keep_days * _DAY
    old = [(path, lock) for path, lock in _candidates(layout, trackers) if _newest(path) < before]
    return [Leftover(path, lock, _size(path)) for path, lock in old]


def remove(leftover: Leftover, keep_days: int) -> bool:
    """Remove a leftover; False if a job is working on it, or has used it in the meantime."""
    try:
        with locked(leftover.lock):
            if _newest(leftover.path) >= time.time() - keep_days * _DAY:
                return False
            doomed = leftover.path.with_name(f"_removed-{leftover.path.name}")
            shutil.rmtree(doomed, ignore_errors=True)
            leftover.path.rename(doomed)  # in one step, so that no reader sees a part of it
            shutil.rmtree(doomed)
            return True
    except BusyError:
        return False


def _candidates(layout: Layout, trackers: Sequence[Registry]) -> Iterator[tuple[Path, Path]]:
    """Each folder that a job could build or fetch again, with the folder that it locks."""
    scores = layout.scores
    aliases = (CHAMPION, CHALLENGER, PREVIOUS)
    used = [[v for alias in aliases if (v := tracker.find(alias))] for tracker in trackers]
    features = {
        tracker.tags(version).get("data_fingerprint")
        for tracker, versions in zip(trackers, used, strict=True)
        for version in versions
    }
    dates = [m for folder in scores.dates() if (m := read_manifest(folder))]
    for path in layout.feature_tables.glob("*"):
        if path.name not in features:
            yield path, path
    for path in layout.unfinished_runs():
        yield path, path
    for tracker, versions in zip(trackers, used, strict=True):
        yield from _of_versions(layout, tracker, versions, dates)
    yield from _of_scores(scores, dates)


def _of_versions(
    layout: Layout, tracker: Registry, used: list[str], dates: list[ScoresManifest]
) -> Iterator[tuple[Path, Path]]:
    """Runs and packages of versions that neither an alias nor, for packages, a date names."""
    scorers = [(date.model_name, date.model_version) for date in dates]
    scorers += [(one.model_name, one.model_version) for date in dates for one in date.horizons]
    versions = {*used, *(version for name, version in scorers if name == tracker.model_name)}
    for version, run_id in tracker.runs().items():
        if version not in used:
            yield layout.run(run_id), layout.run(run_id)
    for version, path in layout.packages(tracker.model_name):
        if version not in versions:
            yield path, path


def _of_scores(scores: ScoresFolder, dates: list[ScoresManifest]) -> Iterator[tuple[Path, Path]]:
    """Samples that no date's manifest names, and scores that were not published."""
    named = {scores.path / date.input for date in dates}
    yield from ((path, lock) for path, lock in scores.kept_inputs() if path not in named)
    yield from scores.staged()


def _newest(path: Path) -> float:
    """When a folder, or anything in it, was last written; infinity where there is no folder."""
    if not path.is_dir():
        return float("inf")
    return max(entry.lstat().st_mtime for entry in (path, *path.rglob("*")))


def _size(path: Path) -> int:
    return sum(entry.lstat().st_size for entry in path.rglob("*") if entry.is_file())
