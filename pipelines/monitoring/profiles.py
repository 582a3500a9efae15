"""Measures the profile of samples in one aggregation, and counts their events by day."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import MapType

from optdist.config import DatasetConfig
from optdist.config.transactions import FirstPurchaseSourceConfig
from optdist.data.cells import as_cells
from optdist.data.feature_table import FeatureTable, UnfinishedTable
from optdist.data.profile import DayCount, Profile, ScoreProfile, rounded_days
from optdist.data.profiling import FORM, Cells, Profiling, part_of
from optdist.data.schema import FeatureSchema
from optdist.errors import DataError
from pipelines.cells import sum_cells
from pipelines.monitoring.data_report.periods import day_of, period_starts
from pipelines.monitoring.data_report.statistics import DateCount
from pipelines.sources.categories import categorical_text
from pipelines.sources.columns import AMOUNT, DAY, column

_EPOCH = dt.date(1970, 1, 1)


def count_days(events: DataFrame | None, columns: Sequence[str]) -> list[DayCount] | None:
    """Count good events by day, a row for each day; None without transactions.

    Args:
        events: good events with `event_day` and, where they have one, `event_amount`.
        columns: in which two events must differ to be counted as two distinct ones.
    """
    if events is None:
        return None
    amount = F.col(AMOUNT) if AMOUNT in events.columns else F.lit(0.0)
    kinds = {field.name: field.dataType for field in events.schema}
    content = F.xxhash64(*[column(n) for n in columns if not isinstance(kinds[n], MapType)])
    rows = events.groupBy(DAY).agg(
        F.count("*"),
        F.hll_sketch_estimate(F.hll_sketch_agg(content, F.lit(12))),
        F.count_if(amount < 0),
        F.sum(F.abs(amount)),
    )
    return sorted(
        DayCount(str(day), number, min(number, distinct), negative, float(total or 0.0))
        for day, number, distinct, negative, total in rows.collect()
    )


def totals_of(days: Sequence[DayCount] | None) -> tuple[dict[str, int], dict[str, float]]:
    """The number of good events, and the sum of their absolute amounts [currency]."""
    if days is None:
        return {}, {}
    events = sum(day.events for day in days)
    return {"events": events}, {"events": float(sum(day.amount for day in days))}


def measure_training(
    samples: DataFrame,
    schema: FeatureSchema,
    dataset: DatasetConfig,
    dated: Sequence[DateCount],
    days: Sequence[DayCount],
) -> Profile:
    """The profile of a feature table's training samples, by date where they have several.

    Args:
        samples: raw samples with `split` and the features.
        schema: what training learned of them.
        dataset: id and source.
        dated: the samples of each split and day.
        days: the events of each day.
    """
    source = dataset.source
    train = [row for row in dated if row.split == "train" and row.day is not None]
    starts = period_starts(row.day for row in train if row.day)
    cut = _cut(dataset, samples) if starts else None
    profiling = _profiling(schema, dataset, cut, starts)
    train_samples = samples.where("split = 'train'")
    cells = count_cells(train_samples, profiling)
    periods = []
    for place, start in enumerate(starts):
        later = starts[place + 1] if place + 1 < len(starts) else dt.date.max
        inside = [row for row in train if row.day and start <= row.day < later]
        span = [row.day for row in inside if row.day]
        if span:
            part = part_of(cells, schema, [place], (min(span), max(span)))
            mean = sum(row.total for row in inside) / max(sum(row.rows for row in inside), 1)
            periods.append(part.model_copy(update={"label_mean": mean}))
    all_days = [row.day for row in train if row.day]
    span_of_all = (min(all_days), max(all_days)) if all_days else None
    whole = part_of(cells, schema, range(len(profiling.starts)), span_of_all)
    return Profile(
        rows=whole.rows,
        first_cut=whole.first,
        last_cut=whole.last,
        last_event=days[-1].day if days else None,
        whole=whole.model_copy(update={"label_mean": schema.label.mean}),
        periods=periods,
        days=rounded_days(days),
        cluster=cluster_of(train_samples, dataset, whole.rows),
        arrivals=arrivals_of(dated) if isinstance(source, FirstPurchaseSourceConfig) else None,
        **_ids(cells, dataset.id),
    )


def measure_scoring(
    samples: DataFrame,
    schema: FeatureSchema,
    dataset: DatasetConfig,
    training: Profile,
    days: Sequence[DayCount],
) -> Profile:
    """The profile of samples to score: whole, and those whose day training's samples have too.

    Args:
        samples: raw samples, without a label.
        schema: of the model that scores them.
        dataset: id and source.
        training: the profile of the model's training.
        days: the events of each day.

    Returns:
        `periods` has at most one part: the samples from training's first day on.
    """
    first = dt.date.fromisoformat(training.first_cut) if training.first_cut else None
    cut = _cut(dataset, samples)
    starts = [_EPOCH, first] if cut and first else []
    profiling = _profiling(schema, dataset, cut if starts else None, starts)
    cells = count_cells(samples, profiling)
    whole = part_of(cells, schema, range(len(profiling.starts)), None)
    periods = [part_of(cells, schema, [1], None)] if starts else []
    return Profile(
        rows=whole.rows,
        last_event=days[-1].day if days else None,
        whole=whole,
        periods=[part for part in periods if part.rows],
        days=rounded_days(days),
        cluster=cluster_of(samples, dataset, whole.rows),
        **_ids(cells, dataset.id),
    )


def cluster_of(samples: DataFrame, dataset: DatasetConfig, rows: int) -> float:
    """How many rows there are of each split key, 1 where it names an entity.

    Args:
        samples: the rows.
        dataset: id and split key.
        rows: how many there are.
    """
    if set(dataset.split_key) == set(dataset.id):
        return 1.0
    key = F.xxhash64(*map(column, dataset.split_key))
    [row] = samples.agg(F.approx_count_distinct(key)).collect()
    return max(rows / max(row[0], 1), 1.0)


def arrivals_of(dated: Sequence[DateCount]) -> float | None:
    """The samples that come in a day, in the week with the most of them; None without dates."""
    by_day = Counter[dt.date]()
    for row in dated:
        if row.day is not None:
            by_day[row.day] += row.rows
    if not by_day:
        return None
    weeks = (sum(by_day[day + dt.timedelta(n)] for n in range(7)) for day in list(by_day))
    return max(weeks) / 7


def read_profile(table: FeatureTable | UnfinishedTable) -> Profile | None:
    """The training profile in a feature table's folder; None: an older optdist wrote none."""
    return Profile.load(table.profile)


