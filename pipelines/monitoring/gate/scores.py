"""Compares predicted values with those of the last date and with those of training's test rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from optdist.config import GateConfig
from optdist.data.profile import SCORE_LEVELS, PartProfile, ScoreProfile
from pipelines.monitoring.gate.findings import TRAINING, Finding, stretched, widened
from pipelines.monitoring.gate.ids import Ids
from pipelines.sources.columns import column

SCORE = "predicted_cltv"
STEP = 0.05  # of the logarithm: the width of a bin
LEAST_ROWS = 50  # scores: fewer are no evidence
FAR = 2  # deciles that a customer may move
COMPARED = (0.25, 0.5, 0.75, 0.95)  # of the quantiles


@dataclass(frozen=True)
class ScoreCounts:
    """Customers by bin of today's score and of the last date's.

    Args:
        ids: how many there are.
        bins: [cells, 2] bins now and then; -1 where a customer has no score.
        rows: [cells] customers.
        now: [cells] sum of today's scores [currency].
        then: [cells] sum of the last date's.
    """

    ids: Ids
    bins: np.ndarray
    rows: np.ndarray
    now: np.ndarray
    then: np.ndarray

    def profile(self, side: int) -> ScoreProfile | None:
        """The scores of today (0) or of the last date (1); None: it has none."""
        there = self.bins[:, side] >= 0
        rows, total = self.rows[there], (self.now, self.then)[side][there]
        if not rows.sum():
            return None
        sums = pd.DataFrame({"bin": self.bins[there, side], "rows": rows, "total": total})
        by_bin = sums.groupby("bin").sum()
        share = np.cumsum(by_bin["rows"].to_numpy()) / rows.sum()
        mean = (by_bin["total"] / by_bin["rows"]).to_numpy()
        places = np.searchsorted(share, np.asarray(SCORE_LEVELS) - 1e-9)
        return ScoreProfile(
            rows=int(rows.sum()),
            mean=float(total.sum() / rows.sum()),
            quantiles=[float(f"{value:.3g}") for value in mean[places]],
        )

    def migration(self) -> tuple[float, int]:
        """The share of customers on both dates whose decile moved far, and how many they are."""
        both = (self.bins >= 0).all(axis=1)
        rows = self.rows[both]
        if not rows.sum():
            return 0.0, 0
        now, then = (_ranks(self.bins[both, side], rows) for side in (0, 1))
        # two customers of one bin share their rank, so that ties move nobody
        far = np.abs(now - then) > (FAR + 0.5) / 10
        return float(rows[far].sum() / rows.sum()), int(rows.sum())


def count_scores(now: DataFrame, last: DataFrame | None, names: Sequence[str]) -> ScoreCounts:
    """Join today's scores with the last date's and count customers by bin, in one aggregation.

    Args:
        now: staged scores.
        last: published ones; None: there are none.
        names: the columns that name a customer.
    """
    today = _by_id(now, names).withColumnsRenamed({"score": "now", "rows": "rows_now"})
    if last is None:
        joined = today.withColumn("then", F.lit(None).cast("double"))
        joined = joined.withColumn("rows_then", F.lit(None).cast("long"))
    else:
        then = _by_id(last, names).withColumnsRenamed({"score": "then", "rows": "rows_then"})
        keys = [f"id_{place}" for place in range(len(names))]
        joined = today.join(then, on=keys, how="full_outer")
    return counts_of(count_bins(joined), has_last=last is not None)


def count_bins(joined: DataFrame, *by: str) -> pd.DataFrame:
    """Customers, rows and scores by bin now and then: the cells of `counts_of`.

    Args:
        joined: one row an id, with `now`, `then`, `rows_now` and `rows_then`.
        by: columns to count apart.
    """
    bins = bin_of("now").alias("bin_now"), bin_of("then").alias("bin_then")
    sums = [F.sum(name).alias(name) for name in ("rows_now", "rows_then", "now", "then")]
    repeated = F.count_if(F.col("rows_now") > 1).alias("repeated")
    cells = joined.groupBy(*by, *bins).agg(F.count("*").alias("ids"), repeated, *sums)
    return cells.toPandas().fillna(0)


def counts_of(cells: pd.DataFrame, *, has_last: bool) -> ScoreCounts:
    """The counts of cells.

    Args:
        cells: rows by bin now and then, -1 where there is no score.
        has_last: whether there is a last date.
    """
    is_now, is_then = cells["bin_now"] >= 0, cells["bin_then"] >= 0
    rows = cells["ids"].to_numpy(np.float64)
    ids = Ids(
        rows=int(cells["rows_now"].sum()),
        ids=int(rows[is_now].sum()),
        repeated=int(cells["repeated"].sum()),
        last_rows=int(rows[is_then].sum()) if has_last else None,
        vanished=int(rows[~is_now & is_then].sum()),
        new=int(rows[is_now & ~is_then].sum()) if has_last else 0,
    )
    bins = cells[["bin_now", "bin_then"]].to_numpy(np.int64)
    return ScoreCounts(ids, bins, rows, cells["now"].to_numpy(), cells["then"].to_numpy())


def check_scores_against_last(
    counts: ScoreCounts, date: str, steps: float, season: float, gate: GateConfig
) -> Iterator[Finding]:
    """Compare predictions with those of an earlier date by the same model.

    Args:
        counts: of both dates.
        date: the earlier one.
        steps: how many of training's usual steps lie between them.
        season: the largest usual step of the logarithm of the mean label.
        gate: limits.
    """
    now, then = counts.profile(0), counts.profile(1)
    if now is None or then is None or then.rows < LEAST_ROWS:
        return
    room = math.exp(min(gate.learned * season * steps, 2.0))
    if (limits := gate.limits("score_total")) is not None and then.mean > 0:
        yield Finding(
            check="score_total", against=date, value=now.mean * now.rows / (then.mean * then.rows),
            now=now.mean * now.rows, reference=then.mean * then.rows,
            limits=stretched(limits, room), what="the total of predictions is", unit="times",
        )  # fmt: skip
    yield from _compare(now, then, date, room, gate)
    share, rows = counts.migration()
    if (limits := gate.limits("migration")) is not None and rows >= LEAST_ROWS:
        yield Finding(
            check="migration", against=date, value=share,
            limits=widened(limits, 2 / math.sqrt(rows)),
            what=f"of {rows:,} known ids, the share whose decile moved by more than {FAR} is",
        )  # fmt: skip


def check_scores_against_training(
    now: ScoreProfile | None, training: ScoreProfile | None, spread: float, gate: GateConfig
) -> Iterator[Finding]:
    """Compare predictions with those of the test rows of training.

    Args:
        now: today's.
        training: those of the test rows; None: an older package does not have them.
        spread: the range of the logarithm of the mean label over training's dates.
        gate: limits.
    """
    if now and training and min(now.rows, training.rows) >= LEAST_ROWS:
        yield from _compare(
            now, training, TRAINING, math.exp(min(gate.learned * spread, 2.0)), gate
        )


def _compare(
    now: ScoreProfile, then: ScoreProfile, against: str, room: float, gate: GateConfig
) -> Iterator[Finding]:
    """Mean and quantiles of two dates' predictions."""
    limits = gate.limits("score_mean")
    if limits is not None and then.mean > 0:
        yield Finding(
            check="score_mean", against=against, value=now.mean / then.mean, now=now.mean,
            reference=then.mean, limits=stretched(limits, room), what="the mean prediction is",
            unit="times",
        )  # fmt: skip
    limits = gate.limits("score_quantiles")
    if limits is None or then.mean <= 0:
        return
    floor = 0.05 * then.mean  # below it a prediction is next to nothing
    places = [SCORE_LEVELS.index(level) for level in COMPARED]
    moves = [
        (abs(math.log((now.quantiles[p] + floor) / (then.quantiles[p] + floor))), p) for p in places
    ]
    value, place = max(moves)
    yield Finding(
        check="score_quantiles", against=against, value=value, now=now.quantiles[place],
        reference=then.quantiles[place], limits=widened(limits, math.log(room)),
        what=f"the logarithm of the {SCORE_LEVELS[place]:.0%} quantile of predictions moved by",
    )  # fmt: skip


