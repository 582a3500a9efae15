"""Measures a date's scores: metrics, alarms, calibration by decile and segment."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np

from optdist.config.backtest import BacktestConfig
from optdist.config.metrics import METRICS
from optdist.evaluation.bootstrap import entity_counts
from optdist.evaluation.by_group import GroupTotals, decile_of, group_totals
from optdist.evaluation.weighted import FORMULAS, RESAMPLED, WeightedMetrics
from optdist.models.base import quantile_name
from pipelines.backtest.results import INTERVAL, OUT, SEED, DateResult, Group, Interval, Scorer
from pipelines.backtest.rows import DateRows, scores_of
from pipelines.backtest.scorers import INTERVALS, MEDIAN, PREDICTED, Scores
from pipelines.backtest.targeting import targeting, trials
from pipelines.checks import Within, failures

_MOST_CATEGORIES = 15  # of a segment that are shown, by rows
_OF_INTERVALS = ("coverage", "coverage_if_positive", "interval_width")
_OF_ALL = ("mae", *(name for name in RESAMPLED if name != "mae"))


def measure_date(
    run_date: dt.date,
    window: str,
    rows: DateRows,
    scorers: Sequence[Scores],
    settings: BacktestConfig,
    min_category_rows: int,
) -> DateResult:
    """All figures of a date.

    Args:
        run_date: the date.
        window: of its labels, in words.
        rows: scores and realised values.
        scorers: whose scores they are; alarms judge the first.
        settings: budgets, windows, resamples and alarms.
        min_category_rows: rarer categories of a segment are not named.
    """
    measured = [_scorer(i, rows, scorer, settings) for i, scorer in enumerate(scorers)]
    predicted = scores_of(rows, 0)
    result = DateResult(
        run_date=str(run_date),
        window=window,
        rows=rows.counts,
        realised=rows.realised,
        scorers=measured,
        deciles=deciles(rows, predicted, settings.resamples),
        segments={
            name: segment(texts, rows, predicted, settings.resamples, min_category_rows)
            for name, texts in rows.segments.items()
        },
        targeting=targeting(rows, measured, settings),
        trials=trials(rows, measured, settings),
    )
    return result.model_copy(update={"alarms": find_alarms(result, settings)})


def find_alarms(result: DateResult, settings: BacktestConfig) -> list[str]:
    """Why a date raises an alarm: the limits that the first scorer's metrics are outside of.

    Args:
        result: the date.
        settings: the limits.
    """
    checks = [
        (Within(name, METRICS[name].title, f"backtest.alarms.{name}"), limits)
        for name, limits in settings.alarms.items()
    ]
    return failures(result.main.metrics, checks)


def metrics_of(y: np.ndarray, columns: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The registry's metrics that these columns allow for.

    Args:
        y: [N] realised values in currency units.
        columns: [N] each: `predicted_cltv`, and where they are known `q50` and interval ends.

    Returns:
        Metric -> value; those of ranks and totals only where a value is positive.
    """
    if not len(y):
        return {}
    measured = WeightedMetrics(y, columns[PREDICTED], columns)
    some = bool((y > 0).any())
    names = list(_OF_ALL) if some else ["mae"]
    names += ["mae_q50"] if _known(columns, [MEDIAN]) else []
    if _known(columns, INTERVALS):
        names += [n for n in _OF_INTERVALS if some or n != "coverage_if_positive"]
    return {name: float(FORMULAS[name](measured, np.ones_like(y))) for name in names}


def deciles(rows: DateRows, predicted: np.ndarray, resamples: int) -> list[Group]:
    """Predicted and realised totals of tenths of the rows, the highest predictions first.

    Args:
        rows: realised values.
        predicted: [N] in currency units.
        resamples: behind the intervals.
    """
    if not len(predicted):
        return []
    totals = group_totals(decile_of(predicted), rows.label, predicted, rows.keys, resamples, SEED)
    return [_group(str(i + 1), totals, i) for i in range(len(totals.rows)) if totals.rows[i]]


