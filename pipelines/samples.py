"""Raw rows to samples: one row per entity with id, features and, for training, a label.

Training and scoring build features with the same functions; they differ in which entities they
take and in the label. Of an entity's events, features see those up to its first day, and the label
those of the `horizon_days` after it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from optdist.config import Config, History, Source
from optdist.errors import DataError
from pipelines.tables import explained, joined_rows

LABEL, FIRST_DAY, DAY, AMOUNT, REASON = "label", "first_day", "event_day", "event_amount", "reason"


@dataclass(frozen=True)
class Samples:
    """Good rows, and those set aside as (stage, reason, row)."""

    rows: DataFrame
    quarantine: DataFrame
    events: DataFrame | None  # good ones; None without transactions
    incomplete: int = 0  # entities left out because the data end before their label window
    persisted: tuple[DataFrame, ...] = ()  # what `rows`, `quarantine` and `events` are read from

    def release(self) -> None:
        """Give back the memory of what is persisted."""
        for frame in self.persisted:
            frame.unpersist()


@dataclass(frozen=True)
class Events:
    """The events read (persisted), the good ones, and those set aside."""

    seen: DataFrame
    good: DataFrame
    bad: DataFrame


def build_samples(spark: SparkSession, config: Config, as_of: dt.date | None = None) -> Samples:
    """Labelled samples: id columns, features, `label`; for transactions also `first_day`.

    Args:
        spark: the session.
        config: the data set's description.
        as_of: for transactions, read nothing after this day, and use only samples whose label
            window ended by it.
    """
    source = config.dataset.source
    if source.kind == "samples":
        if as_of is not None:
            raise DataError("--as-of needs a transactions source: samples carry no dates.")
        return _checked(config, joined_rows(spark, source), label=True)
    events = clean_events(spark, config, until=as_of)
    first = first_days(events.good, config.dataset.id)
    window = source.first_purchase
    horizon = source.horizon_days
    assert window is not None and horizon is not None
    # Of events after `as_of` only the last day is asked for: do the data reach as far as `as_of`?
    every = events.good if as_of is None else _with_day(joined_rows(spark, source), source)
    last = every.agg(F.max(DAY)).first()[0]
    if last is None:
        events.seen.unpersist()
        raise DataError("No event is left after `where` and the checks.")
    last = min(last, as_of or last)
    chosen = first.where(F.col(FIRST_DAY).between(F.lit(window.start), F.lit(window.end)))
    ended = F.date_add(FIRST_DAY, horizon) <= F.lit(last)
    all_end = window.end + dt.timedelta(horizon) <= last
    incomplete = 0 if all_end else chosen.where(~ended).count()
    rows = with_label(with_features(events.good, chosen.where(ended), config), events.good, config)
    return _checked(config, rows, events, incomplete, label=True)


def scoring_samples(spark: SparkSession, config: Config, run_date: dt.date) -> Samples:
    """Unlabelled samples of everyone known at the end of `run_date`; nothing later is read."""
    source = config.dataset.source
    if source.kind == "samples":
        return _checked(config, joined_rows(spark, source), label=False)
    events = clean_events(spark, config, until=run_date)
    first = first_days(events.good, config.dataset.id)
    days = config.scoring.acquired_within_days
    if days is not None:
        first = first.where(F.col(FIRST_DAY) > F.date_sub(F.lit(run_date), days))
    return _checked(config, with_features(events.good, first, config), events, label=False)


def clean_events(spark: SparkSession, config: Config, until: dt.date | None) -> Events:
    """Events with `event_day` and `event_amount`, and the bad ones with a reason."""
    source = config.dataset.source
    rows = joined_rows(spark, source)
    for what, name in [("amount", source.amount), ("timestamp", source.timestamp)]:
        require(rows, [str(name)], what)
    require(rows, config.dataset.id, "id")
    for history in source.history:
        require(rows, history.key, "history key")
    typed = _with_day(rows, source).withColumn(
        AMOUNT, F.expr(f"try_cast(`{source.amount}` AS double)")
    )
    typed = typed.withColumn(
        REASON,
        _first_reason(
            [(f"null {name}", F.col(name).isNull()) for name in config.dataset.id]
            + [
                ("unparsable amount", F.col(AMOUNT).isNull()),
                ("amount is not finite", ~_finite(F.col(AMOUNT))),
                ("unparsable timestamp", F.col(DAY).isNull()),
            ]
        ),
    )
    if until is not None:
        typed = typed.where(F.col(DAY).isNull() | (F.col(DAY) <= F.lit(until)))
    seen = typed.persist()
    return Events(seen, seen.where(F.col(REASON).isNull()).drop(REASON), set_aside(seen, "events"))


def _with_day(rows: DataFrame, source: Source) -> DataFrame:
    """Add `event_day`, null where the timestamp cannot be read."""
    moment = F.expr(f"try_cast(`{source.timestamp}` AS timestamp)")
    return rows.withColumn(DAY, F.to_date(moment))


def first_days(events: DataFrame, entity: list[str]) -> DataFrame:
    """Each entity's first day with an event: entity keys, `first_day`."""
    return events.groupBy(*entity).agg(F.min(DAY).alias(FIRST_DAY))


