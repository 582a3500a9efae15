"""Chooses what a training run starts from: initial weights, or those of the champion."""

from __future__ import annotations

from optdist.config import Config
from optdist.config.identity import SPLIT, identity
from optdist.log import LOG
from optdist.tracking import CHAMPION, Registry
from optdist.training.warm_start import WarmStart
from pipelines.registry.compatibility import changed_settings


def find_start(config: Config, tracker: Registry) -> WarmStart | None:
    """The champion, if `training.warm_start` asks for it and its weights can be used.

    Weights that were fitted on other splits may know rows of the test split, and another model has
    other layers: such a run starts from initial weights, and says so.

    Args:
        config: the settings of training, model and split.
        tracker: the registry.
    """
    if config.training.warm_start is None:
        return None
    version = tracker.find(CHAMPION)
    if version is None:
        LOG.info("no champion yet: training starts from initial weights")
        return None
    package = tracker.package(version)
    moved = changed_settings(tracker, version, {SPLIT: identity(config)[SPLIT]})
    model = package.settings.name
    if model != config.model.name:
        moved.append(f"model.name, which is {model} there")
    if moved:
        LOG.warning(
            f"training starts from initial weights: the champion, version {version}, differs in "
            f"{', '.join(moved)}"
        )
        return None
    return WarmStart(package=str(package.path), version=version, digest=package.expected)
