"""Looks for the customers in everything that jobs have written of a data set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from optdist.data.feature_table import FeatureTable
from optdist.errors import DataError
from optdist.layout import Layout
from pipelines.forgetting.matching import Matcher
from pipelines.forgetting.places import DataFile, Kind, data_files, places_of, roots_of
from pipelines.forgetting.predictions import count_predictions, run_folders
from pipelines.forgetting.vocabularies import count_in_schema, id_features


@dataclass
class Findings:
    """Where the customers were found.

    Attributes:
        files: each Parquet file that has their rows, with how many they are.
        predictions: each run folder whose test predictions have their rows, with how many.
        categories: each feature table whose schema has their ids, with how many.
        looked_at: how many files were read.
        unreadable: what could not be read, with the reason.
        id_features: features that have a column of the id -> that column.
        customers: the ids that were found.
    """

    files: dict[Path, tuple[DataFile, int]]
    predictions: dict[Path, int]
    categories: dict[Path, int]
    looked_at: int
    unreadable: list[str]
    id_features: dict[str, str]
    customers: set[tuple[str, ...]] = field(default_factory=set)

    def below(self, folder: Path) -> list[DataFile]:
        """The files below a folder that have the customers' rows."""
        return [file for path, (file, _) in self.files.items() if path.is_relative_to(folder)]

    def folders(self, root: Path) -> dict[str, int]:
        """The customers' rows in each folder, named from the root, those without any left out."""
        counts: dict[str, int] = {}
        for path, count in self._counts():
            name = _folder_of(path.relative_to(root))
            counts[name] = counts.get(name, 0) + count
        return dict(sorted(counts.items()))

    def _counts(self) -> Iterable[tuple[Path, int]]:
        yield from ((path.parent, count) for path, (_, count) in self.files.items())
        yield from self.predictions.items()

    @property
    def rows(self) -> int:
        """The customers' rows in all files."""
        return sum(count for _, count in self._counts())


def survey(matcher: Matcher, layout: Layout, others: set[str]) -> Findings:
    """Look for the customers, and tell the matcher the hashes of the samples that are theirs.

    Args:
        matcher: knows the customers.
        layout: the data set's folders.
        others: training runs that are known to be of other data sets.
    """
    files = _files(matcher, layout)
    matcher.learn_hashes(files)
    counts = matcher.count(files)
    found = {file.path: (file, counts[file.path]) for file in files if file.path in counts}
    customers = matcher.seen([file for file, _ in found.values() if file.kind is Kind.IDS])
    unreadable = [str(file.path) for file in files if file.kind is Kind.DAMAGED]
    parts = [file.path for file in files if file.kind is Kind.PARTS]
    unreadable += [f"{path} (it has some columns of an id only)" for path in parts]
    predictions, runs = {}, 0
    for folder, _ in run_folders(layout, others):
        try:
            rows = count_predictions(folder, matcher.hashes)
        except DataError as error:
            unreadable.append(str(error))
            continue
        runs += folder.has_predictions
        if rows:
            predictions[folder.path] = rows
    tables = finished_tables(layout)
    features = id_features(tables, matcher.customers.columns)
    categories = {
        table.path: count
        for table in tables
        if (count := count_in_schema(table.schema, matcher.customers, features))
    }
    looked_at = len(files) + runs
    return Findings(found, predictions, categories, looked_at, unreadable, features, customers)


def finished_tables(layout: Layout) -> list[FeatureTable]:
    """The data set's feature tables that are finished and can be read."""
    tables = []
    for place in places_of(layout):
        if FeatureTable.is_finished(place.path):
            try:
                tables.append(FeatureTable.open(place.path))
            except DataError:  # damaged: no job uses it
                continue
    return tables


def _files(matcher: Matcher, layout: Layout) -> list[DataFile]:
    folders = roots_of(layout)
    return [file for folder in folders for file in data_files(folder, matcher.customers.columns)]


def _folder_of(path: Path) -> str:
    """The part of a folder's name that says what it holds, without splits."""
    depth = 5 if path.parts[0] == "experiments" else 4
    return "/".join(path.parts[:depth])