def with_features(events: DataFrame, entities: DataFrame, config: Config) -> DataFrame:
    """Attributes of the first day, history before it, and derived columns, for each entity."""
    source, entity = config.dataset.source, config.dataset.id
    samples = entities
    if source.attributes:
        first = events.join(entities, on=entity, how="inner").where(F.col(DAY) == F.col(FIRST_DAY))
        with explained("attributes", first):
            aggregates = [F.expr(sql).alias(name) for name, sql in source.attributes.items()]
            samples = first.groupBy(*entity, FIRST_DAY).agg(*aggregates)
    for history in source.history:
        samples = with_history(events, samples, history)
    for name, sql in source.sample_columns.items():
        with explained(f"sample column {name}", samples):
            samples = samples.withColumn(name, F.expr(sql))
    return samples


def with_history(events: DataFrame, samples: DataFrame, history: History) -> DataFrame:
    """Aggregates over the key's events strictly before each sample's first day.

    They are computed once per distinct (key, first day). A key without events in a window gets what
    the aggregates give on no rows: 0 for a count, null for a minimum.
    """
    pairs = samples.select(*history.key, FIRST_DAY).distinct()
    known = "history_is_known"
    for suffix, days in history.windows.items():
        before = events.join(pairs, on=history.key, how="inner")
        before = before.where(F.col(DAY) < F.col(FIRST_DAY))
        if days is not None:
            before = before.where(F.col(DAY) >= F.date_sub(FIRST_DAY, days))
        before = before.withColumn("days_before", F.datediff(FIRST_DAY, DAY))
        with explained("history", before):
            aggregates = [F.expr(q).alias(f"{n}_{suffix}") for n, q in history.features.items()]
            features = before.groupBy(*history.key, FIRST_DAY).agg(*aggregates)
            empty = before.limit(0).agg(*aggregates).first()
        assert empty is not None
        samples = samples.join(
            features.withColumn(known, F.lit(True)), on=[*history.key, FIRST_DAY], how="left"
        )
        for name, value in empty.asDict().items():
            filled = F.when(F.col(known), F.col(name)).otherwise(F.lit(value))
            samples = samples.withColumn(name, filled)
        samples = samples.drop(known)
    return samples


def with_label(samples: DataFrame, events: DataFrame, config: Config) -> DataFrame:
    """Spend on days 1..horizon after the first day, which itself is excluded; 0 without events."""
    source, entity = config.dataset.source, config.dataset.id
    assert source.horizon_days is not None
    days = F.datediff(DAY, FIRST_DAY)
    later = events.join(samples.select(*entity, FIRST_DAY), on=entity, how="inner")
    spend = later.where(days.between(1, source.horizon_days)).groupBy(*entity)
    labels = spend.agg(F.sum(AMOUNT).alias(LABEL))
    label = F.coalesce(F.col(LABEL), F.lit(0.0))
    if source.label_floor is not None:
        label = F.greatest(label, F.lit(source.label_floor))
    return samples.join(labels, on=entity, how="left").withColumn(LABEL, label)


