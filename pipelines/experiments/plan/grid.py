"""Expands an experiment into data sets, variants and trials, with the settings of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from optdist.config import Config, load_config
from optdist.errors import ConfigError
from pipelines.experiments.plan.config import ExperimentConfig, Overrides
from pipelines.experiments.plan.coordinates import LIGHTGBM, Cell
from pipelines.experiments.plan.records import CellSettings, FoldsSettings
from pipelines.experiments.plan.settings import network_settings
from pipelines.experiments.plan.variants import Variants


class Grid:
    """The data sets, variants and trials of an experiment, and their configurations."""

    def __init__(
        self,
        experiment: ExperimentConfig,
        env: str = "local",
        overrides: Sequence[str] = (),
    ) -> None:
        """Check every configuration of the grid.

        Args:
            experiment: what to run.
            env: the name of a file in `conf/env`.
            overrides: `section.key=value` each; they win over the experiment's `set`, and lose to
                what a model, an ablation or a sweep differs in.

        Raises:
            ConfigError: a configuration of the grid is wrong.
        """
        self.experiment, self.variants = experiment, Variants(experiment)

        def load(key: str, changes: Overrides) -> Config:
            common = _dotlist(experiment.set | experiment.datasets[key])
            return load_config(key, env, [*common, *overrides, *_dotlist(changes)])

        self._keys = {load(key, {}).dataset.name: key for key in experiment.datasets}
        if len(self._keys) < len(experiment.datasets):
            raise ConfigError("Two data sets of the experiment have the same name.")
        self._configs = {
            dataset: {
                variant: load(key, changes)
                for variant, changes in {"": Overrides(), **self.variants.overrides}.items()
            }
            for dataset, key in self._keys.items()
        }

    @property
    def datasets(self) -> list[str]:
        """The data sets' names."""
        return list(self._keys)

    @property
    def models(self) -> list[str]:
        """The models of Table 2."""
        return [*self.experiment.models, *([LIGHTGBM] if self.experiment.lightgbm else [])]

    def named(self, keys: Sequence[str]) -> list[str]:
        """The names of data sets that a config calls by file or name."""
        names = {key: name for name, key in self._keys.items()}
        return [names[key] for key in keys]

    def config(self, dataset: str, variant: str = "") -> Config:
        """The configuration of a data set, or of a network on it."""
        return self._configs[dataset][variant]

    def ablations(self, dataset: str) -> dict[str, str]:
        """Variant -> its name in Table 3, of those that differ from the model on a data set."""
        return {
            variant: name
            for variant, name in self.variants.ablations.items()
            if not self._is_its_base(dataset, variant)
        }

    def sweep(self, dataset: str) -> dict[str, dict[Any, str]]:
        """Setting -> value -> variant; a value that the model has anyway is the model itself."""
        settings: dict[str, dict[Any, str]] = {}
        for variant, changes in self.variants.sweeps.items():
            [(key, value)] = changes.items()
            same = self._is_its_base(dataset, variant)
            settings.setdefault(key, {})[value] = self.variants.base(variant) if same else variant
        return settings

    def _is_its_base(self, dataset: str, variant: str) -> bool:
        base = self.variants.base(variant)
        configs = [self.config(dataset, name) for name in (variant, base)]
        a, b = (network_settings(config.model, config.training) for config in configs)
        return a == b

    def trials(self, model: str) -> list[str]:
        """The names of a model's trials."""
        if model == LIGHTGBM and self.experiment.lightgbm:
            return [f"trial{i}" for i in range(1, len(self.experiment.lightgbm.trials) + 1)]
        return [f"lr{rate:g}" for rate in self.experiment.learning_rates]

    def tune_seed(self, seed: int) -> int:
        """The seed whose runs choose the trial for `seed`: in cross-validation its own."""
        return seed if self.experiment.folds else self.experiment.tune_seed

    def settings(self, cell: Cell) -> CellSettings:
        """Everything, next to data and seed, that decides what a cell learns."""
        i = self.trials(cell.variant).index(cell.trial)
        lightgbm, folds = self.experiment.lightgbm, self.experiment.folds
        split = FoldsSettings(folds=folds) if folds else None
        if cell.variant == LIGHTGBM and lightgbm:
            fixed = lightgbm.model_dump(include={"rounds", "patience"})
            return CellSettings(lightgbm=lightgbm.trials[i] | fixed, split=split)
        config = self.config(cell.dataset, cell.variant)
        settings = network_settings(config.model, config.training)
        rate = {"learning_rate": self.experiment.learning_rates[i]}
        training = (settings.training or {}) | rate
        return settings.model_copy(update={"training": training, "split": split})


def _dotlist(overrides: Mapping[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
