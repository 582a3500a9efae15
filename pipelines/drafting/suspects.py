"""Finds columns that should be no features: constants, copies, ids, and leaks of the label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.drafting.category_leaks import find_telling_categories
from pipelines.drafting.profile import ColumnProfile
from pipelines.drafting.roles import is_category
from pipelines.sources.columns import LABEL, column, is_missing, parse_number

_MOSTLY_MISSING = 0.98
_LEAK = 0.95  # area under the ROC curve of a single column, for y > 0
_GRID = [i / 200 for i in range(1, 200)]  # quantiles that stand for a distribution


@dataclass(frozen=True)
class Suspects:
    """Columns that are left out with the reason, and what else should be looked at."""

    reasons: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def without(self, columns: Iterable[ColumnProfile]) -> list[ColumnProfile]:
        """The columns that are not left out."""
        return [c for c in columns if c.name not in self.reasons]


def find_suspects(
    columns: Sequence[ColumnProfile], kept: Iterable[str] = (), *, of_samples: bool
) -> Suspects:
    """Columns that tell nothing: as far as their profiles show.

    Args:
        columns: the columns that might be features.
        kept: columns with a role: a copy of one is left out.
        of_samples: whether a row is a sample, so that a column of different values names it.
    """
    found = Suspects()
    seen: dict[tuple[int, int], str] = {}
    roles = set(kept)
    for c in sorted(columns, key=lambda c: c.name not in roles):
        same = seen.setdefault((c.content, c.filled), c.name)
        if c.name in roles:
            continue
        if not c.filled:
            found.reasons[c.name] = "has no value in any row"
        elif c.is_constant:
            found.reasons[c.name] = "is constant: it has one value"
        elif c.sort == "other":
            found.reasons[c.name] = "is a list or a structure, which SQL must take apart"
        elif same != c.name:
            found.reasons[c.name] = f"has the same value as {same} in every row"
        elif of_samples and c.is_unique and c.is_code and not c.missing:
            found.reasons[c.name] = "has another value in every row: an id, not a feature"
        elif c.missing > _MOSTLY_MISSING:
            found.notes.append(f"{c.name} is missing in {c.missing:.1%} of the rows")
    return found


def find_leaks(samples: DataFrame, columns: Sequence[ColumnProfile]) -> dict[str, str]:
    """Columns that alone tell too well who has a positive label, in a pass for each sort of them.

    Args:
        samples: rows with `label` and the columns.
        columns: the columns that might be features.
    """
    positive = parse_number(samples, LABEL) > 0
    parts = [F.struct(*_measures(samples, c, positive)).alias(f"c{i}") for i, c in _each(columns)]
    if not parts:
        return {}
    row = samples.agg(F.count_if(positive), F.count_if(~positive), *parts).collect()[0]
    positives, others = row[0], row[1]
    if not positives or not others:
        return {}
    leaks = {}
    for i, c in _each(columns):
        found = row[f"c{i}"]
        there = _area(found["there_positive"] / positives, found["there_other"] / others)
        area = max(there, _auc(found["quantiles_positive"], found["quantiles_other"]))
        if area >= _LEAK:
            leaks[c.name] = (
                f"tells alone who has a positive label (area under its ROC curve {area:.3f}): it "
                f"may be known only after the label, or be a part of it"
            )
    categories = [c.name for c in columns if c.sort in {"text", "boolean"} or is_category(c)]
    return find_telling_categories(samples, categories, positive, _LEAK) | leaks


def _each(columns: Sequence[ColumnProfile]) -> list[tuple[int, ColumnProfile]]:
    return list(enumerate(columns))


def _measures(samples: DataFrame, c: ColumnProfile, positive: Column) -> list[Column]:
    there = ~is_missing(c.name) if c.sort != "other" else column(c.name).isNotNull()
    number = F.lit(None).cast("double")
    if c.sort in {"number", "boolean"}:
        number = F.expr(c.reader) if c.reader else parse_number(samples, c.name)
    return [
        F.count_if(there & positive).alias("there_positive"),
        F.count_if(there & ~positive).alias("there_other"),
        F.percentile_approx(F.when(positive, number), _GRID, 1000).alias("quantiles_positive"),
        F.percentile_approx(F.when(~positive, number), _GRID, 1000).alias("quantiles_other"),
    ]


def _area(share: float, of_others: float) -> float:
    """The area under the ROC curve of whether a value is there, in whichever direction."""
    return 0.5 + abs(share - of_others) / 2


def _auc(positive: Any, others: Any) -> float:
    """The area under the ROC curve from quantiles of both distributions; ties count a half."""
    if not positive or not others:
        return 0.5
    high, low = np.asarray(positive)[:, None], np.asarray(others)[None, :]
    area = float((high > low).mean() + (high == low).mean() / 2)
    return max(area, 1 - area)