def set_aside(rows: DataFrame, stage: str) -> DataFrame:
    """The rows that have a reason, as (stage, reason, row), the row in JSON."""
    content = [c for c in rows.columns if c not in {REASON, DAY, AMOUNT}]
    return rows.where(F.col(REASON).isNotNull()).select(
        F.lit(stage).alias("stage"), REASON, F.to_json(F.struct(*content)).alias("row")
    )


def require(rows: DataFrame, names: list[str], what: str) -> None:
    """Raise a DataError that lists missing and found columns."""
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise DataError(
            f"The data set's {what} names columns that are not there: {', '.join(missing)}. "
            f"Found: {', '.join(rows.columns)}."
        )


def _checked(
    config: Config,
    rows: DataFrame,
    events: Events | None = None,
    incomplete: int = 0,
    *,
    label: bool,
) -> Samples:
    """Keep one typed row per id; set the others aside."""
    dataset, source = config.dataset, config.dataset.source
    features = dataset.features
    require(rows, [*dataset.id, *dataset.split_key], "id or split_key")
    require(rows, [*features.categorical, *features.numeric], "features")
    if label and source.kind == "samples":
        require(rows, [str(source.label)], "label")
        rows = rows.withColumn(LABEL, F.col(str(source.label)))
    carried = [FIRST_DAY] if FIRST_DAY in rows.columns else []
    names = [*dataset.id, *dataset.split_key, *carried, *features.categorical, *features.numeric]
    rows = rows.select(*dict.fromkeys([*names, *([LABEL] if label else [])]))
    reasons = [(f"null {name}", F.col(name).isNull()) for name in dataset.id]
    with explained("numeric features", rows):  # a type that is no number at all, such as a date
        rows.select(*[F.expr(f"try_cast(`{name}` AS double)") for name in features.numeric])
    for name in features.numeric:
        parsed = F.expr(f"try_cast(`{name}` AS double)")
        blank = F.trim(F.col(name).cast("string")) == ""
        reasons.append((f"unparsable {name}", F.col(name).isNotNull() & ~blank & parsed.isNull()))
    if label:
        value = F.expr(f"try_cast(`{LABEL}` AS double)")
        reasons += [
            ("unparsable label", value.isNull()),
            ("label is not finite", ~_finite(value)),
            ("negative label", value < 0),
        ]
    rows = rows.withColumn(REASON, _first_reason(reasons))
    if source.kind == "samples":  # a group-by made the others unique
        rows = rows.withColumn(REASON, F.coalesce(F.col(REASON), _duplicate(dataset.id, rows)))
    rows = rows.persist()  # read twice: the good ones and those set aside
    good = rows.where(F.col(REASON).isNull()).select(
        *[
            (
                F.expr(f"try_cast(`{c}` AS double)").alias(c)
                if c in {*features.numeric, LABEL}
                else c
            )
            for c in rows.columns
            if c != REASON
        ]
    )
    aside = set_aside(rows, "samples")
    if events is None:
        return Samples(good, aside, None, persisted=(rows,))
    set_apart = events.bad.unionByName(aside)
    return Samples(good, set_apart, events.good, incomplete, persisted=(rows, events.seen))


def _duplicate(keys: list[str], rows: DataFrame) -> Column:
    """One of identical copies stays; copies that differ all go, for none can be trusted."""
    values = [F.col(c) for c in rows.columns if c != REASON]
    content = F.xxhash64(*values, *[value.isNull() for value in values])  # it skips over nulls
    same = Window.partitionBy(*keys)
    differ = F.min(content).over(same) != F.max(content).over(same)
    again = F.row_number().over(same.orderBy(content)) > 1
    return F.when(differ, F.lit("duplicate id, rows differ")).when(
        again, F.lit("duplicate id, identical copy")
    )


def _first_reason(checks: list[tuple[str, Column]]) -> Column:
    return F.coalesce(*[F.when(condition, F.lit(reason)) for reason, condition in checks])


def _finite(column: Column) -> Column:
    return reduce(
        lambda a, b: a & b, [~F.isnan(column), column != float("inf"), column != float("-inf")]
    )
