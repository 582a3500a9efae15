"""Removes the customers from each place in turn, while its lock keeps other jobs off."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from optdist.errors import BusyError
from optdist.files import locked
from optdist.layout import Layout
from optdist.training import RunFolder
from pipelines.forgetting.manifests import update_scores, update_table, whole_parts
from pipelines.forgetting.matching import Matcher
from pipelines.forgetting.places import Place, leftovers_of, original, places_of
from pipelines.forgetting.predictions import remove_predictions, run_folders
from pipelines.forgetting.rewriting import replace_folder
from pipelines.forgetting.survey import Findings
from pipelines.forgetting.vocabularies import hide_in_schema
from pipelines.scoring.folder_swap import recover


class Removal:
    """Removes what a survey has found.

    Args:
        matcher: knows the customers.
        layout: the data set's folders.
        findings: where the customers are.
        others: training runs that are known to be of other data sets.
    """

    def __init__(
        self, matcher: Matcher, layout: Layout, findings: Findings, others: set[str]
    ) -> None:
        """Take what is to be done; `run` does it."""
        self.matcher, self.layout, self.findings, self.others = matcher, layout, findings, others
        self.busy: list[str] = []  # why places were left as they are
        self.unfinished_runs: list[str] = []  # that were removed
        self.backtest_models = 0  # that were removed

    def run(self) -> None:
        """Go through all places; one on which a job is working is left, and said in `busy`."""
        for folder, lock in list(run_folders(self.layout, self.others)):
            if folder.path in self.findings.predictions:
                self._in_turn([lock], partial(remove_predictions, folder, self.matcher.hashes))
        folders: dict[Path, list[Place]] = {lock: [] for lock in _held_locks(self.layout)}
        for place in places_of(self.layout):
            folders.setdefault(place.lock, []).append(place)
        for lock, places in folders.items():
            is_read = any(self._affects(place) for place in places if self._is_table(place))
            readers = self._trainings() if is_read else []
            self._in_turn([lock, *readers], partial(self._remove, places))

        self._in_turn([self.layout.backtest.work], self._remove_backtest_models)

    def _in_turn(self, locks: Sequence[Path], do: Callable[[], object]) -> None:
        """Do something while no other job works on some folders; where one does, note it."""
        try:
            with ExitStack() as stack:
                for lock in dict.fromkeys(locks):
                    stack.enter_context(locked(lock))
                do()
        except BusyError as error:
            if str(error) not in self.busy:
                self.busy.append(str(error))

    def _remove(self, places: Sequence[Place]) -> None:
        affected = [place for place in places if self._affects(place)]
        dates = [place for place in places if place.path in self.layout.scores.dates()]
        dates = dates if affected else []  # a date's bad rows and samples are in its manifest
        whole = {place.path: whole_parts(self.layout.scores, place.path) for place in dates}
        for place in affected:
            finish = partial(self._finish, place, whole.get(place.path, []))
            replace_folder(place, self.findings.below(place.path), self.matcher, finish)
            if self._is_table(place):
                self._remove_unfinished_runs()
        for place in dates:
            self._update_scores(place, whole[place.path], place.path)

    def _finish(self, place: Place, whole: Sequence[str], staged: Path) -> None:
        """Bring what describes a prepared folder up to date."""
        if self._is_table(place):
            if place.path in self.findings.categories:
                hide_in_schema(staged, self.matcher.customers, self.findings.id_features)
            update_table(self.matcher.spark, place.path, staged)
        elif place.path in self.layout.scores.dates():
            self._update_scores(place, whole, staged)

    def _update_scores(self, place: Place, whole: Sequence[str], folder: Path) -> None:
        run_date = place.path.name.partition("=")[2]
        update_scores(self.matcher.spark, self.layout.scores, run_date, folder, whole)

    def _remove_unfinished_runs(self) -> None:
        """Remove trainings that were interrupted on rows that are gone; they begin again."""
        for path in self.layout.unfinished_runs():
            if RunFolder(path).registration() is None:  # else only its promotion is missing
                doomed = path.with_name(f"_removed-{path.name}")
                path.rename(doomed)
                shutil.rmtree(doomed)
                self.unfinished_runs.append(path.name)

    def _remove_backtest_models(self) -> None:
        """Remove models that backtests keep, which may have learned from the customers' rows.

        A backtest that needs one trains it again. What a killed one has left goes too.
        """
        folder = self.layout.backtest
        shutil.rmtree(folder.work, ignore_errors=True)
        if self.findings.rows:
            models = folder.trained("x").parent
            self.backtest_models = len([*models.glob("*")])
            shutil.rmtree(models, ignore_errors=True)

    def _affects(self, place: Place) -> bool:
        return bool(self.findings.below(place.path)) or place.path in self.findings.categories

    def _is_table(self, place: Place) -> bool:
        experiments = self.layout.root / "experiments"
        return place.path.parent == self.layout.feature_tables or place.path.is_relative_to(
            experiments
        )

    def _trainings(self) -> list[Path]:
        """The folders that jobs lock which read feature tables for long."""
        experiments = sorted((self.layout.root / "experiments").glob("*"))
        runs = [self.layout.experiment(path.name).runs for path in experiments]
        return [*self.layout.unfinished_runs(), *(path for path in runs if path.exists())]


def clear_leftovers(layout: Layout) -> int:
    """Remove what killed jobs have prepared or replaced, and say how many folders that were.

    One on which a job is working stays: it is that job's.
    """
    cleared = 0
    for place in list(leftovers_of(layout)):
        with suppress(BusyError), locked(place.lock):
            _clear(place.path)
            cleared += 1
    return cleared


def _clear(path: Path) -> None:
    """Remove a leftover; an old folder comes back where nothing has taken its place."""
    recover(original(path))
    shutil.rmtree(path, ignore_errors=True)


def _held_locks(layout: Layout) -> list[Path]:
    """The folders of the data set that jobs have locked, whether they have made them or not."""
    parents = (layout.feature_tables, layout.scores.path)
    files = [path for parent in parents for path in parent.glob(".*.lock")]
    files += layout.unfinished_run("x").parent.glob(f".{layout.unfinished_run('*').name}.lock")
    return [path.with_name(path.name[1:].removesuffix(".lock")) for path in files]
