"""Writes one MLflow run: settings, metrics, plots and the model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from optdist.config import Config
from optdist.data.feature_table import Manifest
from optdist.data.schema import FeatureSchema
from optdist.serving.package import Package
from optdist.tracking.lineage import dataset_inputs
from optdist.tracking.logged_model import log_package
from optdist.tracking.mlflow_globals import point_to
from optdist.tracking.store import store_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from optdist.training.result import EpochRecord


class Run:
    """One MLflow run, written by the driver alone."""

    def __init__(self, client: Any, run_id: str, experiment_id: str) -> None:
        """Wrap a started run."""
        self.client, self.run_id, self.experiment_id = client, run_id, experiment_id

    def log_config(self, config: Config) -> None:
        """Log the whole configuration; `${env:NAME}` stays as it was written."""
        printable = config.printable()
        self._log_text(
            yaml.safe_dump(printable, sort_keys=False, allow_unicode=True), "config.yaml"
        )
        self.log_params(
            {
                f"{section}.{key}": value
                for section in ("model", "training", "split")
                for key, value in printable[section].items()
            }
        )

    def log_table(self, manifest: Manifest, schema: FeatureSchema | None = None) -> None:
        """Log the table's fingerprint and counts, raw tables' versions, and its history's SQL.

        Each split becomes an input of the run, with its raw tables as they were written.

        Args:
            manifest: the table's.
            schema: its features; None: not known.
        """
        self.client.log_inputs(self.run_id, dataset_inputs(manifest, schema))
        params = {"name": manifest.dataset, "fingerprint": manifest.fingerprint, **manifest.counts}
        params |= {f"version.{table}": number for table, number in manifest.versions.items()}
        self.log_params({f"data.{key}": value for key, value in params.items()})
        written = manifest.model_dump(mode="json", exclude={"history_sql", "sums"})
        self._log_text(yaml.safe_dump(written, sort_keys=False), "data_manifest.yaml")
        if manifest.history_sql:
            self._log_text(manifest.history_sql, "history.sql")

    def log_epoch(self, record: EpochRecord) -> None:
        """Log one epoch's loss, speed, validation metrics and SDN shares."""
        values = {
            "loss": record.loss,
            "learning_rate": record.learning_rate,
            "rows_per_second": record.rows_per_second,
        }
        values |= {f"val_{name}": value for name, value in record.validation.items()}
        values |= {f"sdn_share_{i}": share for i, share in enumerate(record.sdn_share or [])}
        self._log_metrics(values, record.epoch)

    def log_metrics(self, metrics: Mapping[str, float], prefix: str = "") -> None:
        """Log final metrics."""
        self._log_metrics({f"{prefix}{name}": value for name, value in metrics.items()}, 0)

    def log_params(self, values: Mapping[str, Any]) -> None:
        """Log settings as text."""
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in values.items()]
        self.client.log_batch(self.run_id, params=params)

    def log_file(self, path: Path) -> None:
        """Log one file under its own name."""
        self.client.log_artifact(self.run_id, str(path))

    def log_folder(self, folder: Path, name: str) -> None:
        """Log all files of a folder under `name`/."""
        self.client.log_artifacts(self.run_id, str(folder), name)

    def log_figures(self, figures: Mapping[str, Figure]) -> None:
        """Log plots as PNG under plots/."""
        for name, figure in figures.items():
            self.client.log_figure(
                self.run_id, figure, f"plots/{name}.png", save_kwargs={"dpi": 130}
            )

    def log_model(self, package: Package, quantiles: Sequence[float] = (0.05, 0.5, 0.95)) -> str:
        """Log the package with its code, signature and a synthetic input example.

        Args:
            package: the model package.
            quantiles: the levels that the logged model predicts if `params` names no others.

        Returns:
            The model's URI.
        """
        import mlflow

        uri = self.client.tracking_uri
        point_to(uri)
        with store_errors(uri), mlflow.start_run(run_id=self.run_id, log_system_metrics=False):
            return log_package(package, quantiles)

    def _log_metrics(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for name, value in values.items()]
        self.client.log_batch(self.run_id, metrics=metrics)

    def _log_text(self, text: str, name: str) -> None:
        self.client.log_text(self.run_id, text, name)
