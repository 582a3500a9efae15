"""Evaluates a model on whole splits: every row exactly once, on all ranks together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import tensorflow as tf

from optdist.data.feature_table import FeatureTable
from optdist.data.shards import Batch, Shard, shard_rows
from optdist.errors import DataError
from optdist.evaluation.metrics import evaluate, evaluate_distribution
from optdist.models.base import CltvModel, DistributionModel, Inputs
from optdist.models.calibration import calibration_counts, set_calibration
from optdist.ranks import pulse
from optdist.training.communicator import Ranks

Rows = dict[str, np.ndarray]
Reading = Callable[[Inputs, tf.Tensor], dict[str, tf.Tensor]]


class Evaluation:
    """Predicts whole splits and measures the predictions.

    The ranks' predictions are gathered on every rank, because rank metrics (Gini, Spearman) need
    them all. The test split takes the most memory: all columns of every rule of inference, for
    OptDist 164 bytes a row, twice that while they are gathered, and one rule's in float64 while
    they are measured. After an epoch it is 34 bytes a row of the validation split. That limits the
    splits that a rank can evaluate; calibration only counts, and takes none.
    """

    def __init__(
        self, table: FeatureTable, model: CltvModel, ranks: Ranks, batch_rows: int
    ) -> None:
        """Evaluate `model` on splits of `table` in steps of `batch_rows`."""
        self.table, self.model, self.ranks, self.batch_rows = table, model, ranks, batch_rows
        self.at_epoch = self._graph(self._epoch_reading)
        self.shards: dict[str, Shard] = {}  # of the splits read so far

    def epoch(self, split: str) -> tuple[dict[str, float], list[float] | None]:
        """Metrics of the configured rule of inference, and the share of rows of each network.

        For models with a distribution the metrics include `at_mu_bound` and `at_sigma_bound`, the
        shares of rows whose (selected) mu and sigma lie at a bound: no gradient moves those.
        """
        rows = self._rows(split, self.at_epoch)
        with pulse.working():
            metrics = evaluate(rows["label"], rows["predicted_cltv"], self.table.schema.label)
        for name in ("nll", "at_mu_bound", "at_sigma_bound"):
            if name in rows:
                metrics[name] = float(rows[name].mean())
        return metrics, self.shares(rows)

    def calibrate(self) -> None:
        """Fit the model's calibration for each rule of inference.

        The scale takes the totals of training and validation rows, the interval's levels take
        validation rows alone.
        """
        counts = self._calibration_counts("validation", levels=True)
        set_calibration(self.model, counts + self._calibration_counts("train", levels=False))

    def final(self, split: str) -> tuple[dict[str, dict[str, float]], Rows]:
        """Metrics by rule of inference, and the rows, from one pass over the split.

        Returns:
            Metrics; and `label`, `row_key`, `group_key`, `predicted_<inference>`, and of the
            configured rule, where the model has them, `interval_low`, `interval_high` and
            `selected_sdn`, [N] each.
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
            with pulse.working():
                metrics[inference] = evaluate(rows["label"], predicted, self.table.schema.label)
                if self.model.has_distribution:
                    metrics[inference] |= evaluate_distribution(rows["label"], mine)
            if "selected_sdn" in mine:
                kept["selected_sdn"] = mine["selected_sdn"]
            if inference == self.model.inference:
                kept |= {n: mine[n] for n in ("interval_low", "interval_high") if n in mine}
        return metrics, kept

    def shares(self, rows: Rows) -> list[float] | None:
        """The share of rows that each network is selected for; None where none is selected."""
        if "selected_sdn" not in rows:
            return None
        counts = np.bincount(rows["selected_sdn"], minlength=self.model.networks)
        shares: list[float] = (counts / len(rows["selected_sdn"])).tolist()
        return shares

    # Readings of a batch --------------------------------------------------------------------------

    def _epoch_reading(self, inputs: Inputs, y: tf.Tensor) -> dict[str, tf.Tensor]:
        if not isinstance(self.model, DistributionModel):
            return {"predicted_cltv": self.model.predict_distribution(inputs)["predicted_cltv"]}
        mixture, selected = self.model.mixture(inputs)
        columns = {"predicted_cltv": mixture.mean(), "nll": mixture.nll(y)}
        columns |= {name: selected[name] for name in ("selected_sdn",) if name in selected}
        return columns | self.model.at_bounds(selected)

    def _final_reading(self, inputs: Inputs, y: tf.Tensor) -> dict[str, tf.Tensor]:
        rows: dict[str, tf.Tensor] = {}
        for inference in self.model.inferences:
            if isinstance(self.model, DistributionModel):
                mixture, selected = self.model.mixture(inputs, inference)
                columns = self.model.predict_mixture(mixture, selected, (0.5,), inference)
                columns["nll"] = mixture.nll(y)
            else:
                columns = self.model.predict_distribution(inputs, inference=inference)
            rows |= {f"{inference}/{name}": values for name, values in columns.items()}
        return rows

    def _graph(self, reading: Reading) -> Any:
        signature = [self.model.input_signature, tf.TensorSpec([None], tf.float32)]
        return tf.function(reading, input_signature=signature)

    def _calibration_counts(self, split: str, levels: bool) -> np.ndarray:
        """What calibration needs of a split: counts that add up, so no process holds the rows."""
        with self._shard(split).one_pass() as batches:
            labelled = ((inputs, keys["label"]) for inputs, keys in _beating(batches))
            counts = calibration_counts(self.model, labelled, levels)
        total: np.ndarray = self.ranks.gather(counts[None]).sum(axis=0)
        return total

    def _shard(self, split: str) -> Shard:
        """This rank's part of a split."""
        if split not in self.shards:
            self.shards[split] = Shard(
                self.table, split, self.batch_rows, self.ranks.rank, self.ranks.size
            )
        return self.shards[split]

    def _batches(self, split: str, reading: Any) -> Iterator[Rows]:
        """This rank's rows of a split: its keys and the reading."""
        with self._shard(split).one_pass() as batches:
            for inputs, keys in _beating(batches):
                columns = reading(inputs, keys["label"]) | keys
                yield {name: values.numpy() for name, values in columns.items()}

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


def _beating(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The batches, each a sign of life; with the first one TensorFlow may still compile."""
    for batch in islice(batches, 1):
        with pulse.working():
            yield batch
    for batch in batches:
        pulse.beat()
        yield batch
