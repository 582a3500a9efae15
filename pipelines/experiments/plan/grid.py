"""What an experiment trains: its tasks in order, and the settings of each.

The order leaves a complete, smaller table at every stop: learning rates and the first seed of each
data set, then each further seed on all data sets, then ablations, then sweeps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optdist.config import Config, load_config
from optdist.errors import ConfigError
from pipelines.experiments.plan.config import Experiment, Overrides

LIGHTGBM = "LightGBM"
# of no influence on what is learned, or a coordinate of its own
_NOT_SETTINGS = {"seed", "start_timeout_seconds", "nics", "threads_per_rank"}
# read by some models alone; what one model reads alone is a section of its name
_OF_OPTDIST = {"num_sdns", "dsm", "temperature", "gumbel", "ce_weight", "kl_weight"}
_OF_OPTDIST |= {"focal_exponent"}
_READERS = {key: {"optdist"} for key in _OF_OPTDIST} | {"inference": {"optdist", "mdme"}}


@dataclass(frozen=True)
class Cell:
    """The coordinates of one training run."""

    dataset: str
    variant: str
    trial: str  # names the learning rate, or LightGBM's parameters
    seed: int

    @property
    def name(self) -> str:
        """The name of the cell's record."""
        return f"{slug(self.dataset)}.{slug(self.variant)}.{slug(self.trial)}.seed{self.seed}"


@dataclass(frozen=True)
class Task:
    """A cell that is wanted; where `trial` is None, tuning decides it."""

    block: str
    dataset: str
    variant: str
    seed: int
    base: str  # the model whose tuning decides the trial
    trial: str | None = None
    test: bool = True  # the test split is read; False only while learning rates are compared


