"""Ideas beyond the paper that were tried on OptDist and dropped, over folds of known rows.

Each is a few lines over the package's model or optimizer. All are trained alike on folds of the
training and validation rows, stopped by Norm-GINI on one fold and measured on another; the test
split stays unread. A gain above 0 is better than OptDist as it is, also for NLL.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from _training import Rows, built_table, cosine, fit, predicted, read

from optdist.config import Config, load_config
from optdist.experiments.folds import fold_table
from optdist.experiments.statistics import t_test
from optdist.layers import StackedMLP
from optdist.metrics import normalized_gini, spearman
from optdist.mixture import ZilnMixture
from optdist.models import OptDist
from optdist.models.optdist import Outputs
from optdist.selection import gumbel_noise, selection_weights
from optdist.table import FeatureTable
from optdist.ziln import ziln_nll

METRICS = ("Norm-GINI", "hard Norm-GINI", "Spearman", "NLL")


def mixture_nll(y: tf.Tensor, outputs: Outputs) -> tf.Tensor:
    """The mean negative log-likelihood of the whole mixture, which soft inference predicts by."""
    joint = outputs.log_alpha - ziln_nll(y[:, None], *outputs.sdns)
    return -tf.reduce_mean(tf.reduce_logsumexp(joint, axis=-1))


class MixtureLikelihood(OptDist):
    """The mixture's likelihood instead of Eq. 6 and of both alignments."""

    def loss_terms(self, y, outputs, seed):
        return {"loss": mixture_nll(y, outputs)}


class MixtureBeside(OptDist):
    """The mixture's likelihood beside the paper's loss."""

    def loss_terms(self, y, outputs, seed):
        return {"loss": super().loss_terms(y, outputs, seed)["loss"] + mixture_nll(y, outputs)}


class TweedieMean(OptDist):
    """Tweedie deviance (power 1.5) of the mixture's mean beside the paper's loss."""

    def loss_terms(self, y, outputs, seed):
        typical, sdns = self.schema.label.mean, outputs.sdns
        mean = ZilnMixture(tf.exp(outputs.log_alpha), sdns.p, sdns.mu, sdns.sigma).mean()
        mean = tf.maximum(mean, 1e-3 * typical)
        # without its term of y alone, in units of the mean label's root
        deviance = tf.reduce_mean(4 * y / tf.sqrt(mean) + 4 * tf.sqrt(mean)) / typical**0.5
        return {"loss": super().loss_terms(y, outputs, seed)["loss"] + deviance}


class Scheduled(OptDist):
    """Other selection weights than Eq. 9's, by a number that `at_epoch` sets."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.number = self.add_weight(name="number", shape=(), trainable=False)
        self.at_epoch(0)

    def at_epoch(self, epoch):
        raise NotImplementedError

    def selection(self, log_alpha, noise):
        raise NotImplementedError

    def loss_terms(self, y, outputs, seed):
        terms = super().loss_terms(y, outputs, seed)
        noise = gumbel_noise(tf.shape(outputs.log_alpha), seed)
        pi = self.selection(outputs.log_alpha, noise)
        nll = tf.reduce_sum(pi * ziln_nll(y[:, None], *outputs.sdns), axis=-1)
        return {"loss": terms["loss"] - terms["selected_nll"] + tf.reduce_mean(nll)}


class Annealed(Scheduled):
    """A temperature that falls from 2 to 0.2, by a fifth after each epoch."""

    def at_epoch(self, epoch):
        self.number.assign(max(0.2, 2 * 0.8**epoch))

    def selection(self, log_alpha, noise):
        tau = self.number.value
        return selection_weights(log_alpha / tau, noise / tau, 1.0, "soft")


class WarmStart(Scheduled):
    """A first epoch in which all SDNs learn from every row alike, before selection begins."""

    def at_epoch(self, epoch):
        self.number.assign(1.0 if epoch else 0.0)

    def selection(self, log_alpha, noise):
        selecting = self.number.value
        pi = selection_weights(log_alpha, noise, self.config.temperature, self.config.gumbel)
        return selecting * pi + (1 - selecting) / self.config.num_sdns


class Dropout(OptDist):
    """A tenth of the representation dropped in training."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.representation = Dropped(self.representation)


class Dropped(keras.layers.Layer):
    """The representation with dropout behind it."""

    def __init__(self, whole: keras.layers.Layer):
        super().__init__()
        self.whole, self.drop = whole, keras.layers.Dropout(0.1)

    def call(self, inputs):
        return self.drop(self.whole(inputs))


