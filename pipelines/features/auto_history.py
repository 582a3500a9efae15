"""Learns what `history: auto` writes: windows that the data fill, and the frequent categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, StringType

from optdist.config import DatasetConfig, SplitConfig
from optdist.config.dataset import NumericConfig
from optdist.config.history import AutoHistoryConfig
from optdist.config.section import repeated
from optdist.config.transactions import FIRST_DAY, TransactionsSourceConfig
from optdist.data.schema import LearnedHistory
from optdist.errors import DataError
from pipelines.features.auto_blocks import write_history
from pipelines.features.splits import split_of, with_keys
from pipelines.sources.columns import DAY, column, is_missing, parse_number

S = TypeVar("S", bound=TransactionsSourceConfig)
_WINDOWS: dict[str, int | None] = {"30d": 30, "90d": 90, "365d": 365, "all": None}
_COLUMNS = 3  # of categories, at most, that are chosen without being named
_FEW = 200  # categories of such a column, at most
_SEVERAL = 1.2  # of them that a key has on average, at least: else they describe the key


def learn_history(
    events: DataFrame,
    cuts: DataFrame,
    dataset: DatasetConfig,
    source: TransactionsSourceConfig,
    split: SplitConfig | None,
) -> LearnedHistory | None:
    """What `history: auto` makes, learned from what is known before the cuts of training samples.

    Args:
        events: good events with `event_day` and `event_amount`.
        cuts: the samples' keys, cuts and attributes.
        dataset: the id, the split's key, and the features that are named.
        source: its history; None is returned where nothing in it is automatic.
        split: which samples are training ones; None: all of them.

    Raises:
        DataError: no key is known, or a column is there already.
    """
    auto = source.auto_history
    if auto is None:
        return None
    key = auto.key or _default_key(dataset, source)
    learned = write_history(
        key,
        auto.windows or _known_windows(events, cuts, source.cut),
        source.amount,
        auto.values,
        _categories(events, _training(cuts, dataset, split), key, dataset, source),
        _attributes(events, key, dataset, source, auto),
    )
    _require_new(learned, dataset, source)
    categories = f" {len(learned.blocks) - 1} attributes," if learned.blocks[1:] else ""
    windows = ", ".join(learned.blocks[0].windows)
    print(
        f"  history: auto makes {len(learned.numeric)} features of {', '.join(key)}:{categories} "
        f"windows {windows}"
    )
    return learned


def with_learned(dataset: DatasetConfig, learned: LearnedHistory | None) -> DatasetConfig:
    """The data set with the blocks, columns and features that `history: auto` stands for.

    Args:
        dataset: as it is written.
        learned: what training learned; None: nothing is automatic.
    """
    if learned is None or not isinstance(dataset.source, TransactionsSourceConfig):
        return dataset
    named = {*dataset.features.categorical, *dataset.features.numeric}
    new = {name: NumericConfig(log1p=True) for name in learned.numeric if name not in named}
    features = {"numeric": dataset.features.numeric | new}
    return dataset.model_copy(
        update={
            "source": learned_source(dataset.source, learned),
            "features": dataset.features.model_copy(update=features),
        }
    )


def learned_source(source: S, learned: LearnedHistory | None) -> S:
    """The source with the blocks and columns that `history: auto` stands for."""
    if learned is None:
        return source
    return source.model_copy(
        update={
            "history": [*source.blocks, *learned.blocks],
            "sample_columns": learned.sample_columns | source.sample_columns,
        }
    )


def _default_key(dataset: DatasetConfig, source: TransactionsSourceConfig) -> list[str]:
    """The id, or where it has no event before its first purchase the part of it that has."""
    if source.cut != FIRST_DAY:
        return dataset.id
    if set(dataset.split_key) < set(dataset.id):
        return dataset.split_key
    raise DataError(
        f"history: auto has no key: {', '.join(dataset.id)} has no event before its first "
        f"purchase. Name columns of events and samples that have some: "
        f"history: [{{kind: auto, key: [...]}}]."
    )


def _known_windows(events: DataFrame, cuts: DataFrame, cut: str) -> Mapping[str, int | None]:
    """The windows that lie within the data at every cut, and everything."""
    first = events.agg(F.min(DAY)).collect()[0][0]
    earliest = cuts.agg(F.min(cut)).collect()[0][0]
    known = (earliest - first).days if earliest and first else 0
    windows = {name: days for name, days in _WINDOWS.items() if days is None or days <= known}
    left_out = [name for name in _WINDOWS if name not in windows]
    if left_out:
        print(
            f"  history: auto leaves out {', '.join(left_out)}: {known} days are known before the "
            f"first sample"
        )
    return windows


def _training(cuts: DataFrame, dataset: DatasetConfig, split: SplitConfig | None) -> DataFrame:
    """The cuts of training samples."""
    if split is None:
        return cuts
    missing = [name for name in dataset.split_key if name not in cuts.columns]
    if missing:
        raise DataError(
            f"history: auto needs split_key among id and attributes; {', '.join(missing)} is in "
            f"neither."
        )
    return with_keys(cuts, dataset).where(split_of(split) == "train")


def _attributes(
    events: DataFrame,
    key: Sequence[str],
    dataset: DatasetConfig,
    source: TransactionsSourceConfig,
    auto: AutoHistoryConfig,
) -> list[str]:
    """Attributes whose own value is looked for in the events."""
    if auto.attributes is not None:
        wrong = [
            name
            for name in auto.attributes
            if name not in source.attributes or name not in events.columns
        ]
        if wrong:
            raise DataError(
                f"history: auto, attributes names {', '.join(wrong)}, which must be an attribute "
                f"and a column of the events. Found in both: "
                f"{', '.join(n for n in source.attributes if n in events.columns) or 'none'}."
            )
        return auto.attributes
    return [
        name
        for name in source.attributes
        if name in events.columns and name in dataset.features.categorical and name not in key
    ]


def _categories(
    events: DataFrame,
    cuts: DataFrame,
    key: Sequence[str],
    dataset: DatasetConfig,
    source: TransactionsSourceConfig,
) -> Mapping[str, Sequence[str]]:
    """Column -> its most frequent categories among the keys of training samples."""
    auto = source.auto_history
    if auto is None or auto.categories == {}:
        return {}
    known = _known_before(events, cuts, key, source.cut)
    given = auto.categories or {}
    named = [name for name, texts in given.items() if not texts]
    if auto.categories is None:
        named = _columns_of_few(known, key, dataset, source)
    ranked = _most_frequent(known, key, named, auto.top, dataset.features.min_frequency)
    if auto.categories is None:
        several = {name: each for name, (_, each) in ranked.items() if each >= _SEVERAL}
        chosen = sorted(several, key=lambda name: (-several[name], name))[:_COLUMNS]
        return {name: ranked[name][0] for name in chosen}
    return {name: texts or ranked.get(name, ([], 0.0))[0] for name, texts in given.items()}


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
) -> dict[str, tuple[list[str], float]]:
    """Column -> the categories that most keys have, and how many a key has on average.

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
        for name in names
    ]
    pairs = known.select(F.xxhash64(*map(column, key)).alias("key"), F.explode(F.array(*texts)))
    pairs = pairs.select("key", "col.*").where(F.trim("text") != "").distinct()
    keys = pairs.groupBy("column").agg(F.countDistinct("key").alias("all_keys"))
    counts = pairs.groupBy("column", "text").agg(F.count("*").alias("keys"))
    of_column = Window.partitionBy("column")
    rank = F.row_number().over(of_column.orderBy(F.desc("keys"), "text"))
    counts = counts.withColumns({"rank": rank, "pairs": F.sum("keys").over(of_column)})
    best = counts.where((F.col("rank") <= top) & (F.col("keys") >= least))
    found: dict[str, tuple[list[str], float]] = {}
    for row in best.join(keys, on="column", how="inner").orderBy("column", "rank").collect():
        texts_of, _ = found.setdefault(row["column"], ([], row["pairs"] / row["all_keys"]))
        texts_of.append(row["text"])
    return found


def _require_new(
    learned: LearnedHistory, dataset: DatasetConfig, source: TransactionsSourceConfig
) -> None:
    """Raise a DataError if a sample has a column of the same name already."""
    own = [name for block in source.blocks for name in block.columns]
    taken = {*own, *source.attributes, *source.sample_columns, *dataset.sample_id}
    same = sorted({name for name in learned.columns if name in taken})
    same += repeated(learned.columns)
    if same:
        raise DataError(
            f"history: auto makes the columns {', '.join(same)}, which samples have already. Give "
            f"yours other names."
        )
