"""Reads and writes the registered versions of one model: aliases, tags and packages."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optdist.config import fingerprint
from optdist.errors import ModelError, StoreError
from optdist.layout import Layout
from optdist.serving.package import Package
from optdist.tracking.logged_model import PACKAGE_DIGEST
from optdist.tracking.mlflow_globals import hide_credentials, point_to
from optdist.tracking.store import explain_failure, store_errors

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
PROMOTION_REASON = "promotion_reason"  # a version's tag
LEARNED_UNTIL = "learned_until"  # a version's tag: the last day of the data that training read
OUT_OF_TIME_FROM = "out_of_time_from"  # a version's tag: no label that trained it reaches that day
_ACCEPTED = "gate.accepted."  # a run's parameters: failed checks of its input that were accepted


class Registry:
    """The versions of one registered model."""

    def __init__(self, client: Any, uri: str, model_name: str, layout: Layout) -> None:
        """Take a connection to MLflow.

        Args:
            client: an `mlflow.MlflowClient`.
            uri: the store's URI.
            model_name: the registered model's name.
            layout: where packages are kept once they are fetched.
        """
        self.client, self.uri, self.model_name, self.layout = client, uri, model_name, layout

    def of(self, model_name: str) -> Registry:
        """The versions of another registered model of the same store."""
        return Registry(self.client, self.uri, model_name, self.layout)

    def register(self, model_uri: str, run_id: str, tags: Mapping[str, str]) -> str:
        """Register a logged model as a new version, and return the version.

        Args:
            model_uri: the logged model's.
            run_id: the run that logged it.
            tags: the version's.
        """
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(self.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        logged = model_uri.removeprefix("models:/")  # a server wants the model's id as well
        version = self.client.create_model_version(
            self.model_name,
            model_uri,
            run_id,
            tags=dict(tags),
            model_id=None if "/" in logged else logged,
        )
        return str(version.version)

    def set_alias(self, alias: str, version: str) -> None:
        """Point an alias at a version."""
        self.client.set_registered_model_alias(self.model_name, alias, version)

    def drop_alias(self, alias: str) -> None:
        """Remove an alias, if it is there."""
        if self.find(alias):
            self.client.delete_registered_model_alias(self.model_name, alias)

    def tag_version(self, version: str, key: str, value: str) -> None:
        """Tag a version.

        Args:
            version: a registered version's number.
            key: the tag's name.
            value: the tag's text.
        """
        self.client.set_model_version_tag(self.model_name, version, key, value)

    def tags(self, version: str) -> dict[str, str]:
        """A version's tags."""
        return dict(self._existing(version).tags)

    def model_tag(self, key: str) -> str | None:
        """A tag of the registered model itself; None where it has none."""
        from mlflow.exceptions import MlflowException

        try:
            return dict(self.client.get_registered_model(self.model_name).tags).get(key)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def tag_model(self, key: str, value: str) -> None:
        """Tag the registered model itself."""
        self.client.set_registered_model_tag(self.model_name, key, value)

    def run_of(self, version: str) -> Any:
        """MLflow's record of the run that made a version; None where it is gone."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_run(self._existing(version).run_id)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise

    def open_alarms(self, version: str) -> list[str]:
        """The checks that a version's training input failed and that somebody accepted."""
        run = self.run_of(version)
        names = run.data.params if run else {}
        return sorted(n.removeprefix(_ACCEPTED) for n in names if n.startswith(_ACCEPTED))

    def runs(self) -> dict[str, str]:
        """The run of each registered version."""
        versions = self.client.search_model_versions(f"name = '{self.model_name}'")
        return {str(version.version): version.run_id for version in versions}

    def run_tags(self, run_id: str) -> dict[str, str]:
        """A run's tags; none where MLflow does not know the run."""
        from mlflow.exceptions import MlflowException

        try:
            return dict(self.client.get_run(run_id).data.tags)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return {}
            raise

    def delete_version(self, version: str, run_id: str) -> None:
        """Delete a version and the run that logged it; `mlflow gc` then removes their files.

        Args:
            version: a registered version's number.
            run_id: its run.
        """
        self.client.delete_model_version(self.model_name, version)
        self.client.delete_run(run_id)

    def finished_runs(self, experiment: str, most: int = 50) -> list[Any]:
        """MLflow's records of the newest finished runs of an experiment, the newest first.

        Args:
            experiment: the experiment's name.
            most: how many at most.
        """
        known = self.client.get_experiment_by_name(experiment)
        if known is None:
            return []
        finished = "attributes.status = 'FINISHED'"
        newest = ["attributes.start_time DESC"]
        return list(self.client.search_runs([known.experiment_id], finished, 1, most, newest))

    def is_of_run(self, version: str, run_id: str) -> bool:
        """Whether the version exists and was registered by the run."""
        record = self._version(version)
        return record is not None and record.run_id == run_id

    def find(self, reference: str) -> str | None:
        """The version that an alias or a version number names, or None."""
        record = self._version(reference)
        return None if record is None else str(record.version)

    def resolve(self, reference: str) -> str:
        """The version that an alias or a version number names.

        Raises:
            ModelError: there is none.
        """
        return str(self._existing(reference).version)

    def package(self, version: str) -> Package:
        """A version's model package, in a folder under the root that every node can read.

        The folder's name contains a fingerprint of the version's source, so that another registry's
        version of the same number is never taken for it. Every file is compared with the digest
        that the version was registered with, when it is fetched and whenever it is used again.

        Raises:
            ModelError: the package is damaged, or another than was registered.
        """
        target = self._place(version)
        expected = self.tags(version).get(PACKAGE_DIGEST) or None
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as partial:
                package = self._fetch(version, partial, expected)
                try:
                    package.path.rename(target)
                except OSError:
                    if not target.exists():  # no other job was faster
                        raise
                return Package(target, expected)
        return _verified(Package(target, expected))

    @contextmanager
    def borrowed_package(self, version: str) -> Iterator[Package]:
        """A version's model package, which leaves nothing under the root if it was not there."""
        target = self._place(version)
        expected = self.tags(version).get(PACKAGE_DIGEST) or None
        if target.exists():
            yield _verified(Package(target, expected))
            return
        with tempfile.TemporaryDirectory() as folder:
            yield self._fetch(version, folder, expected)

    def _place(self, version: str) -> Path:
        record = self._existing(version)
        digest = fingerprint([record.source, record.run_id, record.creation_timestamp])[:8]
        return self.layout.package(self.model_name, version, digest)

    def _fetch(self, version: str, folder: str, expected: str | None) -> Package:
        import mlflow

        point_to(self.uri)
        with store_errors(self.uri):
            downloaded = mlflow.artifacts.download_artifacts(
                artifact_uri=f"models:/{self.model_name}/{version}", dst_path=folder
            )
        package = Package.find(Path(downloaded))
        if package is None:
            raise ModelError(f"{self.model_name} version {version} has no model package.")
        return _verified(Package(package.path, expected))

    def _existing(self, reference: str) -> Any:
        record = self._version(reference)
        if record is None:
            if reference == CHAMPION and self._newest() is not None:
                raise ModelError(f"{self.model_name} has no champion. {self.why_no_champion()}")
            raise ModelError(
                f"The registry {hide_credentials(self.uri)} has no {self.model_name}@{reference}. "
                f"Train a model first (./spark-submit.sh jobs/train.py), or name a version or "
                f"alias that exists."
            )
        return record

    def _version(self, reference: str) -> Any:
        """MLflow's record, or None if there is none; a registry that fails is an error."""
        from mlflow.exceptions import MlflowException

        try:
            if reference.isdigit():
                return self.client.get_model_version(self.model_name, reference)
            return self.client.get_model_version_by_alias(self.model_name, reference)
        except MlflowException as error:
            if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                return None
            raise StoreError(explain_failure(self.uri, error)) from error

    def why_no_champion(self) -> str:
        """Why the newest version is not champion, and how to make it one."""
        newest = self._newest()
        if newest is None:
            return "nothing is registered. Train a model first (./spark-submit.sh jobs/train.py)"
        reason = newest.tags.get(PROMOTION_REASON, "it was not compared with a champion")
        return (
            f"Version {newest.version} is not champion: {reason}. To make it one: "
            f"./spark-submit.sh jobs/promote.py --version {newest.version} --force"
        )

    def _newest(self) -> Any:
        """MLflow's record of the newest version, or None where nothing is registered."""
        versions = self.client.search_model_versions(f"name = '{self.model_name}'")
        return max(versions, key=lambda version: int(version.version), default=None)


def _verified(package: Package) -> Package:
    package.verify()
    return package
