"""Reads and checks the configuration of an experiment (`conf/experiments/*.yaml`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from optdist.config import conf_folder
from optdist.config.loading import named_file, read_yaml
from optdist.config.problems import problems
from optdist.config.section import Positive, Section, named
from optdist.errors import ConfigError
from pipelines.experiments.plan.coordinates import LIGHTGBM

Overrides = dict[str, Any]  # `section.key` -> value, as on the command line's --set
Seeds = Annotated[list[Positive], Field(min_length=1)]


class LightGBMConfig(Section):
    """What a practitioner would use instead: boosted trees with Tweedie loss."""

    trials: Annotated[list[dict[str, int | float]], Field(min_length=1)]  # parameters of each trial
    rounds: Positive = 2000
    patience: Positive = 100  # rounds without a better validation Norm-GINI


class AblationsConfig(Section):
    """Variants of one model (Table 3), at the learning rate that was chosen for it."""

    model: str = "OptDist"
    datasets: list[str]
    seeds: Seeds
    variants: dict[str, Overrides]


class SweepsConfig(Section):
    """One setting of one model at a time (Fig. 4), at the learning rate chosen for it."""

    model: str = "OptDist"
    datasets: list[str]
    seeds: Seeds
    settings: dict[str, Annotated[list[Any], Field(min_length=1)]]  # `section.key` -> its values


class BootstrapConfig(Section):
    """The paired bootstrap over the test split's entities."""

    replicates: Annotated[int, Field(ge=0)] = 500
    seed: Annotated[int, Field(ge=0)] = 2024


class ExperimentConfig(Section):
    """A grid: data sets x models x learning rates and seeds, then ablations and sweeps."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: str = ""
    datasets: Annotated[
        dict[str, Overrides], BeforeValidator(named), Field(min_length=1)
    ]  # name or YAML file -> overrides
    set: Overrides = {}  # for all data sets and models
    models: Annotated[dict[str, Overrides], Field(min_length=1)]  # name in the tables -> overrides
    learning_rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = [
        5e-4,
        1e-3,
        1.5e-3,
        2e-3,
        2.5e-3,
    ]  # the paper's grid (4.1.4)
    seeds: Seeds  # of training; the split is the data set's
    # Cross-validation: seed s holds out fold s of the training and validation rows as its test
    # rows, beyond the last fold of a new deal. The data set's own test split stays unread.
    folds: Annotated[int, Field(ge=3)] | None = None
    tune_seed: Positive = 1  # of the runs that choose a learning rate
    lightgbm: LightGBMConfig | None = None
    ablations: AblationsConfig | None = None
    sweeps: SweepsConfig | None = None
    bootstrap: BootstrapConfig = BootstrapConfig()
    # docs/PAGE.md is the report, and docs/results/NAME/ holds the records, both in the repository
    publish: Annotated[str, Field(pattern=r"^[a-z_]+$")] | None = None

    @property
    def overlap(self) -> float:
        """Held-out rows over training rows in cross-validation; 0 where the split is one."""
        return 1 / (self.folds - 2) if self.folds else 0.0

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        problems = []
        for name, part in (("ablations", self.ablations), ("sweeps", self.sweeps)):
            if part is None:
                continue
            if part.model not in self.models:
                problems.append(f"{name}.model: {part.model} is not in models")
            unknown = [dataset for dataset in part.datasets if dataset not in self.datasets]
            if unknown:
                problems.append(f"{name}.datasets: {', '.join(unknown)} are not in datasets")
        variants = dict(self.models) | (self.ablations.variants if self.ablations else {})
        variants |= {"sweeps": dict.fromkeys(self.sweeps.settings)} if self.sweeps else {}
        for name, overrides in variants.items():
            other = [key for key in overrides if not key.startswith(("model.", "training."))]
            if other:
                problems.append(
                    f"{name}: only model.* and training.* may differ. Received: {', '.join(other)}"
                )
        if self.lightgbm and LIGHTGBM in self.models:
            problems.append(f"models: the name {LIGHTGBM} is that of the section lightgbm")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def load_experiment(name: str | Path) -> ExperimentConfig:
    """Read `conf/experiments/NAME.yaml`, or a path that ends in .yaml.

    Raises:
        ConfigError: the file is missing, or lists every problem of it at once.
    """
    path = named_file(name, "experiments")
    content = read_yaml(path)
    try:
        experiment = ExperimentConfig.model_validate({"name": path.stem} | content)
    except ValidationError as error:
        lines = "\n".join(f"  - {line}" for line in problems(error, content, ExperimentConfig))
        raise ConfigError(f"{path} has these problems:\n{lines}") from None
    conf = conf_folder()
    if experiment.publish and conf:
        _check_page(path, experiment.publish, conf / "experiments")
    return experiment


def _check_page(path: Path, page: str, presets: Path) -> None:
    """Keep an experiment from writing over the published page of another."""
    publishers = [p for p in presets.glob("*.yaml") if read_yaml(p).get("publish") == page]
    if [p.resolve() for p in publishers] != [path.resolve()]:
        raise ConfigError(
            f"{path}: publish: {page} is the page of another experiment in {presets}. "
            f"Leave publish out, or publish from a file of your own in that folder."
        )