def with_scores(profile: Profile, predicted: np.ndarray) -> Profile:
    """The profile, with what the model predicts for its test rows [N]."""
    scores = ScoreProfile.of(predicted) if len(predicted) else None
    return profile.model_copy(update={"scores": scores})


def _cut(dataset: DatasetConfig, samples: DataFrame) -> str | None:
    day, _ = day_of(dataset.source)
    return day if day in samples.columns else None


def _profiling(
    schema: FeatureSchema, dataset: DatasetConfig, cut: str | None, starts: Sequence[dt.date]
) -> Profiling:
    first_days = [(start - _EPOCH).days for start in starts] or [0]
    return Profiling(schema, dataset.id, cut, first_days)


def count_cells(samples: DataFrame, profiling: Profiling) -> Cells:
    """The cells of all rows.

    Raises:
        DataError: the samples lack a column.
    """
    missing = [name for name in profiling.columns if name not in samples.columns]
    if missing:
        raise DataError(f"The samples lack {', '.join(missing)}: nothing can be compared.")
    categories = {feature.name for feature in profiling.schema.categorical}
    rows = samples.select(
        *[
            categorical_text(samples, name) if name in categories else column(name)
            for name in profiling.columns
        ]
    )
    return as_cells(sum_cells(rows, profiling.count), len(profiling.starts))


def _ids(cells: Cells, names: Sequence[str]) -> dict[str, Any]:
    """The forms and lengths of each id column, as fields of a profile."""
    forms: dict[str, dict[str, int]] = {}
    lengths: dict[str, dict[str, int]] = {}
    for name in names:
        forms[name], lengths[name] = {}, {}
        for (kind, form), counts in cells.items():
            if kind == f"{FORM} {name}":
                by_length = counts[..., 0].sum(axis=0)
                forms[name][form] = int(by_length.sum())
                for length in np.nonzero(by_length)[0]:
                    before = lengths[name].get(str(length), 0)
                    lengths[name][str(length)] = before + int(by_length[length])
    return {"forms": forms, "lengths": lengths}
