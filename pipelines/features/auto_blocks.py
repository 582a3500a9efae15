"""Writes blocks of history features as a user would: names and Spark SQL, without any data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from optdist.config.history import HistoryConfig
from optdist.data.schema import LearnedHistory
from pipelines.sources.columns import AMOUNT
from pipelines.sources.formats.names import quoted

Spans = (  # suffix -> window
    Mapping[str, int | None] | Mapping[str, int | tuple[int, int] | None]
)
_LONGEST = 40  # characters of a name that a category or column gives
_DAYS = {
    "events": "count(*)",
    "repeat_days": "count(days_since_previous)",
    "recency": "min(days_before)",
    "tenure": "max(days_before)",
    "gap_mean": "avg(days_since_previous)",
    "gap_std": "stddev_samp(days_since_previous)",
}


def write_history(
    key: Sequence[str],
    windows: Spans,
    amount: str,
    values: Iterable[str] = (),
    categories: Mapping[str, Sequence[str]] | None = None,
    attributes: Iterable[str] = (),
) -> LearnedHistory:
    """Blocks of a key's history, sample columns with trends, and which columns are features.

    Args:
        key: the columns whose events are aggregated together.
        windows: suffix -> days, first and last day, or None for everything.
        amount: the column whose parsed value is `event_amount`, for names.
        values: more columns with numbers.
        categories: column -> categories to tell apart.
        attributes: columns of samples and events, to aggregate events with the sample's own value.
    """
    sums = plain_name(amount)
    features = {**_DAYS, **_of_value(sums, AMOUNT)}
    for name in values:
        features |= _of_value(plain_name(name), quoted(name))
    features |= _of_categories(sums, categories or {})
    blocks = [HistoryConfig(key=list(key), windows=dict(windows), features=features)]
    blocks += [
        HistoryConfig(
            key=[*key, name], windows=dict(windows), features=_of_same(sums, plain_name(name))
        )
        for name in attributes
    ]
    trends = _trends(sums, windows)
    # the oldest event of a window of 30 days says less than its other features
    widest = "all" if windows.get("all", 1) is None else [*windows][-1]
    tenures = {f"tenure_{suffix}" for suffix in windows if suffix != widest}
    columns = [name for block in blocks for name in block.columns if name not in tenures]
    return LearnedHistory(blocks=blocks, sample_columns=trends, numeric=[*columns, *trends])


def plain_name(text: str) -> str:
    """A column's or category's name as a part of a feature's name."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()[:_LONGEST]


def literal(text: str) -> str:
    """A text in SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _of_value(name: str, sql: str) -> dict[str, str]:
    return {
        f"{name}_sum": f"coalesce(sum({sql}), 0)",
        f"{name}_mean": f"avg({sql})",
        f"{name}_max": f"max({sql})",
        f"{name}_std": f"stddev_samp({sql})",
    }


def _of_categories(sums: str, categories: Mapping[str, Sequence[str]]) -> dict[str, str]:
    features = {}
    for column, texts in categories.items():
        plain = [plain_name(text) for text in texts]
        for number, text in enumerate(texts):
            is_clear = plain[number] and plain.count(plain[number]) == 1
            name = f"{plain_name(column)}_{plain[number] if is_clear else f'category_{number + 1}'}"
            is_it = f"cast({quoted(column)} AS string) = {literal(text)}"
            features[f"events_{name}"] = f"count_if({is_it})"
            features[f"{sums}_sum_{name}"] = f"coalesce(sum(if({is_it}, {AMOUNT}, 0)), 0)"
    return features


def _of_same(sums: str, attribute: str) -> dict[str, str]:
    return {
        f"events_same_{attribute}": "count(*)",
        f"{sums}_sum_same_{attribute}": f"coalesce(sum({AMOUNT}), 0)",
        f"recency_same_{attribute}": "min(days_before)",
    }


def _trends(sums: str, windows: Spans) -> dict[str, str]:
    """Amount and events a day in each window, less those in the next longer one."""
    rates = sorted((days, suffix) for suffix, days in windows.items() if isinstance(days, int))
    ends = [(suffix, str(days)) for days, suffix in rates]
    ends += [(suffix, f"tenure_{suffix}") for suffix, days in windows.items() if days is None]
    return {
        f"{name}_trend_{short}": f"{name_of}_{short} / {days} - {name_of}_{long} / {more_days}"
        for (short, days), (long, more_days) in pairwise(ends)
        for name, name_of in ((sums, f"{sums}_sum"), ("events", "events"))
    }