def season_of(periods: Sequence[PartProfile]) -> tuple[float, float]:
    """The largest step and the range of the logarithm of the mean label over training's dates."""
    means = [math.log(p.label_mean) for p in periods if p.label_mean and p.rows >= LEAST_ROWS]
    step = max((abs(b - a) for a, b in pairwise(means)), default=0.0)
    return step, (max(means) - min(means)) if means else 0.0


def _by_id(scores: DataFrame, names: Sequence[str]) -> DataFrame:
    """One row an id: its rows and its largest score."""
    keys = [column(name).cast("string").alias(f"id_{i}") for i, name in enumerate(names)]
    score = F.max(F.col(SCORE).cast("double")).alias("score")
    return scores.groupBy(*keys).agg(F.count("*").alias("rows"), score)


def bin_of(name: str) -> Column:
    """The bin of a score; -1 where there is none, 0 where it is (nearly) zero."""
    steps = F.floor(F.log(F.greatest(F.col(name), F.lit(1e-6)) / F.lit(1e-6)) / F.lit(STEP))
    known = F.col(name).isNotNull()  # `greatest` skips nulls
    return F.when(known, steps).otherwise(F.lit(-1)).cast("int")


def _ranks(bins: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The mean rank, 0 to 1, of the customers of each cell, those of a bin together."""
    distinct, place = np.unique(bins, return_inverse=True)
    counts = np.bincount(place, rows, len(distinct))
    return np.asarray(((np.cumsum(counts) - counts / 2) / rows.sum())[place])
