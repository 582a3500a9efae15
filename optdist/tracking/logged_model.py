"""Logs a model package as an MLflow model: code, requirements, signature, example."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from optdist.config import ModelConfig
from optdist.data.schema import FeatureSchema
from optdist.serving.package import Package

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

PACKAGE_DIGEST = "package_sha256"  # a version's tag, and the logged model's setting
_LIBRARY = Path(__file__).resolve().parents[1]
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


def log_package(package: Package, quantiles: Sequence[float]) -> str:
    """Log a package to the active run.

    Args:
        package: the model package.
        quantiles: the levels that the logged model predicts if `params` names no others.

    Returns:
        The model's URI.
    """
    import mlflow

    from optdist.serving.predictor import load_predictor

    package.verify()
    example = synthetic_rows(package.schema)
    output = pd.DataFrame(load_predictor(package).predict(example, quantiles))
    signature = _signature(package.schema, example, output, quantiles)
    model = mlflow.pyfunc.log_model(
        name="model",
        python_model=str(_LIBRARY / "serving" / "pyfunc_model.py"),
        artifacts={"package": str(package.path)},
        code_paths=[str(_LIBRARY), *map(str, code_from_outside(package.settings))],
        signature=signature,
        input_example=example,
        model_config={PACKAGE_DIGEST: package.digest},
        pip_requirements=_requirements(),
    )
    uri: str = model.model_uri
    return uri


def code_from_outside(settings: ModelConfig) -> list[Path]:
    """Packages or modules of classes that the settings name as `package.module:Class`."""
    named = [value for value in (settings.name, settings.representation) if ":" in value]
    paths = []
    for top in sorted({value.split(":")[0].split(".")[0] for value in named}):
        spec = find_spec(top)
        if spec and spec.origin and top != _LIBRARY.name:
            file = Path(spec.origin)
            paths.append(file.parent if file.name == "__init__.py" else file)
    return paths


def synthetic_rows(schema: FeatureSchema, rows: int = 3) -> pd.DataFrame:
    """Made-up raw rows for an input example: no customer's row is ever logged.

    Categories are invented names, because a vocabulary may contain ids of persons; numbers are the
    training mean and deviations from it.
    """
    columns: dict[str, Any] = {}
    for feature in schema.categorical:
        columns[feature.name] = [f"example {feature.name} {i + 1}" for i in range(rows)]
    for number in schema.numeric:
        value = [number.mean + number.std * (i - 1) / 2 for i in range(rows)]
        if number.log1p:
            value = [math.expm1(max(v, 0.0)) for v in value]
        columns[number.name] = [round(v, 2) for v in value]
    return pd.DataFrame(columns)


def _signature(
    schema: FeatureSchema, example: pd.DataFrame, output: pd.DataFrame, quantiles: Sequence[float]
) -> ModelSignature:
    """Columns of any type in, numbers out.

    The package reads 5, 5.0 and "5" as one category and a number of any type as a number. A
    narrower type would make MLflow refuse what the jobs accept, such as integers.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, Schema

    with warnings.catch_warnings():  # on the integer `selected_sdn`, which is never missing
        warnings.filterwarnings("ignore", ".*integer column", UserWarning)
        inferred = mlflow.models.infer_signature(example, output, {"quantiles": list(quantiles)})
    inputs = Schema([ColSpec(AnyType(), name) for name in schema.raw_columns])
    return ModelSignature(inputs, inferred.outputs, inferred.params)


def _requirements() -> list[str]:
    try:
        tensorflow = metadata.version("tensorflow-cpu")
    except metadata.PackageNotFoundError:  # a GPU node
        tensorflow = metadata.version("tensorflow")
    pins = {name: metadata.version(name) for name in _NEEDED} | {"tensorflow-cpu": tensorflow}
    return [f"{name}=={pin}" for name, pin in pins.items()]
