"""Chooses what `history: auto` is not told: windows, columns, categories and attributes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, StringType

from optdist.config import DatasetConfig
from optdist.config.transactions import TransactionsSourceConfig
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.sources.columns import DAY, column, is_missing, parse_number

_WINDOWS = (30, 90, 365)  # days
_SHORT_WINDOWS = (1, 3, 7, 14)  # the two longest that fit, where none of the others does
_UNFILLED = 0.25  # of the samples, at most, may know fewer days than a window has
_COLUMNS = 3  # of categories, at most, that are chosen without being named
_FEW = 200  # categories of such a column, at most
_SEVERAL = 1.2  # values of a column that a key has on average, at least: else they describe the key


class _Ranked(NamedTuple):
    """A column's most frequent categories, and how many of all a key has on average."""

    categories: list[str]
    each: float


def choose_windows(events: DataFrame, cuts: DataFrame, cut: str) -> dict[str, int | None]:
    """The windows that lie within the data for most samples, and everything.

    Args:
        events: good events with `event_day`.
        cuts: the samples' cuts.
        cut: the column with them.
    """
    first = events.agg(F.min(DAY)).collect()[0][0]
    known = F.datediff(column(cut), F.lit(first))
    least, most = (
        cuts.select(known.alias("known"))
        .agg(F.min("known"), F.percentile("known", F.lit(_UNFILLED)))
        .collect()[0]
    )
    windows = fitting_windows(most or 0)
    left_out = [f"{days}d" for days in _WINDOWS if f"{days}d" not in windows]
    if left_out:
        whose = "the first sample" if least == most else f"{1 - _UNFILLED:.0%} of the samples"
        LOG.info(
            f"  history: auto leaves out {', '.join(left_out)}: {int(most or 0)} days are known "
            f"before {whose}"
        )
    return windows


def fitting_windows(known: float) -> dict[str, int | None]:
    """Suffix -> window of at most the days that are known, and everything [days]."""
    fitting = [days for days in _WINDOWS if days <= known]
    fitting = fitting or [days for days in _SHORT_WINDOWS if days <= known][-2:]
    return {**{f"{days}d": days for days in fitting}, "all": None}


def choose_categories(
    events: DataFrame,
    training: DataFrame,
    key: Sequence[str],
    dataset: DatasetConfig,
    source: TransactionsSourceConfig,
) -> tuple[Mapping[str, Sequence[str]], Sequence[str]]:
    """Column -> its categories to tell apart, and the attributes whose own value is looked for.

    Args:
        events: good events with `event_day`.
        training: cuts of training samples.
        key: whose events are aggregated together.
        dataset: the id, the split's key, and the features that are named.
        source: its automatic history, and its attributes.

    Raises:
        DataError: an attribute that is named is not there, or not a column of events.
    """
    auto = source.auto_history
    if auto is None:
        return {}, []
    known = _known_before(events, training, key, source.cut)
    given = auto.categories or {}
    named = [name for name, texts in given.items() if not texts]
    if auto.categories is None:
        named = _columns_of_few(known, key, dataset, source)
    attributes = _attributes(events, key, dataset, source)
    looked_at = [*named, *(attributes if auto.attributes is None else [])]
    ranked = _most_frequent(known, key, looked_at, auto.top, dataset.features.min_frequency)
    several = {name for name, (_, each) in ranked.items() if each >= _SEVERAL}
    if auto.attributes is None:
        attributes = [name for name in attributes if name in several]
    if auto.categories is None:
        chosen = [name for name in named if name in several and ranked[name].categories]
        best = sorted(chosen, key=lambda name: (-ranked[name].each, name))[:_COLUMNS]
        return {name: ranked[name].categories for name in best}, attributes
    frequent = {name: ranked[name].categories if name in ranked else [] for name in named}
    return {name: texts or frequent[name] for name, texts in given.items()}, attributes


def _attributes(
    events: DataFrame,
    key: Sequence[str],
    dataset: DatasetConfig,
    source: TransactionsSourceConfig,
) -> list[str]:
    """The attributes that are named, or those that may be looked for in the events."""
    both = [name for name in source.attributes if name in events.columns]
    named = source.auto_history.attributes if source.auto_history else None
    if named is None:
        return [n for n in both if n in dataset.features.categorical and n not in key]
    wrong = [name for name in named if name not in both]
    if wrong:
        raise DataError(
            f"history: auto, attributes names {', '.join(wrong)}, which must be an attribute and a "
            f"column of the events. Found in both: {', '.join(both) or 'none'}."
        )
    return named


def _known_before(events: DataFrame, cuts: DataFrame, key: Sequence[str], cut: str) -> DataFrame:
    """The events of each key from before its last cut: what features of these samples see."""
    names = [column(name) for name in key]
    last = cuts.groupBy(*names).agg(F.max(cut).alias("last_cut"))
    return events.join(last, on=list(key), how="inner").where(F.col(DAY) < F.col("last_cut"))


def _columns_of_few(
    known: DataFrame,
    key: Sequence[str],
    dataset: DatasetConfig,
    source: TransactionsSourceConfig,
) -> list[str]:
    """Columns of text that is no number, or of booleans, with two to `_FEW` categories, about."""
    taken = {*key, *dataset.id, *dataset.split_key, source.amount, source.timestamp}
    names = [
        field.name
        for field in known.schema
        if isinstance(field.dataType, (StringType, BooleanType)) and field.name not in taken
    ]
    if not names:
        return []
    measures = [
        F.struct(
            F.approx_count_distinct(column(name)),
            F.count_if(~is_missing(name) & parse_number(known, name).isNull()),
        )
        for name in names
    ]
    counts = dict(zip(names, known.agg(*measures).collect()[0], strict=True))
    booleans = {name for name in names if isinstance(known.schema[name].dataType, BooleanType)}
    return [
        name
        for name, (categories, words) in counts.items()
        if 2 <= categories <= _FEW and (words or name in booleans)
    ]


def _most_frequent(
    known: DataFrame, key: Sequence[str], names: Sequence[str], top: int, least: int
) -> dict[str, _Ranked]:
    """Column -> the categories that most keys have.

    Args:
        known: events that training samples see.
        key: whose events they are.
        names: the columns.
        top: how many categories at most.
        least: how many keys must have a category.
    """
    if not names:
        return {}
    texts = [
        F.struct(F.lit(name).alias("column"), column(name).cast("string").alias("text"))
        for name in dict.fromkeys(names)
    ]
    pairs = known.select(F.xxhash64(*map(column, key)).alias("key"), F.explode(F.array(*texts)))
    pairs = pairs.select("key", "col.*").where(F.trim("text") != "").distinct()
    keys = pairs.groupBy("column").agg(
        F.countDistinct("key").alias("keys_of_column"), F.count("*").alias("pairs")
    )
    counts = pairs.groupBy("column", "text").agg(F.count("*").alias("keys"))
    rank = F.row_number().over(Window.partitionBy("column").orderBy(F.desc("keys"), "text"))
    best = counts.where(F.col("keys") >= least).withColumn("rank", rank)
    rows = keys.join(best.where(F.col("rank") <= top), on="column", how="left")
    ranked: dict[str, _Ranked] = {}
    for row in rows.orderBy("column", "rank").collect():
        each = row["pairs"] / row["keys_of_column"]
        categories = ranked.setdefault(row["column"], _Ranked([], each)).categories
        if row["text"] is not None:
            categories.append(row["text"])
    return ranked
