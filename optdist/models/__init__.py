"""The models, by the name that a config gives them."""

from __future__ import annotations

from optdist.config import Model
from optdist.errors import ConfigError
from optdist.models.optdist import OptDist
from optdist.schema import FeatureSchema

MODELS = {"optdist": OptDist}

__all__ = ["MODELS", "OptDist", "build_model"]


def build_model(schema: FeatureSchema, config: Model, seed: int = 1) -> OptDist:
    """Make the model that `config.name` names, with its variables built.

    Raises:
        ConfigError: no model has that name.
    """
    if config.name not in MODELS:
        raise ConfigError(
            f"`model.name` must be one of {', '.join(MODELS)}. Received: {config.name!r}."
        )
    model = MODELS[config.name](schema, config, seed)
    model.build_variables()
    return model
