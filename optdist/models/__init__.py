"""The models, by the name that a config gives them."""

from __future__ import annotations

from optdist.config import ModelConfig
from optdist.data.schema import FeatureSchema
from optdist.errors import ConfigError
from optdist.models.base import CltvModel
from optdist.models.mdan import MDAN
from optdist.models.mdme import MDME
from optdist.models.mtl_mse import MTLMSE
from optdist.models.optdist import OptDist
from optdist.models.two_stage import TwoStage
from optdist.models.ziln import ZILN

MODELS: dict[str, type[CltvModel]] = {
    "optdist": OptDist,
    "ziln": ZILN,
    "two_stage": TwoStage,
    "mtl_mse": MTLMSE,
    "mdme": MDME,
    "mdan": MDAN,
}

__all__ = [
    "MDAN",
    "MDME",
    "MODELS",
    "MTLMSE",
    "ZILN",
    "CltvModel",
    "OptDist",
    "TwoStage",
    "build_model",
    "model_class",
]


def model_class(name: str) -> type[CltvModel]:
    """The class of a model's name.

    Raises:
        ConfigError: no model has that name.
    """
    if name not in MODELS:
        raise ConfigError(f"`model.name` must be one of {', '.join(MODELS)}. Received: {name!r}.")
    return MODELS[name]


def build_model(schema: FeatureSchema, config: ModelConfig, seed: int = 1) -> CltvModel:
    """Make the model that `config.name` names, with its variables built.

    Raises:
        ConfigError: no model has that name.
    """
    model = model_class(config.name)(schema, config, seed)
    model.build_variables()
    return model