class OwnConversion(OptDist):
    """A tower of its own for the conversion in each SDN."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.dlm = TwinTowers(self.dlm)


class TwinTowers(keras.layers.Layer):
    """Two stacks of perceptrons side by side: the conversion's, and the value's."""

    def __init__(self, whole: StackedMLP):
        super().__init__()
        count, hidden, start = whole.count, whole.units[:-1], whole.last_bias
        self.conversion = StackedMLP(count, [*hidden, 1], whole.first_seed, start[:, :1])
        self.value = StackedMLP(count, [*hidden, 2], whole.first_seed + 500, start[:, 1:])

    def call(self, h):
        return tf.concat([self.conversion(h), self.value(h)], axis=-1)

    def routed(self, h, selected):
        parts = self.conversion.routed(h, selected), self.value.routed(h, selected)
        return tf.concat(parts, axis=-1)


@dataclass(frozen=True)
class Idea:
    """A model class, an optimizer's settings, and Keras callbacks."""

    model: type[OptDist] = OptDist
    optimizer: Callable[..., keras.optimizers.Optimizer] = keras.optimizers.Adam
    settings: dict[str, Any] = field(default_factory=dict)
    swaps: bool = False  # evaluates the moving average of the weights


AS_IT_IS = "OptDist as it is"
IDEAS = {
    AS_IT_IS: Idea(),
    "the mixture's likelihood alone": Idea(MixtureLikelihood),
    "the mixture's likelihood beside the loss": Idea(MixtureBeside),
    "Tweedie deviance of the mean beside the loss": Idea(TweedieMean),
    "a conversion tower in each SDN": Idea(OwnConversion),
    "a temperature from 2 down to 0.2": Idea(Annealed),
    "a first epoch without selection": Idea(WarmStart),
    "dropout of 0.1": Idea(Dropout),
    "AdamW, weight decay 0.01": Idea(
        optimizer=keras.optimizers.AdamW, settings={"weight_decay": 0.01}
    ),
    "average of the weights, momentum 0.98": Idea(
        settings={"use_ema": True, "ema_momentum": 0.98}, swaps=True
    ),
}


def main() -> None:
    """Print a Markdown table of gains for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", nargs="+", default=["complete_journey"])
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5, help="seed s holds out fold s")
    options = parser.parse_args()
    for dataset in options.datasets:
        config = load_config(dataset)
        table = built_table(config)
        if table is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = _measured(config, table, Path(folder), options)
        _print(dataset, found, options)


def _measured(
    config: Config, table: FeatureTable, folder: Path, options: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Idea -> metrics [seeds, METRICS]."""
    found: dict[str, list[list[float]]] = {name: [] for name in IDEAS}
    for seed in range(1, options.seeds + 1):
        fold = fold_table(table, options.folds, seed, folder)
        train, validation, held = (read(fold, s) for s in ("train", "validation", "test"))
        for name, idea in IDEAS.items():
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            model = idea.model(fold.schema, config.model, seed)
            _train(model, idea, config, train, validation)
            found[name].append(_metrics(model, held))
            print(
                f"{config.dataset.name}, seed {seed}, {name}: {found[name][-1][0]:.4f}", flush=True
            )
    return {name: np.array(values) for name, values in found.items()}


def _train(model: OptDist, idea: Idea, config: Config, train: Rows, validation: Rows) -> None:
    training = config.training
    batch, epochs = training.batch_size, training.epochs
    rate = cosine(training.learning_rate, train, batch, epochs)
    optimizer = idea.optimizer(rate, global_clipnorm=training.clip_norm, **idea.settings)
    stop = keras.callbacks.EarlyStopping(
        "gini", patience=training.patience, mode="max", restore_best_weights=True
    )

    def measure(epoch: int, logs: dict[str, float]) -> None:
        logs["gini"] = normalized_gini(validation["label"], predicted(model, validation))

    def begin(epoch: int, logs: dict[str, float]) -> None:
        if isinstance(model, Scheduled):
            model.at_epoch(epoch)

    swap = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if idea.swaps else []
    measured = keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=measure)
    fit(model, train, optimizer, batch, epochs, [*swap, measured, stop])


def _metrics(model: OptDist, held: Rows) -> list[float]:
    inputs = {name: tf.constant(held[name]) for name in ("categorical", "numeric")}
    y = held["label"].astype(np.float64)
    soft, hard = (model.mixture(inputs, rule)[0] for rule in ("soft", "hard"))
    mean = soft.mean().numpy()
    return [
        normalized_gini(y, mean),
        normalized_gini(y, hard.mean().numpy()),
        spearman(y, mean),
        float(tf.reduce_mean(soft.nll(tf.constant(held["label"])))),
    ]


def _print(dataset: str, found: dict[str, np.ndarray], options: argparse.Namespace) -> None:
    base = found[AS_IT_IS]
    print(
        f"\n{dataset}, {options.seeds} of {options.folds} folds; p after Nadeau and Bengio (2003)"
    )
    print("| idea | " + " | ".join(f"{m} gain | p" for m in METRICS) + " |")
    print("|---|" + "---:|" * 2 * len(METRICS))
    for name, values in found.items():
        if name == AS_IT_IS:
            continue
        gains = (values - base) * np.array([1, 1, 1, -1])
        cells = [
            f"{gain.mean():+.4f} | {t_test(gain, 1 / (options.folds - 1)):.3f}" for gain in gains.T
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
