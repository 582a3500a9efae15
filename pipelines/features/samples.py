"""Raw rows to samples: one row per id with features and, for training, a label.

In a transactions source a sample is an entity and a day that cuts its events in two: its first day,
or a snapshot date. Features see what lies before the cut (and of a first purchase the day itself),
the label what comes after. Training and scoring build features with the same functions; they differ
in which samples they take and in the label.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import Config
from optdist.config.source import FIRST_DAY, SNAPSHOT_DATE, FirstPurchaseConfig, SourceConfig
from optdist.errors import DataError
from pipelines.features.histories import with_history
from pipelines.sources.events import AMOUNT, DAY, Events, clean_events, first_days, reach, span
from pipelines.sources.quarantine import LABEL, good, set_aside, with_reason
from pipelines.sources.tables import explained, files_explained, joined_rows


@dataclass(frozen=True)
class Samples:
    """Good rows, and those set aside as (stage, reason, row)."""

    rows: DataFrame
    quarantine: DataFrame
    events: DataFrame | None  # good ones; None without transactions
    incomplete: int = 0  # samples left out because the data end before their label window
    reach: tuple[dt.date, dt.date] | None = None  # first and last day of the events
    persisted: tuple[DataFrame, ...] = ()  # what `rows`, `quarantine` and `events` are read from

    def release(self) -> None:
        """Give back the memory of what is persisted."""
        for frame in self.persisted:
            frame.unpersist()


@files_explained()
def build_samples(spark: SparkSession, config: Config, as_of: dt.date | None = None) -> Samples:
    """Labelled samples: id, features, `label`; with transactions also `first_day`.

    Args:
        spark: the session.
        config: the data set's description.
        as_of: for transactions, read nothing after this day, and use only samples whose label
            window ended by it.

    Raises:
        DataError: columns are missing, or no sample can be made.
    """
    source = config.dataset.source
    if source.kind == "samples":
        if as_of is not None:
            raise DataError("--as-of needs a transactions source: samples carry no dates.")
        return _checked(config, joined_rows(spark, source), label=True)
    events = clean_events(spark, config, until=as_of)
    first = first_days(events.good, config.dataset.id)
    days = reach(spark, source, events, as_of)
    last_cut = days[1] - dt.timedelta(source.label_days[1])
    if source.snapshots is not None:
        chosen, incomplete = ended_snapshots(first, source.snapshots.days(days[1]), last_cut)
    else:
        assert source.first_purchase is not None
        chosen, incomplete = ended_first_purchases(first, source.first_purchase, last_cut)
    rows = with_label(with_features(events.good, chosen, config), events.good, chosen, config)
    return _checked(config, rows, events, incomplete, days, label=True)


def scoring_samples(spark: SparkSession, config: Config, run_date: dt.date) -> Samples:
    """Unlabelled samples of everyone known at the end of `run_date`; nothing later is read.

    With snapshots the cut is the day after, whose first event the run has not seen: a run of
    2024-03-31 sees what the training snapshot of 2024-04-01 saw.
    """
    source = config.dataset.source
    if source.kind == "samples":
        return _checked(config, joined_rows(spark, source), label=False)
    events = clean_events(spark, config, until=run_date)
    chosen = first_days(events.good, config.dataset.id)
    within = config.scoring.acquired_within_days
    if within is not None:
        chosen = chosen.where(F.col(FIRST_DAY) > F.date_sub(F.lit(run_date), within))
    if source.snapshots is not None:
        chosen = known_at(chosen, [run_date + dt.timedelta(1)])
    rows = with_features(events.good, chosen, config)
    return _checked(config, rows, events, days=span(events.good), label=False)


def why_no_sample(source: SourceConfig, samples: Samples, bad: Mapping[str, int]) -> str:
    """What to look at when no sample was made: the days asked for, and those of the data."""
    aside = f" Set aside: {', '.join(f'{why} {n:,}' for why, n in bad.items())}." if bad else ""
    if samples.reach is None:
        empty = f"{next(iter(source.tables))} has no row that source.where keeps"
        return f"No sample was made: {'no row is good' if bad else empty}.{aside}"
    first, last = samples.reach
    if source.first_purchase is not None:
        setting, window = "first_purchase", source.first_purchase
        asked = f"{window.start} to {window.end or 'an open end'}"
    else:
        assert source.snapshots is not None
        dates = source.snapshots.days(last)
        setting, asked = "snapshots", f"{dates[0]} to {dates[-1]}"
    return (
        f"No sample was made: source.{setting} asks for {asked}, and the events are of {first} to "
        f"{last}. {samples.incomplete:,} more have a label window of {source.horizon_days} days "
        f"that has not ended.{aside} Change source.{setting}, source.horizon_days or source.where."
    )


def ended_first_purchases(
    first: DataFrame, window: FirstPurchaseConfig, last_cut: dt.date
) -> tuple[DataFrame, int]:
    """Entities acquired in the window, and how many of them are too late for a whole label."""
    inside = first.where(F.col(FIRST_DAY) >= F.lit(window.start))
    if window.end is not None:
        inside = inside.where(F.col(FIRST_DAY) <= F.lit(window.end))
    ended = F.col(FIRST_DAY) <= F.lit(last_cut)
    whole = window.end is not None and window.end <= last_cut
    return inside.where(ended), 0 if whole else inside.where(~ended).count()


def ended_snapshots(
    first: DataFrame, dates: list[dt.date], last_cut: dt.date
) -> tuple[DataFrame, int]:
    """Entities known at each date, and how many more at dates too late for a whole label."""
    ended = [date for date in dates if date <= last_cut]
    if not ended:
        raise DataError(
            f"The label window of the first snapshot, {dates[0]}, has not ended: the data allow "
            f"snapshots up to {last_cut}. Change source.snapshots or source.horizon_days."
        )
    late = dates[len(ended) :]
    return known_at(first, ended), known_at(first, late).count() if late else 0


def known_at(first: DataFrame, dates: list[dt.date]) -> DataFrame:
    """For each date the entities with an event before it: `first` with `snapshot_date`."""
    each = F.explode(F.array(*[F.lit(date) for date in dates]))
    return first.withColumn(SNAPSHOT_DATE, each).where(F.col(FIRST_DAY) < F.col(SNAPSHOT_DATE))


def with_features(events: DataFrame, chosen: DataFrame, config: Config) -> DataFrame:
    """Attributes of the first day, history before the cut, and derived columns, for each sample."""
    source = config.dataset.source
    cuts = with_attributes(events, chosen, source, config.dataset.id)
    samples = cuts
    for history in source.history:
        samples = with_history(samples, events, cuts, history, source.cut)
    for name, sql in source.sample_columns.items():
        with explained(f"sample column {name}", samples):
            samples = samples.withColumn(name, F.expr(sql))
    return samples


def with_attributes(
    events: DataFrame, chosen: DataFrame, source: SourceConfig, entity: list[str]
) -> DataFrame:
    """Aggregates over the events of the entity's first day."""
    if not source.attributes:
        return chosen
    # a group by all of a sample's keys, for several samples may share a first day
    keys = [*dict.fromkeys([*entity, FIRST_DAY, source.cut])]
    first = events.join(chosen, on=entity, how="inner").where(F.col(DAY) == F.col(FIRST_DAY))
    with explained("attributes", first):
        aggregates = [F.expr(sql).alias(name) for name, sql in source.attributes.items()]
        return first.groupBy(*keys).agg(*aggregates)


