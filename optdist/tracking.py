"""Runs and the model registry: the door to MLflow."""

from __future__ import annotations

import logging
import math
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import pandas as pd
import yaml

from optdist.config import Config, fingerprint
from optdist.errors import ModelError
from optdist.schema import FeatureSchema

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CHALLENGER, CHAMPION = "challenger", "champion"
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # hundreds of lines in a log
_HERE = Path(__file__).resolve().parent
_NEEDED = (  # what scoring a raw row imports; logged with the versions that trained
    "keras",
    "numpy",
    "omegaconf",
    "pandas",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "scipy",
)


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

    def log_table(self, manifest: Mapping[str, Any]) -> None:
        """Log the feature table's fingerprint and counts."""
        what = {"name": manifest["dataset"], "fingerprint": manifest["fingerprint"]}
        self.log_params({f"data.{k}": v for k, v in (what | manifest["counts"]).items()})
        self._log_text(yaml.safe_dump(dict(manifest), sort_keys=False), "data_manifest.yaml")

    def log_epoch(self, record: Mapping[str, Any]) -> None:
        """Log one epoch's loss, speed, validation metrics and SDN shares."""
        step = record["epoch"]
        values = {name: record[name] for name in ("loss", "learning_rate", "rows_per_second")}
        values |= {f"val_{name}": value for name, value in record["validation"].items()}
        values |= {f"sdn_share_{i}": share for i, share in enumerate(record["sdn_share"] or [])}
        self._log_metrics(values, step)

    def log_metrics(self, metrics: Mapping[str, float], prefix: str = "") -> None:
        """Log final metrics."""
        self._log_metrics({f"{prefix}{name}": value for name, value in metrics.items()}, 0)

    def log_params(self, values: Mapping[str, Any]) -> None:
        """Log settings as text."""
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in values.items()]
        self.client.log_batch(self.run_id, params=params)

    def log_folder(self, folder: Path, name: str) -> None:
        """Log all files of a folder under `name`/."""
        self.client.log_artifacts(self.run_id, str(folder), name)

    def log_figures(self, figures: Mapping[str, Figure]) -> None:
        """Log plots as PNG under plots/."""
        for name, figure in figures.items():
            self.client.log_figure(
                self.run_id, figure, f"plots/{name}.png", save_kwargs={"dpi": 130}
            )

    def log_model(self, package: Path, quantiles: Sequence[float] = (0.05, 0.5, 0.95)) -> str:
        """Log the package with its code, signature and a synthetic input example.

        Args:
            package: the model package's folder.
            quantiles: the levels that the logged model predicts if `params` names no others.

        Returns:
            The model's URI.
        """
        import mlflow

        from optdist.package import load_predictor

        schema = FeatureSchema.load(package / "schema.json")
        example = synthetic_rows(schema)
        output = pd.DataFrame(load_predictor(package).predict(example, quantiles))
        params = {"quantiles": list(quantiles)}
        with warnings.catch_warnings():  # on the integer `selected_sdn`, which is never missing
            warnings.filterwarnings("ignore", ".*integer column", UserWarning)
            signature = mlflow.models.infer_signature(example, output, params)
        _point_fluent_functions_to(self.client.tracking_uri)
        with mlflow.start_run(run_id=self.run_id, log_system_metrics=False), _quiet():
            model = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_HERE / "pyfunc_model.py"),
                artifacts={"package": str(package)},
                code_paths=[str(_HERE)],
                signature=signature,
                input_example=example,
                pip_requirements=_requirements(),
            )
        uri: str = model.model_uri
        return uri

    def _log_metrics(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, step) for name, value in values.items()]
        self.client.log_batch(self.run_id, metrics=metrics)

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
            _point_fluent_functions_to(self.uri)
            try:
                self.client = mlflow.MlflowClient()
                self.experiment_id = self._experiment(root / "mlartifacts")
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
    def run(self, name: str, parent: Run | None = None, again: bool = False) -> Iterator[Run]:
        """A run that ends as FINISHED, or as FAILED where an error leaves the block.

        Args:
            name: of the run.
            parent: a run that this one is nested in.
            again: go on in the newest run of that name, if there is one.
        """
        wanted = f"attributes.run_name = '{name}'"
        old = self.client.search_runs([self.experiment_id], wanted, max_results=1) if again else []
        if old:
            run_id = old[0].info.run_id
            self.client.update_run(run_id, status="RUNNING")
        else:
            tags = {"mlflow.parentRunId": parent.run_id} if parent else {}
            run_id = self.client.create_run(
                self.experiment_id, run_name=name, tags=tags
            ).info.run_id
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
        logged = model_uri.removeprefix("models:/")  # a server wants the model's id beside it
        with _quiet():
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
        """Tag a version."""
        self.client.set_model_version_tag(self.model_name, version, key, value)

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

    def package(self, version: str) -> Path:
        """A version's model package, in a folder under the root that every node can read.

        The folder's name holds a fingerprint of the version's source, so that another registry's
        version of the same number is never taken for it.
        """
        import mlflow

        found = self._existing(version)
        digest = fingerprint([found.source, found.run_id, found.creation_timestamp])[:8]
        target = self.models / self.model_name / f"{version}-{digest}"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _point_fluent_functions_to(self.uri)
            with tempfile.TemporaryDirectory(dir=target.parent) as partial, _quiet():
                folder = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"models:/{self.model_name}/{version}", dst_path=partial
                )
                packages = sorted(Path(folder).glob("artifacts/*/schema.json"))
                if not packages:
                    raise ModelError(f"{self.model_name} version {version} holds no model package.")
                try:
                    packages[0].parent.rename(target)
                except OSError:
                    if not target.exists():  # no other job was faster
                        raise
        return target

    def _existing(self, reference: str) -> Any:
        found = self._version(reference)
        if found is None:
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

    def describe(self) -> dict[str, str]:
        """Where runs and models are."""
        return {
            "tracking_uri": shown(self.uri),
            "experiment": self.experiment,
            "experiment_id": self.experiment_id,
            "model": self.model_name,
        }


def shown(uri: str) -> str:
    """A tracking URI without the user and password that it may hold."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


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
            value = [math.expm1(max(v, 0.0)) for v in value]
        columns[number.name] = [round(v, 2) for v in value]
    return pd.DataFrame(columns)


def _point_fluent_functions_to(uri: str) -> None:
    """Make `mlflow.*` use `uri`, but not the next `Tracker`: MLflow would set the variable too."""
    import mlflow

    name = "MLFLOW_TRACKING_URI"
    before = os.environ.get(name)
    mlflow.set_tracking_uri(uri)
    if before is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = before


def _requirements() -> list[str]:
    try:
        tensorflow = metadata.version("tensorflow-cpu")
    except metadata.PackageNotFoundError:  # a GPU node
        tensorflow = metadata.version("tensorflow")
    pins = {name: metadata.version(name) for name in _NEEDED} | {"tensorflow-cpu": tensorflow}
    return [f"{name}=={pin}" for name, pin in pins.items()]


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