def segment(
    texts: np.ndarray, rows: DateRows, predicted: np.ndarray, resamples: int, least: int
) -> list[Group]:
    """Predicted and realised totals of the most frequent categories, and of all others.

    Fewer others than a category needs are left out too: their total could be one customer's.

    Args:
        texts: [N] the category of each row.
        rows: realised values.
        predicted: [N] in currency units.
        resamples: behind the intervals.
        least: rows that a category must have to be named.
    """
    names, group, counts = np.unique(texts, return_inverse=True, return_counts=True)
    frequent = [i for i in np.argsort(-counts, kind="stable") if counts[i] >= least]
    place = np.full(len(names), min(len(frequent), _MOST_CATEGORIES))
    place[frequent[:_MOST_CATEGORIES]] = np.arange(len(frequent[:_MOST_CATEGORIES]))
    totals = group_totals(place[group], rows.label, predicted, rows.keys, resamples, SEED)
    titles = [str(names[i]) or "(none)" for i in frequent[:_MOST_CATEGORIES]] + ["(all others)"]
    return [_group(titles[i], totals, i) for i, count in enumerate(totals.rows) if count >= least]


def _scorer(number: int, rows: DateRows, scores: Scores, settings: BacktestConfig) -> Scorer:
    columns = {**rows.scores[number], PREDICTED: scores_of(rows, number)}
    test: dict[str, float] = {}
    test_rows = 0
    if scores.sample != OUT and rows.is_test is not None and rows.is_test.any():
        chosen = {name: values[rows.is_test] for name, values in columns.items()}
        test, test_rows = metrics_of(rows.label[rows.is_test], chosen), int(rows.is_test.sum())
    return Scorer(
        name=scores.name,
        title=scores.title,
        version=scores.version,
        learned_until=str(scores.learned_until) if scores.learned_until else None,
        sample=scores.sample,
        missing=rows.missing[number],
        predicted=rows.predicted[number],
        metrics=metrics_of(rows.label, columns),
        intervals=_intervals(rows, columns, settings.resamples) if number == 0 else {},
        held_out=test,
        held_out_rows=test_rows,
        quantiles={
            f"{level:g}": float((rows.label <= columns[quantile_name(level)]).mean())
            for level in scores.levels
            if _known(columns, [quantile_name(level)])
        },
    )


def _intervals(
    rows: DateRows, columns: Mapping[str, np.ndarray], resamples: int
) -> dict[str, Interval]:
    """Metrics on resamples of the customers, those without a positive value left out."""
    y = rows.label
    if not (y > 0).any():
        return {}
    measured = WeightedMetrics(y, columns[PREDICTED], columns)
    names = [*_OF_ALL, *(["coverage"] if _known(columns, INTERVALS) else [])]
    values: dict[str, list[float]] = {name: [] for name in names}
    entities, entity = np.unique(rows.keys, return_inverse=True)
    for i in range(resamples):
        weights = entity_counts(entities, i, SEED)[entity]
        if (weights * y).any():
            for name, value in measured(weights, names).items():
                values[name].append(value)
    whole = measured(np.ones_like(y), names)
    return {n: Interval.of(whole[n], np.array(v)) for n, v in values.items() if v}


def _known(columns: Mapping[str, np.ndarray], names: Sequence[str]) -> bool:
    return all(name in columns and np.isfinite(columns[name]).all() for name in names)


def _group(name: str, totals: GroupTotals, number: int) -> Group:
    ratio, spread = totals.ratio(number), totals.interval(number, INTERVAL)
    return Group(
        name=name,
        rows=int(totals.rows[number]),
        predicted=float(totals.predicted[number]),
        realised=float(totals.realised[number]),
        ratio=None
        if ratio is None or spread is None
        else Interval(value=ratio, low=spread[0], high=spread[1]),
    )
