"""Connects to the MLflow store of a configuration: its runs, and the registry of its model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from optdist.config import Config
from optdist.errors import ModelError
from optdist.files import make_folder
from optdist.tracking.code_version import code_tags
from optdist.tracking.mlflow_globals import hide_credentials, point_to, quiet
from optdist.tracking.registry import Registry
from optdist.tracking.run import Run


class Tracker(Registry):
    """Runs and registered versions in `MLFLOW_TRACKING_URI`, `tracking.uri`, or a local sqlite."""

    def __init__(self, config: Config) -> None:
        """Connect, and create the experiment on first use.

        Raises:
            ModelError: the store does not work.
        """
        layout = config.layout
        make_folder(layout.root)
        uri = tracking_uri(config)
        self.experiment = config.tracking.experiment
        with quiet():
            try:
                super().__init__(client_of(uri), uri, config.model_name, layout)
                self.experiment_id = self._experiment_id(layout.artifacts)
            except Exception as error:  # every kind of store raises its own
                raise ModelError(explain_failure(uri, error)) from error

    def _experiment_id(self, local_artifacts: Path) -> str:
        """The experiment's id; it is created on first use and restored if it was deleted."""
        experiment = self.client.get_experiment_by_name(self.experiment)
        if experiment is None:
            # a server keeps artifacts where it was told to; a bare data base would use ./mlruns
            served = urlsplit(self.uri).scheme in {"http", "https", "databricks"}
            place = None if served else local_artifacts.as_uri()
            return str(self.client.create_experiment(self.experiment, place))
        if experiment.lifecycle_stage == "deleted":
            self.client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)

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
            name: the run's.
            parent: a run that this one is nested in.
            again: continue the newest run of that name, if there is one.
            tags: for a new run, in addition to those of `code_tags`.
            run_id: continue this run.
        """
        if again:
            same_name = f"attributes.run_name = '{name}'"
            old = self.client.search_runs([self.experiment_id], same_name, max_results=1)
            run_id = old[0].info.run_id if old else None
        if run_id:
            self.client.update_run(run_id, status="RUNNING")
        else:
            all_tags = code_tags() | dict(tags or {})
            if parent:
                all_tags["mlflow.parentRunId"] = parent.run_id
            created = self.client.create_run(self.experiment_id, run_name=name, tags=all_tags)
            run_id = created.info.run_id
        try:
            yield Run(self.client, run_id, self.experiment_id)
        except BaseException:
            self.client.set_terminated(run_id, "FAILED")
            raise
        self.client.set_terminated(run_id, "FINISHED")

    def describe(self) -> dict[str, str]:
        """Where runs and models are."""
        return {
            "tracking_uri": hide_credentials(self.uri),
            "experiment": self.experiment,
            "experiment_id": self.experiment_id,
            "model": self.model_name,
        }


def tracking_uri(config: Config) -> str:
    """The store's URI: MLFLOW_TRACKING_URI, `tracking.uri`, or the sqlite file under the root."""
    local = f"sqlite:///{config.layout.registry}"
    return os.environ.get("MLFLOW_TRACKING_URI") or config.tracking.uri or local


def explain_failure(uri: str, error: Exception) -> str:
    """What to say of a store that does not work, without the credentials of its URI."""
    text = str(error).replace(uri, hide_credentials(uri))
    return (
        f"MLflow at {hide_credentials(uri)} does not work ({text}). "
        f"Set MLFLOW_TRACKING_URI or tracking.uri."
    )


def client_of(uri: str) -> Any:
    """A client of the store, to which `mlflow.*` points from now on."""
    import mlflow

    point_to(uri)
    return mlflow.MlflowClient()
