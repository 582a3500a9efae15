"""Evaluation over whole splits: every row exactly once, on all ranks together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from optdist.data.feature_table import FeatureTable
from optdist.data.shards import Shard, shard_rows
from optdist.distributions.calibration import Calibration, fit_level, fit_scale
from optdist.errors import DataError
from optdist.evaluation.metrics import evaluate, evaluate_distribution
from optdist.models.base import CltvModel, DistributionModel, Inputs
from optdist.training.communicator import Ranks

Rows = dict[str, np.ndarray]
Reading = Callable[[Inputs, tf.Tensor], dict[str, tf.Tensor]]


class Evaluation:
    """Reads a model's predictions for whole splits.

    The ranks' predictions are gathered on every rank, because rank metrics (Gini, Spearman) need
    them all. What a rank holds of the test split is most: all columns of every rule of inference,
    for OptDist 164 bytes a row, twice that while they are gathered, and one rule's in float64 while
    they are measured. After an epoch it is 32 bytes a row of the validation split. That bounds the
    split that a rank can evaluate.
    """

    def __init__(
        self, table: FeatureTable, model: CltvModel, ranks: Ranks, batch_rows: int
    ) -> None:
        """Evaluate `model` on splits of `table` in steps of `batch_rows`."""
        self.table, self.model, self.ranks, self.batch_rows = table, model, ranks, batch_rows
        self.at_epoch = self._graph(self._epoch_reading)
        self.shards: dict[str, Shard] = {}  # of the splits read so far

    def epoch(self, split: str) -> tuple[dict[str, float], list[float] | None]:
        """Metrics of the configured rule of inference, and the share of rows of each network."""
        rows = self._rows(split, self.at_epoch)
        metrics = evaluate(rows["label"], rows["predicted_cltv"], self.table.schema.label)
        if "nll" in rows:
            metrics["nll"] = float(rows["nll"].mean())
        return metrics, self.shares(rows)

    def calibrate(self) -> None:
        """Fit the model's calibration for each rule of inference.

        The scale takes the totals of training and validation rows, the interval's levels take
        validation rows alone.
        """
        self.model.calibrations.clear()
        model = self.model
        coverage = model.config.interval if isinstance(model, DistributionModel) else None
        train = self._totals("train")
        for inference in self.model.inferences:
            rows = self._rows("validation", self._graph(self._calibration_reading(inference)))
            seen = (train["label"], train[inference])
            self.model.calibrations[inference] = _fitted(rows, seen, coverage)

    def final(self, split: str) -> tuple[dict[str, dict[str, float]], Rows]:
        """Metrics by rule of inference, and the rows, from one pass over the split.

        Returns:
            Metrics; and `label`, `row_key`, `group_key`, `predicted_<inference>` and, where a
            network is selected, `selected_sdn`, [N] each.
        """
        rows = self._rows(split, self._graph(self._final_reading))
        metrics, kept = {}, {name: rows[name] for name in ("label", "row_key", "group_key")}
        for inference in self.model.inferences:
            mine = {
                name.removeprefix(f"{inference}/"): values
                for name, values in rows.items()
                if name.startswith(f"{inference}/")
            }
            predicted = kept[f"predicted_{inference}"] = mine["predicted_cltv"]
            metrics[inference] = evaluate(rows["label"], predicted, self.table.schema.label)
            if self.model.has_distribution:
                metrics[inference] |= evaluate_distribution(rows["label"], mine)
            if "selected_sdn" in mine:
                kept["selected_sdn"] = mine["selected_sdn"]
        return metrics, kept

    def shares(self, rows: Rows) -> list[float] | None:
        """The share of rows that each network is selected for; None where none is selected."""
        if "selected_sdn" not in rows:
            return None
        counts = np.bincount(rows["selected_sdn"], minlength=self.model.networks)
        shares: list[float] = (counts / len(rows["selected_sdn"])).tolist()
        return shares

    # What is read of a batch ----------------------------------------------------------------------

    def _epoch_reading(self, inputs: Inputs, y: tf.Tensor) -> dict[str, tf.Tensor]:
        if not isinstance(self.model, DistributionModel):
            return {"predicted_cltv": self.model.predict_distribution(inputs)["predicted_cltv"]}
        mixture, said = self.model.mixture(inputs)
        selected = {k: v for k, v in said.items() if k == "selected_sdn"}
        return {"predicted_cltv": mixture.mean(), "nll": mixture.nll(y)} | selected

    def _mean_reading(self, inputs: Inputs, y: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            rule: self.model.predict_distribution(inputs, inference=rule)["predicted_cltv"]
            for rule in self.model.inferences
        }

    def _calibration_reading(self, inference: str) -> Reading:
        def read(inputs: Inputs, y: tf.Tensor) -> dict[str, tf.Tensor]:
            if not isinstance(self.model, DistributionModel):
                found = self.model.predict_distribution(inputs, inference=inference)
                return {"predicted_cltv": found["predicted_cltv"]}
            mixture = self.model.mixture(inputs, inference)[0]
            return {
                "predicted_cltv": mixture.mean(),
                "cdf": mixture.cdf(y),
                "zero_mass": mixture.zero_mass(),
                "cdf_if_positive": mixture.if_positive().cdf(y),
            }

        return read

    def _final_reading(self, inputs: Inputs, y: tf.Tensor) -> dict[str, tf.Tensor]:
        rows: dict[str, tf.Tensor] = {}
        for inference in self.model.inferences:
            if isinstance(self.model, DistributionModel):
                mixture, said = self.model.mixture(inputs, inference)
                found = self.model.described(mixture, said, (0.5,), inference)
                found["nll"] = mixture.nll(y)
            else:
                found = self.model.predict_distribution(inputs, inference=inference)
            rows |= {f"{inference}/{name}": values for name, values in found.items()}
        return rows

    def _graph(self, reading: Reading) -> Any:
        signature = [self.model.input_signature, tf.TensorSpec([None], tf.float32)]
        return tf.function(reading, input_signature=signature)

    def _totals(self, split: str) -> dict[str, float]:
        """The sums of label and mean over a split, by rule; no process holds the rows."""
        reading = self._graph(self._mean_reading)
        names = ["label", *self.model.inferences]
        mine = np.zeros([1, len(names)])
        for rows in self._batches(split, reading):
            mine += [rows[name].sum(dtype=np.float64) for name in names]
        return dict(zip(names, self.ranks.gather(mine).sum(axis=0).tolist(), strict=True))

    def _batches(self, split: str, reading: Any) -> Iterator[Rows]:
        """This rank's rows of a split: its keys and the reading."""
        if split not in self.shards:
            self.shards[split] = Shard(
                self.table, split, self.batch_rows, self.ranks.rank, self.ranks.size
            )
        with self.shards[split].one_pass() as batches:
            for inputs, keys in batches:
                found = reading(inputs, keys["label"]) | keys
                yield {name: values.numpy() for name, values in found.items()}

    def _rows(self, split: str, reading: Any) -> Rows:
        """The reading of every row of a split, gathered from all ranks and counted."""
        parts = list(self._batches(split, reading))
        mine = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        rows = {name: self.ranks.gather(values) for name, values in sorted(mine.items())}
        expected = sum(shard_rows(self.table, split, self.ranks.size))
        distinct = len(np.unique(rows["row_key"]))
        if len(rows["label"]) != expected or distinct != expected:
            raise DataError(
                f"The {split} split has {expected} rows, evaluation read {len(rows['label'])} "
                f"({distinct} distinct). Build the features again."
            )
        return rows


def _fitted(rows: Rows, seen: tuple[float, float], coverage: float | None) -> Calibration:
    y = rows["label"]
    actual, predicted = (float(rows[n].sum(dtype=np.float64)) for n in ("label", "predicted_cltv"))
    scale = fit_scale(actual + seen[0], predicted + seen[1])
    if coverage is None:
        return Calibration(scale=scale)
    paid = y > 0
    return Calibration(
        scale=scale,
        coverage=coverage,
        level=fit_level(coverage, y, rows["cdf"], rows["zero_mass"]),
        level_if_positive=fit_level(
            coverage, y[paid], rows["cdf_if_positive"][paid], np.zeros(int(paid.sum()))
        ),
    )
