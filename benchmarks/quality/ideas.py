"""Measures ideas that were tried on OptDist and dropped, over folds of known rows.

Each is a few lines over the package's model or optimizer. All are trained alike on folds of the
training and validation rows, stopped by Norm-GINI on one fold and measured on another; the test
split stays unread. A gain above 0 is better than OptDist as it is, also for NLL.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _ideas
import keras
import numpy as np
import tensorflow as tf
from _training import Rows, built_table, cosine, fit, predicted, read

from optdist.config import Config, load_config
from optdist.data.feature_table import FeatureTable
from optdist.evaluation.comparison import t_test
from optdist.evaluation.metrics import normalized_gini, spearman
from optdist.models import OptDist
from pipelines.experiments.run.folds import fold_table

METRICS = ("Norm-GINI", "hard Norm-GINI", "Spearman", "NLL")


@dataclass(frozen=True)
class Idea:
    """The difference from OptDist as it is."""

    model: type[OptDist] = OptDist
    representation: str | None = None  # of `_ideas`
    optimizer: Callable[..., keras.optimizers.Optimizer] = keras.optimizers.Adam
    settings: dict[str, Any] = field(default_factory=dict)
    swaps: bool = False  # evaluates the moving average of the weights


AS_IT_IS = "OptDist as it is"
IDEAS = {
    AS_IT_IS: Idea(),
    "the mixture's likelihood alone": Idea(_ideas.MixtureLikelihood),
    "the mixture's likelihood added to the loss": Idea(_ideas.AddedMixture),
    "Tweedie deviance of the mean added to the loss": Idea(_ideas.TweedieMean),
    "a conversion tower in each SDN": Idea(_ideas.OwnConversion),
    "a temperature from 2 down to 0.2": Idea(_ideas.Annealed),
    "a first epoch without selection": Idea(_ideas.WarmStart),
    "a cross before the selection network": Idea(_ideas.CrossedSelection),
    "periodic encodings of numbers": Idea(representation="_ideas:Periodic"),
    "pairs of embeddings, as in DeepFM": Idea(representation="_ideas:FactorizationMachine"),
    "outputs that start near zero": Idea(_ideas.PlainStart),
    "SDNs that start alike": Idea(_ideas.LevelStart),
    "dropout of 0.1": Idea(_ideas.Dropout),
    "AdamW, weight decay 0.01": Idea(
        optimizer=keras.optimizers.AdamW, settings={"weight_decay": 0.01}
    ),
    "average of the weights, momentum 0.98": Idea(
        settings={"use_ema": True, "ema_momentum": 0.98}, swaps=True
    ),
}


def main() -> None:
    """Print a Markdown table of gains for each data set, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", nargs="+", default=["complete_journey"])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5, help="seed s holds out fold s")
    parser.add_argument("--page", type=Path, help="a Markdown file to write the tables into")
    options = parser.parse_args()
    parts = [_INTRODUCTION.format(command=" ".join(sys.argv), **vars(options))]
    for dataset in options.datasets:
        config = load_config(dataset)
        table = built_table(config)
        if table is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            metrics = _measured(config, table, Path(folder), options)
        parts.append(_table(dataset, metrics, options))
        print(f"\n{parts[-1]}\n", flush=True)
    if options.page:
        options.page.write_text("\n\n".join(parts) + "\n")


_INTRODUCTION = """# Ideas that were tried and dropped

Made by `.venv/bin/python {command}`. Each idea is a few lines in
[_ideas.py](../benchmarks/quality/_ideas.py) over OptDist as it is, with the data set's own
settings. {seeds} of {folds} folds of the training and validation rows: one fold is held out, the
next stops the training, the others train; the test split stays unread. A gain above 0 is better,
also for NLL; p is two-sided, of a paired t-test that allows for training rows that overlap (Nadeau
and Bengio, 2003), and not corrected for the number of ideas. Inference is soft, except in the
column that says otherwise."""


def _measured(
    config: Config, table: FeatureTable, folder: Path, options: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Idea -> metrics [seeds, METRICS]."""
    results: dict[str, list[list[float]]] = {name: [] for name in IDEAS}
    for seed in range(1, options.seeds + 1):
        fold = fold_table(table, options.folds, seed, folder)
        train, validation, test = (read(fold, s) for s in ("train", "validation", "test"))
        for name, idea in IDEAS.items():
            keras.backend.clear_session()
            keras.utils.set_random_seed(seed)
            named = {"representation": idea.representation} if idea.representation else {}
            model = idea.model(fold.schema, config.model.model_copy(update=named), seed)
            _train(model, idea, config, train, validation)
            results[name].append(_metrics(model, test))
            print(
                f"{config.dataset.name}, seed {seed}, {name}: {results[name][-1][0]:.4f}",
                flush=True,
            )
    return {name: np.array(values) for name, values in results.items()}


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
        if isinstance(model, _ideas.Scheduled):
            model.at_epoch(epoch)

    swap = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if idea.swaps else []
    measured = keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=measure)
    fit(model, train, optimizer, batch, epochs, [*swap, measured, stop])


def _metrics(model: OptDist, rows: Rows) -> list[float]:
    inputs = {name: tf.constant(rows[name]) for name in ("categorical", "numeric")}
    y = rows["label"].astype(np.float64)
    soft, hard = (model.mixture(inputs, rule)[0] for rule in ("soft", "hard"))
    mean = soft.mean().numpy()
    return [
        normalized_gini(y, mean),
        normalized_gini(y, hard.mean().numpy()),
        spearman(y, mean),
        float(tf.reduce_mean(soft.nll(tf.constant(rows["label"])))),
    ]


def _table(dataset: str, results: dict[str, np.ndarray], options: argparse.Namespace) -> str:
    base, overlap = results[AS_IT_IS], 1 / (options.folds - 2)
    lines = [f"## {dataset}\n"]
    lines += ["| idea | " + " | ".join(f"{m} gain | p" for m in METRICS) + " |"]
    lines += ["|---|" + "---:|" * 2 * len(METRICS)]
    for name, values in results.items():
        gains = (values - base) * np.array([1, 1, 1, -1])
        cells = [f"{gain.mean():+.4f} | {t_test(gain, overlap):.3f}" for gain in gains.T]
        if name != AS_IT_IS:
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    text = ", ".join(f"{m} {v:.4f}" for m, v in zip(METRICS, base.mean(axis=0), strict=True))
    return "\n".join([*lines, f"\n{AS_IT_IS}: {text}."])


if __name__ == "__main__":
    main()
