"""Measures a date's scores: metrics, calibration by decile and segment, value of targeting."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np

from optdist.config.backtest import BacktestConfig
from optdist.config.metrics import METRICS
from optdist.evaluation.bootstrap import entity_counts
from optdist.evaluation.by_group import GroupTotals, decile_of, group_totals, interval_of
from optdist.evaluation.targeting import (
    Targets,
    bootstrap_captured,
    rank_shares,
    split_in_halves,
)
from optdist.evaluation.weighted import FORMULAS, RESAMPLED, WeightedMetrics
from optdist.models.base import quantile_name
from pipelines.backtest.realised import FREQUENCY, MONETARY, RECENCY
from pipelines.backtest.results import (
    CHANCE,
    INTERVAL,
    OUT,
    RULE,
    Budget,
    Capture,
    DateResult,
    Group,
    Interval,
    Scorer,
    Trial,
)
from pipelines.backtest.rows import DateRows
from pipelines.backtest.scorers import INTERVALS, MEDIAN, PREDICTED, Scores
from pipelines.checks import Within, failures

_SEED = 2024  # of resamples and splits: a backtest that is repeated gives the same figures
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
    predicted = _scores_of(rows, 0)
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
    totals = group_totals(decile_of(predicted), rows.label, predicted, rows.keys, resamples, _SEED)
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
    totals = group_totals(place[group], rows.label, predicted, rows.keys, resamples, _SEED)
    titles = [str(names[i]) or "(none)" for i in frequent[:_MOST_CATEGORIES]] + ["(all others)"]
    return [_group(titles[i], totals, i) for i, count in enumerate(totals.rows) if count >= least]


def targeting(rows: DateRows, scorers: Sequence[Scorer], settings: BacktestConfig) -> list[Budget]:
    """What each score's top customers spent, for each budget.

    Args:
        rows: scores and realised values.
        scorers: whose scores they are.
        settings: budgets and resamples.
    """
    total, scores = float(rows.label.sum()), _all_scores(rows, scorers)
    if not total:
        return []
    shares = _shares(rows, settings.budgets)
    drawn, grown = len(rows.label), rows.counts.measured / len(rows.label)
    resampled = bootstrap_captured(rows.label, scores, rows.keys, shares, settings.resamples, _SEED)
    everything = bootstrap_captured(
        rows.label, {CHANCE: np.zeros(drawn)}, rows.keys, np.ones(1), settings.resamples, _SEED
    )[CHANCE]  # of each resample
    once, values = np.ones(drawn), [rows.label]
    captured = {n: Targets(s).captured(values, once, shares * drawn)[0] for n, s in scores.items()}
    possible = Targets(rows.label).captured(values, once, shares * drawn)[0]
    first = next(iter(scores))
    budgets = []
    for b, share in enumerate(shares):
        by = {}
        for name in scores:
            value, spread = captured[name][b], resampled[name][:, b]
            gain = None
            if name != first and value > 0 and (spread > 0).all():
                gain = _interval(
                    captured[first][b] / value - 1, resampled[first][:, b] / spread - 1
                )
            by[name] = Capture(
                value=_interval(grown * value, grown * spread),
                share=_interval(value / total, spread / np.maximum(everything[:, 0], 1e-12)),
                gain=gain,
            )
        customers = round(share * rows.counts.measured)
        budgets.append(Budget(customers=customers, by=by, possible=grown * possible[b]))
    return budgets


def trials(rows: DateRows, scorers: Sequence[Scorer], settings: BacktestConfig) -> list[Trial]:
    """The simulation of Table 4: the first score against each other one, in random halves.

    Args:
        rows: scores and what was spent within some days.
        scorers: whose scores they are.
        settings: budgets, and how many splits.
    """
    if not rows.spend or not len(rows.label):
        return []
    scores = _all_scores(rows, scorers)
    first, *others = scores
    budgets = _shares(rows, settings.budgets) * len(rows.label) / 2  # of each half
    captured = split_in_halves(
        list(rows.spend.values()), scores, rows.keys, budgets, settings.resamples, _SEED
    )
    scale = rows.counts.measured / len(rows.label)
    results = []
    for name in others:
        for b, budget in enumerate(budgets):
            for w, days in enumerate(rows.spend):
                ours, theirs = captured[first][:, 0, w, b], captured[name][:, 1, w, b]
                if not (theirs > 0).all():
                    continue
                results.append(
                    Trial(
                        against=name,
                        customers=max(1, round(scale * budget)),
                        days=days,
                        returned=float(ours.mean() / budget),
                        returned_against=float(theirs.mean() / budget),
                        gain=_interval(ours.mean() / theirs.mean() - 1, ours / theirs - 1),
                        wins=float((ours > theirs).mean()),
                    )
                )
    return results


def rule_score(past: Mapping[str, np.ndarray]) -> np.ndarray:
    """A rule of thumb: the mean of the places in recency, frequency and past spend (RFM).

    Args:
        past: [N] each: days since the last event, days with events, and spend; what is not a number
            is the worst.
    """
    recency = rank_shares(-np.nan_to_num(past[RECENCY], nan=np.inf))
    others = [rank_shares(np.nan_to_num(past[n], nan=-np.inf)) for n in (FREQUENCY, MONETARY)]
    score: np.ndarray = (recency + others[0] + others[1]) / 3
    return score


def _scorer(number: int, rows: DateRows, scores: Scores, settings: BacktestConfig) -> Scorer:
    columns = {**rows.scores[number], PREDICTED: _scores_of(rows, number)}
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
        weights = entity_counts(entities, i, _SEED)[entity]
        if (weights * y).any():
            for name, value in measured(weights, names).items():
                values[name].append(value)
    whole = measured(np.ones_like(y), names)
    return {n: _interval(whole[n], np.array(v)) for n, v in values.items() if v}


def _scores_of(rows: DateRows, number: int) -> np.ndarray:
    """Predictions, 0 where a scorer has none."""
    return np.nan_to_num(rows.scores[number][PREDICTED], nan=0.0)


def _all_scores(rows: DateRows, scorers: Sequence[Scorer]) -> dict[str, np.ndarray]:
    """The models' scores, the rule's and chance, by title."""
    scores = {s.title: _scores_of(rows, i) for i, s in enumerate(scorers)}
    rule = {RULE: rule_score(rows.past)} if rows.past else {}
    return {**scores, **rule, CHANCE: np.zeros(len(rows.label))}


def _shares(rows: DateRows, budgets: Sequence[float]) -> np.ndarray:
    """Budgets as shares of the rows; numbers of customers may be more than there are."""
    counts = [b if b >= 1 else max(1, round(b * rows.counts.measured)) for b in budgets]
    return np.unique(np.minimum(np.array(counts) / max(rows.counts.measured, 1), 1.0))


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


def _interval(value: float, resampled: np.ndarray) -> Interval:
    low, high = interval_of(resampled, INTERVAL)
    return Interval(value=float(value), low=low, high=high)
