"""Measures what targeting by each score would have captured, and simulates Table 4 of the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from optdist.config.backtest import BacktestConfig
from optdist.evaluation.targeting import (
    Targets,
    bootstrap_captured,
    rank_shares,
    split_in_halves,
)
from pipelines.backtest.realised import FREQUENCY, MONETARY, RECENCY
from pipelines.backtest.results import CHANCE, RULE, SEED, Budget, Capture, Interval, Scorer, Trial
from pipelines.backtest.rows import DateRows, scores_of


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
    resampled = bootstrap_captured(rows.label, scores, rows.keys, shares, settings.resamples, SEED)
    everything = bootstrap_captured(
        rows.label, {CHANCE: np.zeros(drawn)}, rows.keys, np.ones(1), settings.resamples, SEED
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
                gain = Interval.of(
                    captured[first][b] / value - 1, resampled[first][:, b] / spread - 1
                )
            by[name] = Capture(
                value=Interval.of(grown * value, grown * spread),
                share=Interval.of(value / total, spread / np.maximum(everything[:, 0], 1e-12)),
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
        list(rows.spend.values()), scores, rows.keys, budgets, settings.resamples, SEED
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
                        gain=Interval.of(ours.mean() / theirs.mean() - 1, ours / theirs - 1),
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


def _all_scores(rows: DateRows, scorers: Sequence[Scorer]) -> dict[str, np.ndarray]:
    """The models' scores, the rule's and chance, by title."""
    scores = {s.title: scores_of(rows, i) for i, s in enumerate(scorers)}
    rule = {RULE: rule_score(rows.past)} if rows.past else {}
    return {**scores, **rule, CHANCE: np.zeros(len(rows.label))}


def _shares(rows: DateRows, budgets: Sequence[float]) -> np.ndarray:
    """Budgets as shares of the rows; numbers of customers may be more than there are."""
    counts = [b if b >= 1 else max(1, round(b * rows.counts.measured)) for b in budgets]
    return np.unique(np.minimum(np.array(counts) / max(rows.counts.measured, 1), 1.0))
