"""OptDist predicts each customer's lifetime value and its uncertainty (Weng et al., CIKM 2024).

The names below are all that a notebook needs. Each is imported on first use, so that importing
`optdist` does not start TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

from optdist.version import __version__ as __version__

if TYPE_CHECKING:
    from optdist.config import FeaturesConfig as FeaturesConfig
    from optdist.config import MdanConfig as MdanConfig
    from optdist.config import MdmeConfig as MdmeConfig
    from optdist.config import ModelConfig as ModelConfig
    from optdist.config import MtlMseConfig as MtlMseConfig
    from optdist.config import OptDistConfig as OptDistConfig
    from optdist.config import TwoStageConfig as TwoStageConfig
    from optdist.config import ZilnConfig as ZilnConfig
    from optdist.config import load_config as load_config
    from optdist.data.fitting import fit_schema as fit_schema
    from optdist.data.inputs import memory_dataset as memory_dataset
    from optdist.data.schema import FeatureSchema as FeatureSchema
    from optdist.distributions.mixture import ZilnMixture as ZilnMixture
    from optdist.models import MDAN as MDAN
    from optdist.models import MDME as MDME
    from optdist.models import MTLMSE as MTLMSE
    from optdist.models import ZILN as ZILN
    from optdist.models import CltvModel as CltvModel
    from optdist.models import OptDist as OptDist
    from optdist.models import TwoStage as TwoStage
    from optdist.models.calibration import calibrate as calibrate
    from optdist.serving.package import load_model as load_model
    from optdist.serving.package import save_package as save_package
    from optdist.serving.predictor import Predictor as Predictor
    from optdist.serving.predictor import load_predictor as load_predictor

# The same names at run time, when the block above is skipped.
_HOME = {
    "CltvModel": "optdist.models",
    "FeatureSchema": "optdist.data.schema",
    "FeaturesConfig": "optdist.config",
    "MDAN": "optdist.models",
    "MDME": "optdist.models",
    "MTLMSE": "optdist.models",
    "MdanConfig": "optdist.config",
    "MdmeConfig": "optdist.config",
    "ModelConfig": "optdist.config",
    "MtlMseConfig": "optdist.config",
    "OptDist": "optdist.models",
    "OptDistConfig": "optdist.config",
    "Predictor": "optdist.serving.predictor",
    "TwoStage": "optdist.models",
    "TwoStageConfig": "optdist.config",
    "ZILN": "optdist.models",
    "ZilnConfig": "optdist.config",
    "ZilnMixture": "optdist.distributions.mixture",
    "calibrate": "optdist.models.calibration",
    "fit_schema": "optdist.data.fitting",
    "load_config": "optdist.config",
    "load_model": "optdist.serving.package",
    "load_predictor": "optdist.serving.predictor",
    "memory_dataset": "optdist.data.inputs",
    "save_package": "optdist.serving.package",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"optdist has no attribute {name}. Available: {', '.join(__all__)}.")
    try:
        home = importlib.import_module(_HOME[name])
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        raise ImportError(
            f"optdist.{name} needs TensorFlow: pip install 'optdist[cpu]', or 'optdist[gpu]' on a "
            f"machine with a GPU"
        ) from error
    return getattr(home, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
