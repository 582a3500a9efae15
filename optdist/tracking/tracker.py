"""Connects to the MLflow store of a configuration: its runs, and the registry of its model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from optdist.config import Config
from optdist.errors import OptDistError, StoreError
from optdist.files import make_folder
from optdist.tracking.code_version import code_tags
from optdist.tracking.mlflow_globals import hide_credentials, quiet
from optdist.tracking.registry import Registry
from optdist.tracking.run import Run
from optdist.tracking.store import call_within, client_of, explain_failure

_LAST_SECONDS = 10.0  # that a store may take to note how a run failed


class Tracker(Registry):
    """Runs and registered versions in `MLFLOW_TRACKING_URI`, `tracking.uri`, or a local sqlite."""

    def __init__(self, config: Config) -> None:
        """Connect, and create the experiment on first use.

        Raises:
            StoreError: the store cannot be reached or written.
        """
        layout = config.layout
        make_folder(layout.root)
        uri = tracking_uri(config)
        self.experiment = config.tracking.experiment
        with quiet():
            try:
                super().__init__(client_of(uri), uri, config.model_name, layout)
                self.experiment_id = self._experiment_id(layout.artifacts)
            except OptDistError:
                raise
            except Exception as error:  # every kind of store raises its own
                raise StoreError(explain_failure(uri, error)) from error

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
        """A run that ends as FINISHED, as FAILED after an error, or as KILLED where it is stopped.

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
        except BaseException as error:
            status = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
            # the block's own error says more, and a store that hangs has cost enough time
            with suppress(StoreError, TimeoutError):
                call_within(_LAST_SECONDS, partial(self.client.set_terminated, run_id, status))
            raise
        self.client.set_terminated(run_id, "FINISHED")

    def end_interrupted(self, run_id: str | None) -> None:
        """Give a run the status KILLED if it is still RUNNING: its job is gone.

        Args:
            run_id: the run's; one that this store does not know is left alone, as None is.
        """
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return
        try:
            status = self.client.get_run(run_id).info.status
        except MlflowException:
            return
        if status == "RUNNING":
            self.client.set_terminated(run_id, "KILLED")

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
