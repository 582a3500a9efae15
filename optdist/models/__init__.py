"""Finds and builds models by the names that a config gives them."""

from __future__ import annotations

import importlib

from optdist.config import ModelConfig
from optdist.config.models import SECTIONS
from optdist.data.schema import FeatureSchema
from optdist.errors import ConfigError
from optdist.models.base import CltvModel
from optdist.models.mdan import MDAN
from optdist.models.mdme import MDME
from optdist.models.mtl_mse import MTLMSE
from optdist.models.optdist import OptDist
from optdist.models.two_stage import TwoStage
from optdist.models.ziln import ZILN
from optdist.plugins import named_class

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


def _in_module_of(name: str) -> type[CltvModel]:
    """The model of a section, by the rule that it lives in the module of its name."""
    module = importlib.import_module(f"{__name__}.{name}")
    [model] = [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, CltvModel)
        and each.config_class is SECTIONS[name]
    ]
    return model


MODELS: dict[str, type[CltvModel]] = {name: _in_module_of(name) for name in SECTIONS}


def model_class(name: str) -> type[CltvModel]:
    """The class of a short name, or of a `package.module:Class` outside this package.

    Raises:
        ConfigError: no model has that name, or it cannot be imported.
    """
    model = named_class("model.name", name, MODELS)
    if not (isinstance(model, type) and issubclass(model, CltvModel)):
        raise ConfigError(f"`model.name` names {name!r}, which is not a subclass of CltvModel.")
    return model


def build_model(schema: FeatureSchema, config: ModelConfig, seed: int = 1) -> CltvModel:
    """Make the model that `config.name` names, with its variables built.

    Args:
        schema: the encoded features and the label's statistics.
        config: the model's settings.
        seed: seed of the initial weights, >= 0.

    Raises:
        ConfigError: no model has that name, or the settings are of another model.
    """
    model = model_class(config.name)(schema, config, seed)
    model.build_variables()
    return model
