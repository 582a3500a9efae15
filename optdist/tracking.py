"""Runs and the model registry: the door to MLflow."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib.figure import Figure

from optdist.config import Config
from optdist.errors import ModelError
from optdist.schema import FeatureSchema

CHALLENGER, CHAMPION = "challenger", "champion"
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # hundreds of lines in a log
_HERE = Path(__file__).resolve().parent
_REQUIREMENTS = [  # what scoring a raw row needs
    "keras==3.15.1",
    "numpy==1.26.4",
    "omegaconf>=2.4",
    "pandas==2.3.3",
    "pyarrow==14.0.2",
    "pydantic>=2",
    "pyyaml",
    "scipy",
    "tensorflow-cpu==2.18.1",
]


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
        for section in ("model", "training", "split"):
            for key, value in printable[section].items():
                self.client.log_param(self.run_id, f"{section}.{key}", str(value))

    def log_table(self, manifest: Mapping[str, Any]) -> None:
        """Log the feature table's fingerprint and counts."""
        self.client.log_param(self.run_id, "data.name", manifest["dataset"])
        self.client.log_param(self.run_id, "data.fingerprint", manifest["fingerprint"])
        for name, count in manifest["counts"].items():
            self.client.log_param(self.run_id, f"data.{name}", count)
        self._log_text(yaml.safe_dump(dict(manifest), sort_keys=False), "data_manifest.yaml")

    def log_epoch(self, record: Mapping[str, Any]) -> None:
        """Log one epoch's loss, speed, validation metrics and SDN shares."""
        step = record["epoch"]
        values = {name: record[name] for name in ("loss", "learning_rate", "rows_per_second")}
        values |= {f"val_{name}": value for name, value in record["validation"].items()}
        values |= {f"sdn_share_{i}": share for i, share in enumerate(record["sdn_share"])}
        for name, value in values.items():
            self.client.log_metric(self.run_id, name, value, step=step)

    def log_metrics(self, metrics: Mapping[str, float], prefix: str = "") -> None:
        """Log final metrics."""
        for name, value in metrics.items():
            self.client.log_metric(self.run_id, f"{prefix}{name}", value)

    def log_figures(self, figures: Mapping[str, Figure]) -> None:
        """Log plots as PNG under plots/."""
        for name, figure in figures.items():
            self.client.log_figure(
                self.run_id, figure, f"plots/{name}.png", save_kwargs={"dpi": 130}
            )

    def log_model(self, package: Path) -> str:
        """Log the package with its code, signature and a synthetic input example.

        Returns:
            The model's URI.
        """
        import mlflow

        from optdist.package import load_predictor

        schema = FeatureSchema.load(package / "schema.json")
        example = synthetic_rows(schema)
        output = pd.DataFrame(load_predictor(package).predict(example))
        signature = mlflow.models.infer_signature(example, output)
        with mlflow.start_run(run_id=self.run_id, log_system_metrics=False), _quiet():
            model = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_HERE / "pyfunc_model.py"),
                artifacts={"package": str(package)},
                code_paths=[str(_HERE)],
                signature=signature,
                input_example=example,
                pip_requirements=_REQUIREMENTS,
            )
        uri: str = model.model_uri
        return uri

    def _log_text(self, text: str, name: str) -> None:
        self.client.log_text(self.run_id, text, name)


class Tracker:
    """The MLflow store of a configuration: `MLFLOW_TRACKING_URI`, `tracking.uri`, or sqlite."""

    def __init__(self, config: Config) -> None:
        """Connect, and make the experiment on first use."""
        import mlflow

        root = config.root
        root.mkdir(parents=True, exist_ok=True)
        local = f"sqlite:///{root / 'mlflow.db'}"
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or config.tracking.uri or local
        self.models = root / "models"
        self.model_name, self.experiment = config.model_name, config.tracking.experiment
        with _quiet():
            mlflow.set_tracking_uri(self.uri)
            self.client = mlflow.MlflowClient()
            found = self.client.get_experiment_by_name(self.experiment)
            if found is None:
                place = str(root / "mlartifacts") if self.uri == local else None
                self.experiment_id = self.client.create_experiment(self.experiment, place)
            else:
                self.experiment_id = found.experiment_id

    @contextmanager
    def run(self, name: str) -> Iterator[Run]:
        """A run that ends as FINISHED, or as FAILED where an error leaves the block."""
        started = self.client.create_run(self.experiment_id, run_name=name)
        run_id = started.info.run_id
        try:
            yield Run(self.client, run_id, self.experiment_id)
        except BaseException:
            self.client.set_terminated(run_id, "FAILED")
            raise
        self.client.set_terminated(run_id, "FINISHED")

    def register(self, model_uri: str, run_id: str, tags: Mapping[str, str]) -> str:
        """Register a logged model as a new version, and return the version."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(self.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        with _quiet():
            made = self.client.create_model_version(
                self.model_name, model_uri, run_id, tags=dict(tags)
            )
        return str(made.version)

    def set_alias(self, alias: str, version: str) -> None:
        """Point an alias at a version."""
        self.client.set_registered_model_alias(self.model_name, alias, version)

    def tag_version(self, version: str, key: str, value: str) -> None:
        """Tag a version."""
        self.client.set_model_version_tag(self.model_name, version, key, value)

    def find(self, reference: str) -> str | None:
        """The version that an alias or a version number names, or None."""
        from mlflow.exceptions import MlflowException

        try:
            if reference.isdigit():
                found = self.client.get_model_version(self.model_name, reference)
            else:
                found = self.client.get_model_version_by_alias(self.model_name, reference)
        except MlflowException:
            return None
        return str(found.version)

    def resolve(self, reference: str) -> str:
        """The version that an alias or a version number names.

        Raises:
            ModelError: there is none.
        """
        version = self.find(reference)
        if version is None:
            raise ModelError(
                f"The registry {self.uri} has no {self.model_name}@{reference}. "
                f"Train a model first: ./spark-submit.sh jobs/train.py"
            )
        return version

    def package(self, version: str) -> Path:
        """A version's model package, in a folder under the root that every node can read."""
        import mlflow

        target = self.models / self.model_name / version
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as partial, _quiet():
                folder = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"models:/{self.model_name}/{version}", dst_path=partial
                )
                found = sorted(Path(folder).glob("artifacts/*/schema.json"))
                if not found:
                    raise ModelError(f"{self.model_name} version {version} holds no model package.")
                found[0].parent.rename(target)
        return target

    def describe(self) -> dict[str, str]:
        """Where runs and models are."""
        return {"tracking_uri": self.uri, "experiment": self.experiment, "model": self.model_name}


def synthetic_rows(schema: FeatureSchema, rows: int = 3) -> pd.DataFrame:
    """Made-up raw rows for an input example: no customer's row is ever logged.

    Categories are the vocabulary's first entries, numbers the training mean and deviations from it.
    """
    columns: dict[str, Any] = {}
    for feature in schema.categorical:
        known = feature.vocabulary or ["unknown"]
        columns[feature.name] = [known[i % len(known)] for i in range(rows)]
    for number in schema.numeric:
        value = [number.mean + number.std * (i - 1) / 2 for i in range(rows)]
        if number.log1p:
            value = [pow(2.718281828459045, max(v, 0.0)) - 1 for v in value]
        columns[number.name] = [round(v, 2) for v in value]
    return pd.DataFrame(columns)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MLflow's and alembic's chatter off the job's output; errors still raise."""
    loggers = [
        logging.getLogger(name) for name in ("mlflow", "alembic", "alembic.runtime.migration")
    ]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
