"""Finds and deletes registered versions that learned from rows of forgotten customers."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from optdist.data.feature_table import FeatureTable
from optdist.layout import Layout
from optdist.tracking import CHALLENGER, CHAMPION, Registry
from pipelines.forgetting.customers import Customers
from pipelines.forgetting.survey import Findings
from pipelines.forgetting.vocabularies import count_in_schema


@dataclass(frozen=True)
class Versions:
    """The versions of the data set's models, and what they may know of forgotten customers.

    A version is named by its number, and one of a further horizon's model `3 of optdist-shop-30d`.

    Args:
        registry: the model's versions; None: there are none yet.
        layout: the data set's folders.
        further: the registered models of further horizons.
    """

    registry: Registry | None
    layout: Layout
    further: Sequence[str] = ()

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
        names = {
            table.path.name
            for table in tables
            for split in ("train", "validation")
            if table.manifest.forgotten.get(split) or findings.below(table.split_path(split))
        }
        return in_order(
            name
            for name, registry, version in self._all()
            if registry.tags(version).get("data_fingerprint") in names
        )

    def naming(self, customers: Customers, features: dict[str, str]) -> list[str]:
        """The versions among whose categories are customers' ids.

        Args:
            customers: to forget.
            features: the result of `id_features`.
        """
        found = []
        for name, registry, version in self._all() if features else ():
            with registry.borrowed_package(version) as package:
                if count_in_schema(package.schema, customers, features):
                    found.append(name)
        return found

    def in_use(self) -> dict[str, str]:
        """The versions that champion and challenger name, with the alias."""
        return {
            _name(version, registry, own): alias
            for registry, own in self._registries()
            for alias in (CHALLENGER, CHAMPION)
            if (version := registry.find(alias))
        }

    def delete(self, versions: Sequence[str]) -> list[str]:
        """Delete versions that are not in use, with their runs and packages; say which."""
        in_use = self.in_use()
        deleted = [name for name in versions if name not in in_use]
        for name, registry, version in [*self._all()]:
            if name not in deleted:
                continue
            run = registry.runs()[version]
            registry.delete_version(version, run)
            shutil.rmtree(self.layout.run(run), ignore_errors=True)
            for number, path in [*self.layout.packages(registry.model_name)]:
                if number == version:
                    shutil.rmtree(path, ignore_errors=True)
        return deleted if self.registry else []

    def _registries(self) -> list[tuple[Registry, bool]]:
        """The registry of each model, and whether it is that of the own horizon."""
        if self.registry is None:
            return []
        others = [(self.registry.of(name), False) for name in self.further]
        return [(self.registry, True), *others]

    def _all(self) -> Iterator[tuple[str, Registry, str]]:
        """Each version's name, registry and number."""
        for registry, own in self._registries():
            for version in registry.runs():
                yield _name(version, registry, own), registry, version


def in_order(names: Iterable[str]) -> list[str]:
    """Versions by model and number, each once; those of the own horizon first."""
    parts = [name.partition(" ") for name in set(names)]
    return ["".join(part) for part in sorted(parts, key=lambda part: (part[2], int(part[0])))]


def _name(version: str, registry: Registry, own: bool) -> str:
    return version if own else f"{version} of {registry.model_name}"