def with_label(
    samples: DataFrame, events: DataFrame, chosen: DataFrame, config: Config
) -> DataFrame:
    """Add the spend in the label's window, 0 without events."""
    source = config.dataset.source
    keys = [*config.dataset.id, source.cut]
    later = events.join(chosen.select(*keys), on=config.dataset.id, how="inner")
    later = later.where(F.datediff(DAY, source.cut).between(*source.label_days))
    # A purchase and its return may leave 1e-15 in floating point: no one paid that.
    label = F.coalesce(F.round(LABEL, 6), F.lit(0.0))
    if source.label_floor is not None:
        label = F.greatest(label, F.lit(source.label_floor))
    spend = later.groupBy(*keys).agg(F.sum(AMOUNT).alias(LABEL))
    return samples.join(spend, on=keys, how="left").withColumn(LABEL, label)


def _checked(
    config: Config,
    rows: DataFrame,
    events: Events | None = None,
    incomplete: int = 0,
    days: tuple[dt.date, dt.date] | None = None,
    *,
    label: bool,
) -> Samples:
    """Keep one typed row per id; set the others aside."""
    rows = with_reason(config, rows, label=label).persist()  # read twice: good ones and set aside
    aside = set_aside(rows, "samples")
    if events is None:
        return Samples(good(config, rows), aside, None, persisted=(rows,))
    aside = events.bad.unionByName(aside)
    kept = (rows, events.seen)
    return Samples(good(config, rows), aside, events.good, incomplete, days, persisted=kept)
