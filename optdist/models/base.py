"""Defines the base class of all models: what training, packages and scoring need of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf
from pydantic import TypeAdapter

from optdist.config import DistributionConfig, ModelConfig
from optdist.data.schema import FeatureSchema
from optdist.distributions.calibration import Calibration
from optdist.distributions.mixture import ZilnMixture
from optdist.distributions.ziln import Bounds
from optdist.errors import ConfigError
from optdist.layers import build_representation
from optdist.models.row_losses import Inputs, RowLossModel
from optdist.seeds import derive

Prediction = dict[str, tf.Tensor]


_CALIBRATIONS = TypeAdapter(dict[str, Calibration])
CALIBRATION = "calibration.json"  # in a `.keras` file


class CltvModel(RowLossModel):
    """A model of customer value on the shared representation (section 3.2).

    A model provides `config_class` (its settings), `call` (the networks' outputs), `row_losses` and
    `predict_distribution`. Each subclass is registered with Keras, so that
    `keras.models.load_model` finds it once its module is imported.
    """

    config_class: ClassVar[type[ModelConfig]] = ModelConfig
    # these two follow from `config_class`
    inferences: ClassVar[tuple[str, ...]] = ("mean",)  # rules of prediction
    has_distribution: ClassVar[bool] = False  # predicts p, mu, sigma, quantiles and intervals
    has_conversion: ClassVar[bool] = False  # predicts p, the probability of y > 0
    selects: ClassVar[bool] = False  # selects one of several networks for each row

    config: ModelConfig
    networks = 1  # of which one is selected for each row

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Register the class under its package, and take its abilities from its settings' class."""
        super().__init_subclass__(**kwargs)
        keras.saving.register_keras_serializable(cls.__module__.partition(".")[0])(cls)
        cls.inferences = cls.config_class.inferences()
        cls.has_distribution = cls.config_class.has_distribution

    def __init__(
        self, schema: FeatureSchema, config: ModelConfig | None = None, seed: int = 1
    ) -> None:
        """Make the networks.

        Args:
            schema: the encoded features, and the label statistics that outputs start from.
            config: sizes and settings, of `config_class`; the paper's where it gives them.
            seed: seed of the initial weights and, under `fit`, of the noise.

        Raises:
            ConfigError: `config` has the settings of another model.
        """
        super().__init__(self.__class__.__name__.lower(), seed)
        self.schema, self.config = schema, self._own(config or self.config_class())
        self.representation = build_representation(
            schema, self.config, derive(seed, "representation")
        )
        self.calibrations: dict[str, Calibration] = {}
        self.seed = seed

    @property
    def inference(self) -> str:
        """The configured rule of inference."""
        return self.config.rule

    def _own(self, config: ModelConfig) -> ModelConfig:
        """The settings under the name by which a package finds this class again."""
        if not isinstance(config, self.config_class):
            raise ConfigError(
                f"{type(self).__name__} takes {self.config_class.__name__}. "
                f"Received: {type(config).__name__}."
            )
        return config.model_copy(update={"name": model_name(type(self))})

    def calibration(self, inference: str | None = None) -> Calibration:
        """The calibration of a rule, fitted after training; before that it changes nothing."""
        return self.calibrations.get(inference or self.inference, Calibration())

    @property
    def input_signature(self) -> dict[str, tf.TensorSpec]:
        """The inputs of a graph for any number of rows."""
        return {
            "categorical": tf.TensorSpec([None, len(self.schema.categorical_columns)], tf.int32),
            "numeric": tf.TensorSpec([None, len(self.schema.numeric_columns)], tf.float32),
        }

    def predict_distribution(
        self, inputs: Inputs, quantiles: Sequence[float] = (), inference: str | None = None
    ) -> Prediction:
        """Predict B rows.

        Args:
            inputs: encoded features.
            quantiles: levels in (0, 1); models without a distribution give none.
            inference: one of `inferences`; None is the configured one.

        Returns:
            [B] each: `predicted_cltv` in currency units, and what the model has of `p`, `mu`,
            `sigma`, `selected_sdn`, `selected_probability`, `qNN` and interval ends.
        """
        raise NotImplementedError

    def predict_step(self, data: Any) -> Prediction:
        """Predictions for `keras.Model.predict`, as `predict_distribution` gives them."""
        return self.predict_distribution(data[0] if isinstance(data, tuple) else data)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain JSON."""
        return {
            "schema": self.schema.model_dump(mode="json"),
            "config": self.config.model_dump(mode="json"),
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make the model from the result of `get_config`, with new values of its variables."""
        model = cls(
            FeatureSchema.model_validate(config["schema"]),
            cls.config_class.model_validate(config["config"]),
            config["seed"],
        )
        model.build_variables()
        return model

    def save_assets(self, folder: str) -> None:
        """Write the calibration into a `.keras` file; `save` calls this."""
        Path(folder, CALIBRATION).write_bytes(_CALIBRATIONS.dump_json(dict(self.calibrations)))

    def load_assets(self, folder: str) -> None:
        """Read the calibration from a `.keras` file; `keras.models.load_model` calls this."""
        self.calibrations = _CALIBRATIONS.validate_json(Path(folder, CALIBRATION).read_bytes())


class DistributionModel(CltvModel):
    """A model whose prediction for a row is a mixture of zero-inflated lognormals."""

    config_class: ClassVar[type[DistributionConfig]] = DistributionConfig
    has_conversion = True
    config: DistributionConfig

    def __init__(
        self, schema: FeatureSchema, config: DistributionConfig | None = None, seed: int = 1
    ) -> None:
        """Make the networks; see `CltvModel`."""
        super().__init__(schema, config, seed)
        label = schema.label
        self.bounds = Bounds(
            label.log_min, label.log_max, self.config.sigma_min, self.config.sigma_max
        )

    def mixture(
        self, inputs: Inputs, inference: str | None = None
    ) -> tuple[ZilnMixture, Prediction]:
        """The distribution of each row, and the selected network's columns of its score row."""
        raise NotImplementedError

    def predict_distribution(
        self, inputs: Inputs, quantiles: Sequence[float] = (), inference: str | None = None
    ) -> Prediction:
        """Predict mean, distribution, quantiles and intervals; see `CltvModel`.

        `predicted_cltv` is the calibrated mean. Quantiles are the distribution's own. The interval
        ends contain the calibrated share of rows; those named `if_positive` are for y given y > 0.
        """
        return self.predict_mixture(*self.mixture(inputs, inference), quantiles, inference)

    def predict_mixture(
        self,
        mixture: ZilnMixture,
        selected: Prediction,
        quantiles: Sequence[float],
        inference: str | None = None,
    ) -> Prediction:
        """Predict B rows whose mixture is known.

        Args:
            mixture: the distributions.
            selected: the columns [B] that `mixture` gives with it.
            quantiles: levels in (0, 1).
            inference: whose calibration is used; None is the configured rule's.

        Returns:
            As `predict_distribution`.
        """
        fitted = self.calibration(inference)
        columns = {"predicted_cltv": fitted.scale * mixture.mean()} | selected
        columns |= {quantile_name(q): mixture.quantile(q) for q in quantiles}
        if quantiles:
            low, high = _interval(mixture, fitted.level)
            columns |= {"interval_low": low, "interval_high": high}
            low, high = _interval(mixture.if_positive(), fitted.level_if_positive)
            columns |= {"if_positive_low": low, "if_positive_high": high}
        return columns

    def at_bounds(self, selected: Prediction) -> Prediction:
        """Whether mu and sigma of rows lie at their bounds, bool [B] each.

        Args:
            selected: `mu` and `sigma` [B], as `mixture` gives them next to the distribution.
        """
        b, mu, sigma = self.bounds, selected["mu"], selected["sigma"]
        return {
            "at_mu_bound": (mu <= b.mu_min) | (mu >= b.mu_max),
            "at_sigma_bound": (sigma <= b.sigma_min) | (sigma >= b.sigma_max),
        }


def _interval(mixture: ZilnMixture, level: float) -> tuple[tf.Tensor, tf.Tensor]:
    """The ends of an interval, by the rule of `calibration.interval_levels`."""
    tail = (1 - level) / 2
    from_zero = mixture.zero_mass() >= tail
    low = tf.where(from_zero, 0.0, mixture.quantile(tail))
    return low, mixture.quantile(tf.where(from_zero, level, 1 - tail))


def model_name(model: type[CltvModel]) -> str:
    """The name by which a configuration chooses a class of models."""
    if model.__module__.startswith(f"{__package__}."):
        return str(model.config_class.model_fields["name"].default)
    return f"{model.__module__}:{model.__qualname__}"


def quantile_name(q: float) -> str:
    """The column of a quantile: 0.05 is q05, 0.995 is q99_5."""
    return "q" + f"{100 * q:04.1f}".removesuffix(".0").replace(".", "_")


def prediction_columns(model: type[CltvModel], quantiles: Sequence[float]) -> list[str]:
    """The columns that models of a class predict."""
    return [
        *["predicted_cltv"],
        *(["p"] if model.has_conversion else []),
        *(["mu", "sigma"] if model.has_distribution else []),
        *(["selected_probability", "selected_sdn"] if model.selects else []),
        *(_quantile_columns(quantiles) if model.has_distribution and quantiles else []),
    ]


def score_columns(quantiles: Sequence[float]) -> list[str]:
    """The columns of all models together, which a score table has whichever model scored."""
    fixed = ["predicted_cltv", "p", "mu", "sigma", "selected_probability", "selected_sdn"]
    return fixed + (_quantile_columns(quantiles) if quantiles else [])


def _quantile_columns(quantiles: Sequence[float]) -> list[str]:
    ends = ["interval_low", "interval_high", "if_positive_low", "if_positive_high"]
    return [*map(quantile_name, quantiles), *ends]
