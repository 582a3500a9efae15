"""Names the variants of an experiment's models, and what each changes."""

from __future__ import annotations

from pipelines.experiments.plan.config import ExperimentConfig, Overrides


class Variants:
    """Every variant that is a network, by its name in the tables.

    Attributes:
        ablations: variant -> the ablation's name.
        sweeps: variant -> the one setting that it changes, with its value.
        overrides: variant -> all that it sets, the models themselves included.
    """

    def __init__(self, experiment: ExperimentConfig) -> None:
        """Name the variants of `experiment`."""
        self._bases: dict[str, str] = {}
        self.ablations: dict[str, str] = {}
        self.sweeps: dict[str, Overrides] = {}
        self.overrides: dict[str, Overrides] = dict(experiment.models)
        if experiment.ablations:
            model = experiment.ablations.model
            for name, changes in experiment.ablations.variants.items():
                self.ablations[f"{model} {name}"] = name
                self._add(f"{model} {name}", model, changes)
        if experiment.sweeps:
            model = experiment.sweeps.model
            for key, values in experiment.sweeps.settings.items():
                for value in values:
                    self.sweeps[f"{model} {key}={value}"] = {key: value}
                    self._add(f"{model} {key}={value}", model, {key: value})

    def base(self, variant: str) -> str:
        """The model that a variant is of, whose tuning gives its learning rate."""
        return self._bases.get(variant, variant)

    def _add(self, variant: str, model: str, changes: Overrides) -> None:
        self._bases[variant] = model
        self.overrides[variant] = self.overrides[model] | changes
