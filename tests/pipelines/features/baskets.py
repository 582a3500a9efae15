"""A kind of source of someone's own: one sample per id, summed from the lines of baskets."""

import datetime as dt
from typing import ClassVar, Literal

from pyspark.sql import functions as F

from optdist.config.source import SourceConfig
from pipelines.features.sampler import Samples, explain_empty, samples_of
from pipelines.sources.columns import LABEL
from pipelines.sources.joins import read_rows
from pipelines.sources.quarantine import keep_good_rows, quarantine_rows, with_reason


class BasketSourceConfig(SourceConfig):
    of_delivery: ClassVar[frozenset[str]] = frozenset({"since"})

    kind: Literal["baskets:BasketSourceConfig"]
    since: dt.date
    sums: dict[str, str]
    spend: str

    @property
    def cut(self):
        return "day"

    @property
    def key_dates(self):
        return ["day"]


@samples_of(BasketSourceConfig)
class BasketSampler:
    def __init__(self, dataset, source):
        self.dataset, self.source = dataset, source

    def training_samples(self, spark, as_of=None):
        return self._made(spark, {**self.source.sums, LABEL: f"sum({self.source.spend})"})

    def scoring_samples(self, spark, run_date, acquired_within_days=None):
        return self._made(spark, self.source.sums)

    def explain_no_sample(self, samples, quarantined):
        return explain_empty(self.source, quarantined)

    def _made(self, spark, sums):
        lines = read_rows(spark, self.source).where(F.col("day") >= F.lit(self.source.since))
        rows = lines.groupBy(*self.dataset.sample_id).agg(
            *[F.expr(sql).alias(name) for name, sql in sums.items()]
        )
        rows = with_reason(rows, self.dataset, label=LABEL in sums)
        return Samples(
            keep_good_rows(rows, self.dataset.features), quarantine_rows(rows, "samples")
        )
