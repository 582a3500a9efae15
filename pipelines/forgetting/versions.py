"""Finds and deletes registered versions that learned from rows of forgotten customers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from optdist.data.feature_table import FeatureTable
from optdist.layout import Layout
from optdist.tracking import CHALLENGER, CHAMPION, Registry
from pipelines.forgetting.customers import Customers
from pipelines.forgetting.survey import Findings
from pipelines.forgetting.vocabularies import count_in_schema


@dataclass(frozen=True)
class Versions:
    """The versions of the data set's model, and what they may know of forgotten customers."""

    registry: Registry | None
    layout: Layout

    def other_runs(self) -> set[str]:
        """The finished runs that MLflow knows to be of other data sets."""
        if self.registry is None:
            return set()
        runs = [path.name for path in (self.layout.root / "runs").glob("*") if path.is_dir()]
        datasets = {run: self.registry.run_tags(run).get("dataset") for run in runs}
        return {run for run, name in datasets.items() if name not in (None, self.layout.dataset)}

    def learned(self, tables: Sequence[FeatureTable], findings: Findings) -> list[str]:
        """The versions that were trained or calibrated on rows of customers who were forgotten.

        Args:
            tables: the feature tables, whose manifests say what was taken out of each split.
            findings: rows that were or are still to be taken out.
        """
        if self.registry is None:
            return []
        names = {
            table.path.name
            for table in tables
            for split in ("train", "validation")
            if table.manifest.forgotten.get(split) or findings.below(table.split_path(split))
        }
        tags = {version: self.registry.tags(version) for version in self.registry.runs()}
        found = [v for v, tag in tags.items() if tag.get("data_fingerprint") in names]
        return sorted(found, key=int)

    def naming(self, customers: Customers, features: dict[str, str]) -> list[str]:
        """The versions among whose categories are customers' ids.

        Args:
            customers: to forget.
            features: the result of `id_features`.
        """
        if self.registry is None or not features:
            return []
        found = []
        for version in self.registry.runs():
            with self.registry.borrowed_package(version) as package:
                if count_in_schema(package.schema, customers, features):
                    found.append(version)
        return found

    def in_use(self) -> dict[str, str]:
        """The versions that champion and challenger name, with the alias."""
        if self.registry is None:
            return {}
        named = {self.registry.find(alias): alias for alias in (CHALLENGER, CHAMPION)}
        return {version: alias for version, alias in named.items() if version}

    def delete(self, versions: Sequence[str]) -> list[str]:
        """Delete versions that are not in use, with their runs and packages; say which."""
        if self.registry is None:
            return []
        deleted = [version for version in versions if version not in self.in_use()]
        runs = self.registry.runs()
        for version in deleted:
            self.registry.delete_version(version, runs[version])
            shutil.rmtree(self.layout.run(runs[version]), ignore_errors=True)
        for version, path in [*self.layout.packages(self.registry.model_name)]:
            if version in deleted:
                shutil.rmtree(path, ignore_errors=True)
        return deleted
