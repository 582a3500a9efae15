"""Joins a date's scores with what was spent, counts all rows, and brings some to the driver."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from optdist.config import DatasetConfig, SplitConfig
from optdist.models.base import quantile_name
from pipelines.backtest.realised import FREQUENCY, MONETARY, RECENCY, Outcome
from pipelines.backtest.results import Rows
from pipelines.backtest.scorers import INTERVALS, MEDIAN, PREDICTED, Scores
from pipelines.features.splits import split_of, with_keys
from pipelines.scoring.staging import score_keys
from pipelines.sources.columns import GROUP_KEY, LABEL, column

PAST = (RECENCY, FREQUENCY, MONETARY)
_ENDED, _TEST, _SHARES = "_ended", "_is_test", 1_000_000
_SEGMENT, _SCORER = "segment_{}", "scorer_{}_{}"


@dataclass(frozen=True)
class DateRows:
    """The measured rows of a date, [N] arrays.

    Args:
        counts: what became of all rows that were scored.
        label: realised values [currency].
        keys: int64, the customer of each row.
        is_test: whether the customer is of the test split; None: not known.
        scores: for each scorer its columns by name: predictions, quantiles and interval ends.
        past: recency, frequency and past spend; empty where the data have no events.
        spend: days -> what was spent within them [currency].
        segments: column -> the text of each row.
        predicted: for each scorer the total of all measured rows, also those not drawn [currency].
        realised: the total of all measured rows [currency].
        missing: for each scorer the measured rows that it has no score of.
    """

    counts: Rows
    label: np.ndarray
    keys: np.ndarray
    is_test: np.ndarray | None
    scores: list[dict[str, np.ndarray]]
    past: dict[str, np.ndarray]
    spend: dict[int, np.ndarray]
    segments: dict[str, np.ndarray]
    predicted: list[float]
    realised: float
    missing: list[int]


def collect(
    dataset: DatasetConfig,
    split: SplitConfig,
    outcome: Outcome,
    run_date: dt.date,
    scorers: Sequence[Scores],
    features: DataFrame | None,
    segments: Sequence[str],
    return_days: Sequence[int],
    max_rows: int,
) -> DateRows:
    """The rows of a date; more than `max_rows` of them are drawn by a hash of the customer.

    Args:
        dataset: the keys.
        split: which customers are of the test split.
        outcome: what was spent.
        run_date: the date.
        scorers: the first one says which rows there are.
        features: the date's samples, for segments; None: no segments.
        segments: columns of `features`.
        return_days: lengths of the shorter windows; those that have not ended are left out [days].
        max_rows: that come to the driver.
    """
    keys = score_keys(dataset)
    ended = [d for d in return_days if _is_whole(outcome, run_date, d)]
    spend = {f"_spend_{days}": days for days in ended}
    rows = _joined(keys, scorers)
    rows = outcome.with_value(rows, spend).withColumn(_ENDED, outcome.has_ended(run_date))
    rows = _with_split(rows, dataset, split)
    segments = segments if features is not None else []
    if features is not None and segments:
        names = [column(n).cast("string").alias(_SEGMENT.format(i)) for i, n in enumerate(segments)]
        categories = features.select(*map(column, keys), *names).dropDuplicates(keys)
        rows = rows.join(categories, on=keys, how="left")
    rows = rows.persist()
    try:
        return _collected(rows, scorers, spend, segments, max_rows)
    finally:
        rows.unpersist()


def scores_of(rows: DateRows, number: int) -> np.ndarray:
    """The predictions [N] of a scorer by its number, 0 where it has none [currency]."""
    return np.nan_to_num(rows.scores[number][PREDICTED], nan=0.0)


def _collected(
    rows: DataFrame,
    scorers: Sequence[Scores],
    spend: Mapping[str, int],
    segments: Sequence[str],
    max_rows: int,
) -> DateRows:
    measured = ~F.col(_ENDED) & (F.col(LABEL) >= 0)
    has_past = RECENCY in rows.columns
    [totals] = rows.agg(*_totals(measured, len(scorers), has_past=has_past)).collect()
    chosen = rows.where(measured)
    if totals["measured"] > max_rows:
        draw = F.pmod(F.xxhash64(F.lit(0), GROUP_KEY), F.lit(_SHARES))
        chosen = chosen.where(draw < int(_SHARES * max_rows / totals["measured"]))
    fixed = [LABEL, GROUP_KEY, _TEST, *spend, *(PAST if has_past else [])]
    texts = [_SEGMENT.format(i) for i in range(len(segments))]
    numbers = [_SCORER.format(i, name) for i, one in enumerate(scorers) for name in _columns(one)]
    numbers = [name for name in numbers if name in rows.columns]
    frame = chosen.select(*fixed, *texts, *numbers).toPandas()
    order = frame.sort_values([GROUP_KEY, LABEL], kind="stable").index
    frame = frame.loc[order]
    scores = [
        {
            name: frame[_SCORER.format(i, name)].to_numpy(np.float64)
            for name in _columns(scorer)
            if _SCORER.format(i, name) in frame
        }
        for i, scorer in enumerate(scorers)
    ]
    counts = Rows(
        drawn=len(frame),
        **{name: int(totals[name]) for name in Rows.model_fields if name in totals.asDict()},
    )
    return DateRows(
        counts=counts,
        label=frame[LABEL].to_numpy(np.float64),
        keys=frame[GROUP_KEY].to_numpy(np.int64),
        is_test=None if frame[_TEST].isna().any() else frame[_TEST].to_numpy(bool),
        scores=scores,
        past={name: frame[name].to_numpy(np.float64) for name in PAST if has_past},
        spend={days: frame[name].to_numpy(np.float64) for name, days in spend.items()},
        segments={
            name: frame[text].fillna("").to_numpy(str)
            for name, text in zip(segments, texts, strict=True)
        },
        predicted=[float(totals[f"predicted_{i}"] or 0.0) for i in range(len(scorers))],
        realised=float(totals["realised"] or 0.0),
        missing=[int(totals[f"missing_{i}"]) for i in range(len(scorers))],
    )


def _totals(measured: F.Column, scorers: int, *, has_past: bool) -> list[F.Column]:
    """One aggregation over all rows."""
    label = F.col(LABEL)
    predicted = [F.col(_SCORER.format(i, PREDICTED)).cast("double") for i in range(scorers)]
    return [
        F.count("*").alias("scored"),
        F.count_if(F.col(_ENDED)).alias("ended"),
        F.count_if(~F.col(_ENDED) & (label < 0)).alias("refunded"),
        F.count_if(~F.col(_ENDED) & label.isNull()).alias("unlabelled"),
        F.count_if(measured).alias("measured"),
        F.count_if(measured & (label == 0)).alias("zeros"),
        F.count_if(F.col(RECENCY).isNull() if has_past else F.lit(False)).alias("unknown"),
        F.sum(F.when(measured, label)).alias("realised"),
        *[F.sum(F.when(measured, p)).alias(f"predicted_{i}") for i, p in enumerate(predicted)],
        *[F.count_if(measured & p.isNull()).alias(f"missing_{i}") for i, p in enumerate(predicted)],
    ]


def _joined(keys: Sequence[str], scorers: Sequence[Scores]) -> DataFrame:
    """The rows of the first scorer, with the columns of each under names of its own."""
    parts = [
        scorer.rows.select(
            *map(column, keys),
            *[
                column(name).alias(_SCORER.format(i, name))
                for name in _columns(scorer)
                if name in scorer.rows.columns
            ],
        )
        for i, scorer in enumerate(scorers)
    ]
    rows = parts[0]
    for part in parts[1:]:
        rows = rows.join(part.dropDuplicates([*keys]), on=[*keys], how="left")
    return rows


def _columns(scorer: Scores) -> list[str]:
    return list(dict.fromkeys([PREDICTED, MEDIAN, *map(quantile_name, scorer.levels), *INTERVALS]))


def _with_split(rows: DataFrame, dataset: DatasetConfig, split: SplitConfig) -> DataFrame:
    """The customer's hash, and whether it is of the test split, where scores have the split key."""
    known = all(name in rows.columns for name in dataset.split_key)
    keyed = dataset if known else dataset.model_copy(update={"split_key": dataset.id})
    is_test = split_of(split) == "test" if known else F.lit(None).cast("boolean")
    return with_keys(rows, keyed).withColumn(_TEST, is_test)


def _is_whole(outcome: Outcome, run_date: dt.date, days: int) -> bool:
    return outcome.until is not None and run_date + dt.timedelta(days) <= outcome.until
