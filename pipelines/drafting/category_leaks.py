"""Finds categories that alone tell who has a positive label, by rows that did not teach it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from optdist.evaluation.binned import PRIOR_ROWS, binned_auc
from pipelines.sources.columns import column

_LEAST = 30  # rows of a category, in each half, that say something of it
_SURE = 0.995  # share of positive labels among the rows of a category
_MOST_POSITIVE = 0.5  # share of all rows' up to which such a category is odd
_STEPS = 1_000  # of a category's share of positive labels


def find_telling_categories(
    samples: DataFrame, names: Iterable[str], positive: Column, limit: float
) -> dict[str, str]:
    """Columns whose values tell too well who has a positive label, with the reason.

    Half of the rows say how many labels of a value are positive, and the other half is ranked by
    that, so that a column of many values does not look good by learning rows by heart.

    Args:
        samples: rows with the columns.
        names: columns of text, booleans or codes.
        positive: whether a row's label is positive.
        limit: the area under the ROC curve from which on a column tells too well.
    """
    pairs = [
        F.struct(F.lit(name).alias("name"), column(name).cast("string").alias("text"))
        for name in names
    ]
    if not pairs:
        return {}
    half = F.pmod(F.xxhash64(F.monotonically_increasing_id()), F.lit(2)) == 0
    rows = samples.select(
        half.alias("teaches"), positive.alias("positive"), F.explode(F.array(*pairs)).alias("pair")
    ).select("teaches", "positive", "pair.*")
    counts = rows.groupBy("name", "text").agg(
        F.count_if("teaches").alias("taught"),
        F.count_if(F.col("teaches") & F.col("positive")).alias("taught_positive"),
        F.count_if(~F.col("teaches")).alias("held"),
        F.count_if(~F.col("teaches") & F.col("positive")).alias("held_positive"),
    )
    reasons = {}
    for name, (steps, sure) in _by_share(counts).items():
        held = np.array(steps, dtype=float)
        area = binned_auc(np.arange(len(held), dtype=float), held)
        share = held[:, 1].sum() / max(held[:, 0].sum(), 1.0)
        if area is not None and area >= limit:
            measured = f"area under its ROC curve {area:.3f}"
            reasons[name] = f"tells alone who has a positive label ({measured}"
        elif sure and share <= _MOST_POSITIVE:
            reasons[name] = (
                f"has a value whose rows have positive labels alone ({sure:,} rows, and of all "
                f"{share:.1%} have one"
            )
    return {
        name: f"{reason}): it may be known only after the label, or be a part of it"
        for name, reason in reasons.items()
    }


def _by_share(counts: DataFrame) -> dict[str, tuple[list[tuple[int, int, int]], int]]:
    """Column -> held-out rows and positives by ascending share, and rows of a sure category.

    Args:
        counts: by column and value.
    """
    every = F.sum("taught_positive") / F.greatest(F.sum("taught"), F.lit(1))
    means = counts.groupBy("name").agg(every.alias("mean"))
    prior = F.lit(PRIOR_ROWS)
    share = (F.col("taught_positive") + prior * F.col("mean")) / (F.col("taught") + prior)
    enough = (F.col("taught") >= _LEAST) & (F.col("held") >= _LEAST)
    sure = (
        enough
        & (F.col("taught_positive") > _SURE * F.col("taught"))
        & (F.col("held_positive") > _SURE * F.col("held"))
    )
    steps = (
        counts.join(F.broadcast(means), on="name", how="inner")
        .groupBy("name", F.round(share * _STEPS).alias("step"))
        .agg(
            F.sum("held").alias("held"),
            F.sum("held_positive").alias("held_positive"),
            F.max(F.when(sure, F.col("held") + F.col("taught"))).alias("sure"),
        )
    )
    held: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    most: dict[str, int] = defaultdict(int)
    for row in steps.orderBy("name", "step").collect():
        held[row["name"]].append((row["held"], row["held_positive"], 0))
        most[row["name"]] = max(most[row["name"]], row["sure"] or 0)
    return {name: (rows, most[name]) for name, rows in held.items()}
