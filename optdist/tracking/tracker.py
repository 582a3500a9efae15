"""The MLflow store and registry of a configuration."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from optdist.config import Config, fingerprint
from optdist.errors import ModelError
from optdist.serving.package import Package
from optdist.tracking.fluent import point_to, quiet, shown
from optdist.tracking.origin import code_tags
from optdist.tracking.run import Run

CHALLENGER, CHAMPION = "challenger", "champion"
PROMOTION_REASON = "promotion_reason"  # a version's tag


class Tracker:
    """The MLflow store of a configuration: `MLFLOW_TRACKING_URI`, `tracking.uri`, or sqlite."""

    def __init__(self, config: Config) -> None:
        """Connect, and make the experiment on first use."""
        import mlflow

        self.layout = config.layout
        self.layout.root.mkdir(parents=True, exist_ok=True)
        local = f"sqlite:///{self.layout.registry}"
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or config.tracking.uri or local
        self.model_name, self.experiment = config.model_name, config.tracking.experiment
        with quiet():
            point_to(self.uri)
            try:
                self.client = mlflow.MlflowClient()
                self.experiment_id = self._experiment(self.layout.artifacts)
            except Exception as error:  # every kind of store raises its own
                text = str(error).replace(self.uri, shown(self.uri))
                raise ModelError(
                    f"MLflow at {shown(self.uri)} does not work ({text}). "
                    f"Set MLFLOW_TRACKING_URI or tracking.uri."
                ) from error

    def _experiment(self, local_artifacts: Path) -> str:
        """The experiment's id; it is made on first use and brought back if it was deleted."""
        found = self.client.get_experiment_by_name(self.experiment)
        if found is None:
            # a server keeps artifacts where it was told to; a bare data base would use ./mlruns
            served = urlsplit(self.uri).scheme in {"http", "https", "databricks"}
            place = None if served else local_artifacts.as_uri()
            return str(self.client.create_experiment(self.experiment, place))
        if found.lifecycle_stage == "deleted":
            self.client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    @contextmanager
    def run(
        self,
        name: str,
        parent: Run | None = None,
        again: bool = False,
        tags: Mapping[str, str] | None = None,
        run_id: str | None = None,
    ) -> Iterator[Run]:
        """A run that ends as FINISHED, or as FAILED where an error leaves the block.

        Args:
            name: of the run.
            parent: a run that this one is nested in.
            again: go on in the newest run of that name, if there is one.
            tags: of a new run, beside those of `code_tags`.
            run_id: go on in this run.
        """
        if again:
            wanted = f"attributes.run_name = '{name}'"
            old = self.client.search_runs([self.experiment_id], wanted, max_results=1)
            run_id = old[0].info.run_id if old else None
        if run_id:
            self.client.update_run(run_id, status="RUNNING")
        else:
            made = code_tags() | dict(tags or {})
            if parent:
                made["mlflow.parentRunId"] = parent.run_id
            run_id = self.client.create_run(
                self.experiment_id, run_name=name, tags=made
            ).info.run_id
        try:
            yield Run(self.client, run_id, self.experiment_id)
        except BaseException:
            self.client.set_terminated(run_id, "FAILED")
            raise
        self.client.set_terminated(run_id, "FINISHED")

    def register(self, model_uri: str, run_id: str, tags: Mapping[str, str]) -> str:
        """Register a logged model as a new version, and return the version.

        Args:
            model_uri: of the logged model.
            run_id: the run that logged it.
            tags: of the version.
        """
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(self.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        logged = model_uri.removeprefix("models:/")  # a server wants the model's id beside it
        with quiet():
            made = self.client.create_model_version(
                self.model_name,
                model_uri,
                run_id,
                tags=dict(tags),
                model_id=None if "/" in logged else logged,
            )
        return str(made.version)

    def set_alias(self, alias: str, version: str) -> None:
        """Point an alias at a version."""
        self.client.set_registered_model_alias(self.model_name, alias, version)

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

    def runs(self) -> dict[str, str]:
        """The run of each registered version."""
        found = self.client.search_model_versions(f"name = '{self.model_name}'")
        return {str(version.version): version.run_id for version in found}

    def is_of_run(self, version: str, run_id: str) -> bool:
        """Whether there is such a version and a run registered it."""
        found = self._version(version)
        return found is not None and found.run_id == run_id

    def find(self, reference: str) -> str | None:
        """The version that an alias or a version number names, or None."""
        found = self._version(reference)
        return None if found is None else str(found.version)

    def resolve(self, reference: str) -> str:
        """The version that an alias or a version number names.

        Raises:
            ModelError: there is none.
        """
        return str(self._existing(reference).version)

    def package(self, version: str) -> Package:
        """A version's model package, in a folder under the root that every node can read.

        The folder's name holds a fingerprint of the version's source, so that another registry's
        version of the same number is never taken for it.
        """
        import mlflow

        found = self._existing(version)
        digest = fingerprint([found.source, found.run_id, found.creation_timestamp])[:8]
        target = self.layout.package(self.model_name, version, digest)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            point_to(self.uri)
            with tempfile.TemporaryDirectory(dir=target.parent) as partial, quiet():
                folder = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"models:/{self.model_name}/{version}", dst_path=partial
                )
                package = Package.find(Path(folder))
                if package is None:
                    raise ModelError(f"{self.model_name} version {version} holds no model package.")
                try:
                    package.path.rename(target)
                except OSError:
                    if not target.exists():  # no other job was faster
                        raise
        return Package(target)

    def _existing(self, reference: str) -> Any:
        found = self._version(reference)
        if found is None:
            newest = self._newest() if reference == CHAMPION else None
            if newest is not None:
                reason = newest.tags.get(PROMOTION_REASON, "it was not compared with a champion")
                raise ModelError(
                    f"{self.model_name} has no champion. Version {newest.version} is not champion: "
                    f"{reason}. To make it one: ./spark-submit.sh jobs/promote.py --version "
                    f"{newest.version} --force"
                )
            raise ModelError(
                f"The registry {shown(self.uri)} has no {self.model_name}@{reference}. Train a "
                f"model first (./spark-submit.sh jobs/train.py), or name a version or alias that "
                f"exists."
            )
        return found

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
            raise ModelError(f"The registry {shown(self.uri)} does not work: {error}") from error

    def _newest(self) -> Any:
        """MLflow's record of the newest version, or None where nothing is registered."""
        found = self.client.search_model_versions(f"name = '{self.model_name}'")
        return max(found, key=lambda version: int(version.version), default=None)

    def describe(self) -> dict[str, str]:
        """Where runs and models are."""
        return {
            "tracking_uri": shown(self.uri),
            "experiment": self.experiment,
            "experiment_id": self.experiment_id,
            "model": self.model_name,
        }
