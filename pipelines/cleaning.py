"""What jobs leave behind and nothing needs any more: found, and removed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from optdist.config import Config
from optdist.errors import BusyError
from optdist.files import locked
from optdist.layout import ScoresFolder
from optdist.tracking import CHALLENGER, CHAMPION, Tracker
from pipelines.scoring.manifest import Published, read_manifest

_DAY = 86_400  # seconds


@dataclass(frozen=True)
class Leftover:
    """A folder that may go, and what a job locks before it writes there."""

    path: Path
    lock: Path
    size: int  # bytes


def leftovers(config: Config, tracker: Tracker, keep_days: int) -> list[Leftover]:
    """A data set's folders that no job has written or opened for `keep_days` days.

    Never the features, run and package of champion and challenger, nor the packages and samples
    that a published date of scores names.

    Args:
        config: names the data set whose folders are searched.
        tracker: the registry, which knows what champion and challenger need.
        keep_days: what a job used within this many days stays, >= 1.
    """
    before = time.time() - keep_days * _DAY
    old = [(path, lock) for path, lock in _candidates(config, tracker) if _newest(path) < before]
    return [Leftover(path, lock, _size(path)) for path, lock in old]


def remove(leftover: Leftover, keep_days: int) -> bool:
    """Remove a leftover; False if a job has it, or has used it meanwhile."""
    try:
        with locked(leftover.lock):
            if _newest(leftover.path) >= time.time() - keep_days * _DAY:
                return False
            going = leftover.path.with_name(f"_removed-{leftover.path.name}")
            shutil.rmtree(going, ignore_errors=True)
            leftover.path.rename(going)  # in one step, so that nothing is ever there in part
            shutil.rmtree(going)
            return True
    except BusyError:
        return False


def _candidates(config: Config, tracker: Tracker) -> Iterator[tuple[Path, Path]]:
    """All that a job could make anew or fetch again, with its lock."""
    layout, scores = config.layout, config.layout.scores
    used = [v for alias in (CHAMPION, CHALLENGER) if (v := tracker.find(alias))]
    features = {tracker.tags(version).get("data_fingerprint") for version in used}
    dates = [m for folder in scores.dates() if (m := read_manifest(folder))]
    versions = {*used, *(m.model_version for m in dates if m.model_name == tracker.model_name)}
    for path in layout.feature_tables.glob("*"):
        if path.name not in features:
            yield path, path
    for path in layout.unfinished_runs():
        yield path, path
    for version, run_id in tracker.runs().items():
        if version not in used:
            yield layout.run(run_id), layout.run(run_id)
    for version, path in layout.packages(tracker.model_name):
        if version not in versions:
            yield path, path
    yield from _of_scores(scores, dates)


def _of_scores(scores: ScoresFolder, dates: list[Published]) -> Iterator[tuple[Path, Path]]:
    """Samples that no date names, and scores that were not published."""
    named = {scores.path / date.input for date in dates}
    yield from ((path, lock) for path, lock in scores.kept_inputs() if path not in named)
    yield from scores.staged()


def _newest(path: Path) -> float:
    """When a folder, or anything in it, was last written; never old where there is no folder."""
    if not path.is_dir():
        return float("inf")
    return max(found.lstat().st_mtime for found in (path, *path.rglob("*")))


def _size(path: Path) -> int:
    return sum(found.lstat().st_size for found in path.rglob("*") if found.is_file())
