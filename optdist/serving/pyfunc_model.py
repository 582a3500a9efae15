"""Defines the MLflow model as code: raw rows in, predictions out, without Spark or Horovod."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel


class OptDistModel(PythonModel):
    """Loads the model package that was logged with this code."""

    def load_context(self, context: Any) -> None:
        """Load the package, if it is the one that was logged."""
        from optdist.serving.package import Package
        from optdist.serving.predictor import load_predictor

        digest = (context.model_config or {}).get("package_sha256")
        self.predictor = load_predictor(Package(Path(context.artifacts["package"]), digest))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Predict raw rows; `params={"quantiles": [0.05, 0.95]}` adds quantiles.

        Args:
            context: MLflow's; not used.
            model_input: B rows with the schema's raw columns.
            params: `quantiles`, a list of levels in (0, 1), or nothing.
        """
        quantiles = (params or {}).get("quantiles") or []
        return pd.DataFrame(self.predictor.predict(model_input, [float(q) for q in quantiles]))


mlflow.models.set_model(OptDistModel())
