"""Finds the training engine that `training.engine` names."""

from __future__ import annotations

from optdist.config import Config
from optdist.plugins import named_class
from optdist.training.launcher import Launcher

ENGINES = {
    "spark_horovod": "pipelines.training.spark_launcher:SparkHorovod",
    "local_horovod": "optdist.training.local_launcher:LocalHorovod",
    "one_process": "optdist.training.local_launcher:OneProcess",
}


def launcher_of(config: Config) -> Launcher:
    """Make the launcher that the configuration names.

    Raises:
        ConfigError: there is no such engine, or it cannot do what the settings ask for.
    """
    engine: type[Launcher] = named_class("training.engine", config.training.engine, ENGINES)
    return engine.from_config(config)
