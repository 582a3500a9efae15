"""Learns what `history: auto` stands for, and puts it into a data set."""

from __future__ import annotations

from typing import TypeVar

from pyspark.sql import DataFrame

from optdist.config import DatasetConfig, SplitConfig
from optdist.config.dataset import NumericConfig
from optdist.config.section import repeated
from optdist.config.transactions import FIRST_DAY, TransactionsSourceConfig
from optdist.data.schema import LearnedHistory
from optdist.errors import DataError
from optdist.log import LOG
from pipelines.features.auto_blocks import write_history
from pipelines.features.auto_choices import choose_categories, choose_windows
from pipelines.features.out_of_time import OutOfTime
from pipelines.features.splits import split_of, with_keys

S = TypeVar("S", bound=TransactionsSourceConfig)


def learn_history(
    events: DataFrame,
    cuts: DataFrame,
    dataset: DatasetConfig,
    source: TransactionsSourceConfig,
    split: SplitConfig | None,
    late: OutOfTime | None = None,
) -> LearnedHistory | None:
    """What `history: auto` makes, learned from what is known before the cuts of training samples.

    Args:
        events: good events with `event_day` and `event_amount`.
        cuts: the samples' keys, cuts and attributes.
        dataset: the id, the split's key, and the features that are named.
        source: its history; None is returned where nothing in it is automatic.
        split: which samples are training ones; None: all of them.
        late: the newest dates, which are none.

    Raises:
        DataError: no key is known, or a column is there already.
    """
    auto = source.auto_history
    if auto is None:
        return None
    key = auto.key or _default_key(dataset, source)
    training = _training(cuts, dataset, split, late)
    categories, attributes = choose_categories(events, training, key, dataset, source)
    learned = write_history(
        key,
        auto.windows or choose_windows(events, cuts, source.cut),
        source.amount,
        auto.values,
        categories,
        attributes,
    )
    _require_new(learned, dataset, source)
    same = f" {len(learned.blocks) - 1} attributes," if learned.blocks[1:] else ""
    LOG.info(
        f"  history: auto makes {len(learned.numeric)} features of {', '.join(key)}:{same} "
        f"windows {', '.join(learned.blocks[0].windows)}"
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


def _training(
    cuts: DataFrame, dataset: DatasetConfig, split: SplitConfig | None, late: OutOfTime | None
) -> DataFrame:
    """The cuts of training samples."""
    if split is None:
        return cuts
    missing = [name for name in dataset.split_key if name not in cuts.columns]
    if missing:
        raise DataError(
            f"history: auto needs split_key among id and attributes; {', '.join(missing)} is in "
            f"neither."
        )
    return with_keys(cuts, dataset).where(split_of(split, late) == "train")


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
