"""Scores the newest raw test rows with any registered version, for metrics and comparisons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from pyspark.sql import DataFrame

from optdist.config.metrics import METRICS
from optdist.data.schema import LabelStatistics
from optdist.errors import DataError
from optdist.evaluation.bootstrap import paired_bootstrap
from optdist.evaluation.metrics import evaluate, evaluate_distribution
from optdist.evaluation.weighted import WeightedMetrics
from optdist.serving.package import Package
from pipelines.prediction import explain_worker_errors, predict
from pipelines.sources.columns import LABEL

_ROW, _GROUP, _NLL = "row_key", "group_key", "nll"
_SEED = 2024  # of the bootstrap: a comparison that is repeated gives the same answer
_MEDIAN = 0.5


@dataclass(frozen=True)
class ScoredTest:
    """The test rows with one version's predictions, in the order of their keys.

    Args:
        rows: [N] arrays by name: label, `row_key`, `group_key`, `predicted_cltv` and, of
            distributions, `nll`, `q50` and interval ends.
        distribution: whether the columns of distributions are there.
    """

    rows: dict[str, np.ndarray]
    distribution: bool

    @classmethod
    def score(
        cls, samples: DataFrame, package: Package, metrics: Iterable[str], batch_rows: int
    ) -> Self:
        """Score raw rows through the function that the scoring job uses.

        Label, prediction and keys come to the driver, 28 bytes a row, and where a metric of
        distributions is asked for six more columns, 52 bytes: ten million test rows take half a
        gigabyte for each version.

        Args:
            samples: raw test rows with their label and keys.
            package: the version's package.
            metrics: names of the metrics that will be asked for.
            batch_rows: rows that a Spark worker scores at once.
        """
        distribution = any(METRICS[name].needs_distribution for name in metrics)
        distribution = distribution and package.settings.has_distribution
        quantiles = (_MEDIAN,) if distribution else ()
        keep = [LABEL, _ROW, _GROUP]
        label = LABEL if distribution else None
        scored = predict(samples, package, quantiles, batch_rows, keep, label)
        names = [*keep, "predicted_cltv"]
        if distribution:
            ends = [f"{n}_{end}" for n in ("interval", "if_positive") for end in ("low", "high")]
            names += [_NLL, "q50", *ends]
        with explain_worker_errors():
            frame = scored.select(*names).toPandas()
        frame = frame.sort_values([_ROW, LABEL], kind="stable")
        return cls({name: frame[name].to_numpy() for name in names}, distribution)

    def metrics(self, train: LabelStatistics) -> dict[str, float]:
        """The metrics of the rows, those of distributions where their columns are there."""
        label, predicted = self.rows[LABEL], self.rows["predicted_cltv"]
        metrics = evaluate(label, predicted, train)
        return metrics | (evaluate_distribution(label, self.rows) if self.distribution else {})

    def gains(self, other: ScoredTest, metric: str, resamples: int) -> np.ndarray:
        """The gain of this version over another on each resample of the entities.

        Args:
            other: the same rows, scored by the other version.
            metric: a metric that both versions have, with higher or lower values better.
            resamples: number of resamples.

        Raises:
            DataError: the rows differ, or a resample has no positive label.
        """
        if not np.array_equal(self.rows[_ROW], other.rows[_ROW]):
            raise DataError("Both versions must be scored on the same rows.")
        a, b = self._weighted(), other._weighted()
        return paired_bootstrap(a, b, self.rows[_GROUP], metric, resamples, _SEED)

    def _weighted(self) -> WeightedMetrics:
        columns = {name: values.astype(np.float64) for name, values in self.rows.items()}
        return WeightedMetrics(columns[LABEL], columns["predicted_cltv"], columns)
