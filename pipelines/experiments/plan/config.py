"""Reads and checks the configuration of an experiment (`conf/experiments/*.yaml`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from optdist.config import conf_folder
from optdist.config.loading import named_file, read_yaml
from optdist.config.problems import problems
from optdist.config.section import Positive, Section, as_mapping
from optdist.errors import ConfigError
from pipelines.experiments.plan.coordinates import LIGHTGBM

Overrides = dict[str, Any]  # `section.key` -> value, as on the command line's --set
Seeds = Annotated[list[Positive], Field(min_length=1)]


class LightGBMConfig(Section):
    """What a practitioner would use instead: boosted trees with Tweedie loss."""

    trials: Annotated[list[dict[str, int | float]], Field(min_length=1)] = Field(
        description="LightGBM's parameters in each trial"
    )
    rounds: Positive = Field(default=2000, description="Trees at most [boosting rounds]")
    patience: Positive = Field(
        default=100,
        description="Rounds without a better validation Norm-GINI before boosting stops "
        "[boosting rounds]",
    )


class AblationsConfig(Section):
    """Variants of one model (Table 3), at the learning rate that was chosen for it."""

    model: str = Field(default="OptDist", description="The model, by its name in `models`")
    datasets: list[str] = Field(description="Data sets, by their names in `datasets`")
    seeds: Seeds = Field(description="Seeds of training")
    variants: dict[str, Overrides] = Field(description="What each variant sets, by its name")


class SweepsConfig(Section):
    """One setting of one model at a time (Fig. 4), at the learning rate chosen for it."""

    model: str = Field(default="OptDist", description="The model, by its name in `models`")
    datasets: list[str] = Field(description="Data sets, by their names in `datasets`")
    seeds: Seeds = Field(description="Seeds of training")
    settings: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        description="The values to try, by `section.key`"
    )


class BootstrapConfig(Section):
    """The paired bootstrap over the test split's entities."""

    replicates: Annotated[int, Field(ge=0)] = Field(
        default=500, description="Resamples; 0 for none [resamples]"
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=2024, description="Seed of the resamples")


class ExperimentConfig(Section):
    """A grid: data sets x models x learning rates and seeds, then ablations and sweeps."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")] = Field(
        description="Name of its folders; by default that of the file"
    )
    description: str = Field(default="", description="What the report says first")
    datasets: Annotated[dict[str, Overrides], BeforeValidator(as_mapping), Field(min_length=1)] = (
        Field(
            description="What to set for each data set, by a name in conf/datasets or a YAML file"
        )
    )
    set: Overrides = Field(default={}, description="What to set for all data sets and models")
    models: Annotated[dict[str, Overrides], Field(min_length=1)] = Field(
        description="What each model sets, by its name in the tables"
    )
    learning_rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] = Field(
        default=[5e-4, 1e-3, 1.5e-3, 2e-3, 2.5e-3],
        description="Learning rates to choose from on validation rows; the paper's by default "
        "(4.1.4)",
    )
    seeds: Seeds = Field(description="Seeds of training; the split is the data set's")
    folds: Annotated[int, Field(ge=3)] | None = Field(
        default=None,
        description="Folds of a cross-validation. Seed s holds out fold s of the training and "
        "validation rows as its test rows; after the last fold, entities are dealt again. The "
        "data set's own test split stays unread [folds]",
    )
    tune_seed: Positive = Field(
        default=1, description="Seed of the runs that choose a learning rate"
    )
    lightgbm: LightGBMConfig | None = Field(default=None, description="LightGBM next to the models")
    ablations: AblationsConfig | None = Field(default=None, description="Variants of one model")
    sweeps: SweepsConfig | None = Field(default=None, description="One setting at a time")
    bootstrap: BootstrapConfig = Field(
        default=BootstrapConfig(), description="Resamples of the test split"
    )
    publish: Annotated[str, Field(pattern=r"^[a-z_]+$")] | None = Field(
        default=None,
        description="Page of the repository that holds the report, as docs/PAGE.md; its records "
        "are in docs/results/NAME",
    )

    @property
    def overlap(self) -> float:
        """Held-out rows over training rows in cross-validation; 0 where the split is one."""
        return 1 / (self.folds - 2) if self.folds else 0.0

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        faults = [*self._faults_of_parts(), *self._faults_of_overrides()]
        if self.lightgbm and LIGHTGBM in self.models:
            faults.append(f"models: the name {LIGHTGBM} is that of the section lightgbm")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults_of_parts(self) -> Iterator[str]:
        for name, part in (("ablations", self.ablations), ("sweeps", self.sweeps)):
            if part is None:
                continue
            if part.model not in self.models:
                yield f"{name}.model: not in models: {part.model}"
            unknown = [dataset for dataset in part.datasets if dataset not in self.datasets]
            if unknown:
                yield f"{name}.datasets: not in datasets: {', '.join(unknown)}"

    def _faults_of_overrides(self) -> Iterator[str]:
        variants = dict(self.models) | (self.ablations.variants if self.ablations else {})
        variants |= {"sweeps": dict.fromkeys(self.sweeps.settings)} if self.sweeps else {}
        for name, overrides in variants.items():
            other = [key for key in overrides if not key.startswith(("model.", "training."))]
            if other:
                received = ", ".join(other)
                yield f"{name}: only model.* and training.* may differ. Received: {received}"


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
