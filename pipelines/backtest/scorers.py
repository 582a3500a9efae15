"""Gets the scores of a past date: those published, a version's, or those of a model of then."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession

from optdist.config import Config
from optdist.config.identity import DATASET, identity
from optdist.data.feature_table import FeatureTable
from optdist.data.schema import FeatureSchema
from optdist.errors import DataError
from optdist.files import uri
from optdist.layout import Layout
from optdist.models.base import quantile_name, score_columns
from optdist.serving.package import Package
from optdist.tracking import LEARNED_UNTIL, Registry
from pipelines.backtest.results import IN, OUT, PUBLISHED, TRAINED, UNKNOWN
from pipelines.backtest.training import train_as_of
from pipelines.features.samples import scoring_samples
from pipelines.prediction import predict
from pipelines.scoring.manifest import ScoresManifest, read_manifest
from pipelines.scoring.pipeline import moved_features
from pipelines.scoring.staging import score_keys
from pipelines.scoring.version import require_same_data
from pipelines.sources.columns import column

PREDICTED, MEDIAN = "predicted_cltv", "q50"
INTERVALS = ("interval_low", "interval_high", "if_positive_low", "if_positive_high")


@dataclass(frozen=True)
class Scores:
    """One model's scores of a date.

    Args:
        name: how the model was asked for.
        rows: the keys, `predicted_cltv`, quantiles and interval ends.
        levels: of the quantiles.
        version: the registry's; None: trained for the backtest.
        learned_until: the last day that its training read; None: not known.
        sample: whether the date is out of its sample.
    """

    name: str
    rows: DataFrame
    levels: Sequence[float]
    version: str | None
    learned_until: dt.date | None
    sample: str

    @property
    def title(self) -> str:
        """What pages call it."""
        if self.name == TRAINED:
            return "trained as of the date"
        if self.name == PUBLISHED:
            return f"published (version {self.version})"
        same = self.name == self.version
        return f"version {self.version}" if same else f"{self.name} (version {self.version})"


@dataclass
class Past:
    """What was scored at past dates, and what would have been.

    Args:
        spark: the session.
        config: the data set, with pinned tables.
        registry: the versions.
    """

    spark: SparkSession
    config: Config
    registry: Registry
    _samples: dict[object, DataFrame] = field(default_factory=dict)
    _count: int = 0

    @property
    def layout(self) -> Layout:
        """Where scores and backtests are."""
        return self.config.layout

    def manifest(self, run_date: dt.date) -> ScoresManifest | None:
        """What a date was published with; None: it was not."""
        return read_manifest(self.layout.scores.date(run_date))

    def scores(self, name: str, run_date: dt.date) -> Scores:
        """The scores of a date.

        Args:
            name: `published`, `trained`, a version or an alias.
            run_date: the date.

        Raises:
            DataError: the date was not published, or nothing can be trained as of it.
            ModelError: there is no such version, or it does not fit the data set.
        """
        if name == PUBLISHED:
            return self._published(run_date)
        if name == TRAINED:
            package = train_as_of(self.spark, self.config, run_date)
            return self._predicted(name, run_date, package, None, run_date)
        version = self.registry.resolve(name)
        package = self.registry.package(version)
        moved = moved_features(self.config, package, None)
        require_same_data(self.registry, version, identity(self.config)[DATASET], moved)
        until = learned_until(self.registry, self.layout, version)
        return self._predicted(name, run_date, package, version, until)

    def samples(self, run_date: dt.date, schema: FeatureSchema | None) -> DataFrame:
        """The samples of a date: those that it has kept, or as they would be read of the data now.

        Args:
            run_date: the date; nothing after it is read.
            schema: of the model that reads them; None: any samples.
        """
        kept = self._kept(run_date, schema)
        if kept is not None:
            return kept
        if schema is None and self._samples:
            return next(iter(self._samples.values()))
        learned = (schema.types, schema.history) if schema else (None, None)
        key = (run_date, repr(learned))
        if key not in self._samples:
            days = self.config.scoring.acquired_within_days
            samples = scoring_samples(self.spark, self.config.dataset, run_date, days, *learned)
            self._count += 1
            folder = self.layout.backtest.work / f"samples-{self._count}"
            try:
                samples.rows.write.parquet(uri(folder))
            finally:
                samples.release()
            self._samples[key] = self.spark.read.parquet(uri(folder))
        return self._samples[key]

    def forget(self) -> None:
        """Remove the samples of a date that is done."""
        self._samples.clear()
        shutil.rmtree(self.layout.backtest.work, ignore_errors=True)

    def _published(self, run_date: dt.date) -> Scores:
        manifest = self.manifest(run_date)
        if manifest is None:
            raise DataError(
                f"{run_date} was not published. --by trained measures a model that is trained as "
                f"of the date, and --by champion the champion of now."
            )
        rows = self.spark.read.parquet(uri(self.layout.scores.date(run_date)))
        missing = [n for n in score_keys(self.config.dataset) if n not in rows.columns]
        if missing:
            raise DataError(
                f"The scores that were published at {run_date} have no {', '.join(missing)}: an "
                f"older optdist or another data set wrote them. Found: {', '.join(rows.columns)}."
            )
        version, until = manifest.model_version, None
        if manifest.model_name == self.registry.model_name and self.registry.find(version):
            until = learned_until(self.registry, self.layout, version)
        levels, sample = manifest.quantiles, sample_of(until, run_date)
        return Scores(PUBLISHED, self._select(rows, levels), levels, version, until, sample)

    def _predicted(
        self,
        name: str,
        run_date: dt.date,
        package: Package,
        version: str | None,
        until: dt.date | None,
    ) -> Scores:
        scoring, keys = self.config.scoring, score_keys(self.config.dataset)
        levels = sorted({*scoring.quantiles, 0.5})
        samples = self.samples(run_date, package.schema)
        rows = predict(samples, package, levels, scoring.batch_rows, keep=keys)
        sample = sample_of(until, run_date)
        return Scores(name, self._select(rows, levels), levels, version, until, sample)

    def _select(self, rows: DataFrame, levels: Sequence[float]) -> DataFrame:
        names = [PREDICTED, *map(quantile_name, levels), *INTERVALS]
        there = [name for name in score_columns(levels) if name in names and name in rows.columns]
        return rows.select(*map(column, [*score_keys(self.config.dataset), *there]))

    def _kept(self, run_date: dt.date, schema: FeatureSchema | None) -> DataFrame | None:
        """The samples that a date was scored with, where a model can read them."""
        manifest = self.manifest(run_date)
        if manifest is None or (schema is not None and schema.history is not None):
            return None  # what `history: auto` makes differs from version to version
        folder = self.layout.scores.path / manifest.input
        if not (folder / "_SUCCESS").exists():
            return None
        samples = self.spark.read.parquet(uri(folder))
        lacks = [n for n in (schema.raw_columns if schema else []) if n not in samples.columns]
        return None if lacks else samples


def sample_of(learned_until: dt.date | None, run_date: dt.date) -> str:
    """Whether a date's labels are out of a model's sample.

    Args:
        learned_until: the last day that training read; None: not known.
        run_date: the date, after which the labels begin.
    """
    if learned_until is None:
        return UNKNOWN
    return OUT if learned_until <= run_date else IN


def learned_until(registry: Registry, layout: Layout, version: str) -> dt.date | None:
    """The last day that a version's training read; None where nothing says so.

    Args:
        registry: has the version's tags; an older version's have no day.
        layout: where the version's feature table may still be.
        version: the version's number.
    """
    tags = registry.tags(version)
    day = tags.get(LEARNED_UNTIL)
    if not day and tags.get("data_fingerprint"):
        path = layout.feature_table(tags["data_fingerprint"])
        if FeatureTable.is_finished(path):
            day = FeatureTable.open(path).manifest.last_event
    return dt.date.fromisoformat(day) if day else None
