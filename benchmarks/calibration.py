"""Which rows should the scale of the mean be fitted on: validation alone, or training rows too?

Training and validation rows of a feature table are split anew by their split key, several times, in
7 : 1 : 2; the test split stays unread. A model is trained on the first part, the scale is fitted in
three ways, and the totals of the last part tell how far off each is.
"""

import argparse

import keras
import numpy as np
import tensorflow as tf

from optdist.calibration import fit_scale
from optdist.config import Model, load_config
from optdist.data import Shard
from optdist.models import build_model
from optdist.table import FeatureTable
from pipelines.features import finished_features

Rows = dict[str, np.ndarray]


def main() -> None:
    """Print the error of the total by the rows that the scale was fitted on."""
    options = _options()
    config = load_config(options.dataset)
    table = finished_features(config)
    if table is None:
        print(
            f"skipped: {options.dataset} has no feature table. "
            f"./spark-submit.sh jobs/build_features.py --dataset {options.dataset} builds it."
        )
        return
    rows = _known(table)
    errors = []
    for i in range(options.splits):
        fit, validation, held = _parts(rows, seed=i)
        model = _trained(table, fit, config.training.batch_size, options, seed=i + 1)
        a, v, h = (_totals(model, part) for part in (fit, validation, held))
        scales = {
            "no scale": 1.0,
            "validation": fit_scale(*v),
            "training and validation": fit_scale(a[0] + v[0], a[1] + v[1]),
        }
        errors.append({name: np.log(scale * h[1] / h[0]) for name, scale in scales.items()})
        said = ", ".join(f"{name} {np.exp(error):.3f}" for name, error in errors[-1].items())
        print(f"split {i + 1}: predicted over actual total: {said}", flush=True)
    print(f"{options.dataset}, {len(rows['label']):,} rows, {options.splits} splits:")
    for name in errors[0]:
        found = np.array([error[name] for error in errors])
        print(
            f"  {name:24} total off by {np.expm1(np.sqrt((found**2).mean())):.1%} (root mean "
            f"square of the log ratio), bias {np.expm1(found.mean()):+.1%}"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="complete_journey")
    parser.add_argument("--model", default="optdist")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    return parser.parse_args()


def _known(table: FeatureTable) -> Rows:
    """The encoded training and validation rows."""
    batches = []
    for split in ("train", "validation"):
        with Shard(table, split, 65_536, keys=["label", "group_key"]).one_pass() as read:
            batches += [inputs | keys for inputs, keys in read]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _parts(rows: Rows, seed: int) -> list[Rows]:
    """7 : 1 : 2 by the split key."""
    groups, group = np.unique(rows["group_key"], return_inverse=True)
    part = np.random.default_rng(seed).choice(3, len(groups), p=[0.7, 0.1, 0.2])[group]
    return [{name: values[part == i] for name, values in rows.items()} for i in range(3)]


def _trained(
    table: FeatureTable, rows: Rows, batch: int, options: argparse.Namespace, seed: int
) -> keras.Model:
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = build_model(table.schema, Model(name=options.model), seed)
    steps = options.epochs * -(-len(rows["label"]) // batch)
    rate = keras.optimizers.schedules.CosineDecay(options.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=5.0))
    data = _dataset(rows).shuffle(len(rows["label"]), seed=seed).batch(batch)
    model.fit(data, epochs=options.epochs, verbose=0)
    return model


def _dataset(rows: Rows) -> tf.data.Dataset:
    inputs = {name: rows[name] for name in ("categorical", "numeric")}
    return tf.data.Dataset.from_tensor_slices((inputs, rows["label"]))


def _totals(model: keras.Model, rows: Rows) -> tuple[float, float]:
    """Actual and predicted total."""
    predicted = model.predict(_dataset(rows).batch(16_384), verbose=0)["predicted_cltv"]
    return float(rows["label"].sum(dtype=np.float64)), float(predicted.sum(dtype=np.float64))


if __name__ == "__main__":
    main()
