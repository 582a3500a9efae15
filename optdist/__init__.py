"""OptDist: what each customer will be worth, and how sure that is (Weng et al., CIKM 2024).

The names below are all that a notebook needs; they are imported on first use, so that importing
`optdist` does not start TensorFlow.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "FeaturesConfig": "optdist.config",
    "FeatureSchema": "optdist.data.schema",
    "ModelConfig": "optdist.config",
    "OptDist": "optdist.models",
    "fit_schema": "optdist.data.encoding",
    "load_config": "optdist.config",
    "load_model": "optdist.serving.package",
    "load_predictor": "optdist.serving.package",
    "memory_dataset": "optdist.data.inputs",
    "save_package": "optdist.serving.package",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"optdist has no {name}. It has: {', '.join(__all__)}.")
    home = importlib.import_module(_HOME[name])
    return getattr(home, "fit" if name == "fit_schema" else name)
