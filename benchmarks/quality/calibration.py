"""Compares rows to fit the scale of the mean on: validation rows alone, or training rows too.

Training and validation rows of a feature table are split again by their split key, several times,
in 7 : 1 : 2; the test split stays unread. A model is trained on the first part, the scale is fitted
in three ways, and the totals of the last part show how far off each is.
"""

import argparse

import keras
import numpy as np
from _training import Rows, built_table, cosine, fit, predicted, read

from optdist.config import load_config, model_section
from optdist.data.feature_table import FeatureTable
from optdist.distributions.calibration import fit_scale
from optdist.models import build_model
from optdist.models.base import CltvModel


def main() -> None:
    """Print the error of the total by the rows that the scale was fitted on."""
    options = _options()
    config = load_config(options.dataset)
    table = built_table(config)
    if table is None:
        return
    parts = [read(table, split) for split in ("train", "validation")]
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    errors = []
    for i in range(options.splits):
        train, validation, test = _parts(rows, seed=i)
        model = _trained(table, train, config.training.batch_size, options, seed=i + 1)
        a, v, h = (_totals(model, part) for part in (train, validation, test))
        scales = {
            "no scale": 1.0,
            "validation": fit_scale(*v),
            "training and validation": fit_scale(a[0] + v[0], a[1] + v[1]),
        }
        errors.append({name: np.log(scale * h[1] / h[0]) for name, scale in scales.items()})
        text = ", ".join(f"{name} {np.exp(error):.3f}" for name, error in errors[-1].items())
        print(f"split {i + 1}: predicted over actual total: {text}", flush=True)
    print(f"{options.dataset}, {len(rows['label']):,} rows, {options.splits} splits:")
    for name in errors[0]:
        logs = np.array([error[name] for error in errors])
        print(
            f"  {name:24} total off by {np.expm1(np.sqrt((logs**2).mean())):.1%} (root mean "
            f"square of the log ratio), bias {np.expm1(logs.mean()):+.1%}"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="complete_journey")
    parser.add_argument("--model", default="optdist")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    return parser.parse_args()


def _parts(rows: Rows, seed: int) -> list[Rows]:
    """7 : 1 : 2 by the split key."""
    groups, group = np.unique(rows["group_key"], return_inverse=True)
    part = np.random.default_rng(seed).choice(3, len(groups), p=[0.7, 0.1, 0.2])[group]
    return [{name: values[part == i] for name, values in rows.items()} for i in range(3)]


def _trained(
    table: FeatureTable, rows: Rows, batch: int, options: argparse.Namespace, seed: int
) -> CltvModel:
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = build_model(table.schema, model_section({"name": options.model}), seed)
    rate = cosine(options.learning_rate, rows, batch, options.epochs)
    fit(model, rows, keras.optimizers.Adam(rate, global_clipnorm=5.0), batch, options.epochs)
    return model


def _totals(model: CltvModel, rows: Rows) -> tuple[float, float]:
    """Actual and predicted total."""
    return float(rows["label"].sum(dtype=np.float64)), float(predicted(model, rows).sum())


if __name__ == "__main__":
    main()
