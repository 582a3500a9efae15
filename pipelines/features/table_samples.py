"""Samples that are rows of a table already."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyspark.sql import DataFrame, SparkSession

from optdist.config import DatasetConfig
from optdist.config.source import SamplesSourceConfig
from optdist.errors import DataError
from pipelines.features.sampler import Samples, explain_empty, samples_of
from pipelines.sources.columns import LABEL, column, main_table_of, require
from pipelines.sources.id_texts import require_one_text
from pipelines.sources.joins import read_checked
from pipelines.sources.quarantine import (
    keep_good_rows,
    quarantine_rows,
    with_duplicate_reason,
    with_reason,
)


@samples_of(SamplesSourceConfig)
@dataclass(frozen=True)
class TableSampler:
    """Keeps one row per id of the source's rows, features and label as they are."""

    dataset: DatasetConfig
    source: SamplesSourceConfig

    def training_samples(self, spark: SparkSession, as_of: dt.date | None = None) -> Samples:
        """Rows with a label."""
        if as_of is not None:
            raise DataError(
                "--as-of needs a transactions source: when the label's window of a table's sample "
                "ends is not known."
            )
        rows, joins, _ = read_checked(spark, self.source)
        rows = require(rows, [self.source.label], "label", main_table_of(self.source))
        rows = rows.withColumn(LABEL, column(self.source.label))
        return replace(self._checked(rows, label=True), joins=joins)

    def scoring_samples(
        self, spark: SparkSession, run_date: dt.date, acquired_within_days: int | None = None
    ) -> Samples:
        """All rows: the table says who is to be scored."""
        rows, joins, _ = read_checked(spark, self.source)
        return replace(self._checked(rows, label=False), joins=joins)

    def explain_no_sample(self, samples: Samples, quarantined: Mapping[str, int]) -> str:
        """The table is empty, or all of its rows are bad."""
        return explain_empty(self.source, quarantined)

    def _checked(self, rows: DataFrame, *, label: bool) -> Samples:
        rows = with_reason(rows, self.dataset, label=label)
        rows = with_duplicate_reason(rows, self.dataset.id).persist()  # read several times
        require_one_text(rows, self.dataset.id)
        return Samples(
            rows=keep_good_rows(rows, self.dataset.features),
            quarantine=quarantine_rows(rows, "samples"),
            persisted=(rows,),
        )