class Grid:
    """The tasks of an experiment and their configurations."""

    def __init__(
        self,
        experiment: Experiment,
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
        self.experiment = experiment
        self._load = lambda key, extra: load_config(
            key,
            env,
            [*_dotlist(experiment.set | experiment.datasets[key]), *overrides, *extra],
        )
        self._keys = {self._load(key, []).dataset.name: key for key in experiment.datasets}
        if len(self._keys) < len(experiment.datasets):
            raise ConfigError("Two data sets of the experiment have the same name.")
        self._named = {key: name for name, key in self._keys.items()}
        self._configs = {
            dataset: {
                variant: self._load(key, _dotlist(changes))
                for variant, changes in {"": Overrides(), **self._variants}.items()
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

    def ablations(self, dataset: str) -> dict[str, str]:
        """Variant -> its name in Table 3, of those that differ from the model on a data set."""
        wanted = self.experiment.ablations
        if not wanted:
            return {}
        model = _settings(self.config(dataset, wanted.model))
        return {
            variant: name
            for variant, name in self._ablations.items()
            if _settings(self.config(dataset, variant)) != model
        }

    @cached_property
    def _ablations(self) -> dict[str, str]:
        wanted = self.experiment.ablations
        return {f"{wanted.model} {name}": name for name in wanted.variants} if wanted else {}

    @cached_property
    def _sweep_variants(self) -> dict[str, Overrides]:
        wanted = self.experiment.sweeps
        if not wanted:
            return {}
        return {
            f"{wanted.model} {key}={value}": {key: value}
            for key, values in wanted.settings.items()
            for value in values
        }

    @cached_property
    def _variants(self) -> dict[str, Overrides]:
        """Every variant that is a network, with what it differs in."""
        wanted, made = self.experiment, dict(self.experiment.models)
        if wanted.ablations:
            base = wanted.models[wanted.ablations.model]
            for variant, name in self._ablations.items():
                made[variant] = base | wanted.ablations.variants[name]
        if wanted.sweeps:
            base = wanted.models[wanted.sweeps.model]
            made |= {name: base | changes for name, changes in self._sweep_variants.items()}
        return made

    def named(self, keys: Sequence[str]) -> list[str]:
        """The names of data sets that a config calls by file or name."""
        return [self._named[key] for key in keys]

    def base(self, variant: str) -> str:
        """The model that a variant is of, whose tuning gives its learning rate."""
        wanted = self.experiment
        if wanted.ablations and variant in self._ablations:
            return wanted.ablations.model
        if wanted.sweeps and variant in self._sweep_variants:
            return wanted.sweeps.model
        return variant

    def sweep(self, dataset: str) -> dict[str, dict[Any, str]]:
        """Setting -> value -> variant; a value that the model has anyway is the model itself."""
        wanted = self.experiment.sweeps
        found: dict[str, dict[Any, str]] = {}
        for variant, changes in self._sweep_variants.items():
            [(key, value)] = changes.items()
            assert wanted is not None
            same = _settings(self.config(dataset, variant)) == _settings(
                self.config(dataset, wanted.model)
            )
            found.setdefault(key, {})[value] = wanted.model if same else variant
        return found

    def config(self, dataset: str, variant: str = "") -> Config:
        """The configuration of a data set, or of a network on it."""
        return self._configs[dataset][variant]

    def trials(self, model: str) -> list[str]:
        """The names of a model's trials."""
        if model == LIGHTGBM and self.experiment.lightgbm:
            return [f"trial{i}" for i in range(1, len(self.experiment.lightgbm.trials) + 1)]
        return [f"lr{rate:g}" for rate in self.experiment.learning_rates]

    def trial_settings(self, model: str, trial: str) -> dict[str, Any]:
        """What a trial sets."""
        i = self.trials(model).index(trial)
        if model == LIGHTGBM and self.experiment.lightgbm:
            return dict(self.experiment.lightgbm.trials[i])
        return {"learning_rate": self.experiment.learning_rates[i]}

    def settings(self, cell: Cell) -> dict[str, Any]:
        """Everything, beside data and seed, that decides what a cell learns."""
        trial = self.trial_settings(cell.variant, cell.trial)
        if cell.variant == LIGHTGBM and self.experiment.lightgbm:
            fixed = self.experiment.lightgbm.model_dump(include={"rounds", "patience"})
            made = {"lightgbm": trial | fixed}
        else:
            made = _settings(self.config(cell.dataset, cell.variant))
            made["training"] |= trial
        if self.experiment.folds:
            made["split"] = {"folds": self.experiment.folds}
        return made

    def tasks(self) -> list[Task]:
        """All tasks in the order in which they matter."""
        return list(self._tasks())

    def tune_seed(self, seed: int) -> int:
        """The seed whose runs choose the trial for `seed`: in cross-validation its own."""
        return seed if self.experiment.folds else self.experiment.tune_seed

    def _tasks(self) -> Iterator[Task]:
        wanted = self.experiment
        for i, seed in enumerate(wanted.seeds):
            for dataset in self.datasets:
                if i == 0 or wanted.folds:
                    yield from self._tuning(dataset, self.tune_seed(seed))
                yield from self._seed(dataset, seed)
        if wanted.ablations:
            yield from self._extra(wanted.ablations, "ablations", self.ablations)
        if wanted.sweeps:
            yield from self._extra(wanted.sweeps, "sweeps", self._swept)

    def _tuning(self, dataset: str, seed: int) -> Iterator[Task]:
        block = f"{dataset}, tuning" + (f", seed {seed}" if self.experiment.folds else "")
        for model in self.models:
            for trial in self.trials(model) if len(self.trials(model)) > 1 else ():
                yield Task(block, dataset, model, seed, model, trial, test=False)

    def _seed(self, dataset: str, seed: int) -> Iterator[Task]:
        for model in self.models:
            yield Task(f"{dataset}, seed {seed}", dataset, model, seed, model)

    def _extra(self, wanted: Any, what: str, variants: Any) -> Iterator[Task]:
        for seed in wanted.seeds:
            for key in wanted.datasets:
                dataset = self._named[key]
                for variant in [wanted.model, *variants(dataset)]:
                    block = f"{dataset}, {what}, seed {seed}"
                    yield Task(block, dataset, variant, seed, wanted.model)

    def _swept(self, dataset: str) -> list[str]:
        variants = [v for values in self.sweep(dataset).values() for v in values.values()]
        return [variant for variant in variants if variant in self._sweep_variants]


def slug(text: str) -> str:
    """Text as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-").lower()


def read_settings(model: dict[str, Any]) -> dict[str, Any]:
    """The settings that a model may read: what only other models read is left out.

    Sizes count for every model, so a change of one may train a cell again that does not have it.
    """
    name = model["name"]

    def read(key: str) -> bool:
        section = isinstance(model[key], dict)  # of the model that it is named after
        return name in _READERS.get(key, {name}) and (not section or key == name)

    return {key: value for key, value in model.items() if read(key)}


def _settings(config: Config) -> dict[str, Any]:
    return {
        "model": read_settings(config.model.model_dump(mode="json")),
        "training": config.training.model_dump(mode="json", exclude=_NOT_SETTINGS),
    }


def _dotlist(overrides: Mapping[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
