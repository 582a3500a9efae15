"""Finds every join, expression and column of a data set that does not work, not only the first.

The pipeline's own functions are called on tables without rows, which is quick. What fails is
replaced by a null of its name, so that what uses it is looked at too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from optdist.config import DatasetConfig, FeaturesConfig
from optdist.config.source import SamplesSourceConfig, SourceConfig
from optdist.config.transactions import TransactionsSourceConfig
from optdist.errors import DataError, OptDistError
from pipelines.features.sampler import find_sampler
from pipelines.sources.columns import main_table_of, require
from pipelines.sources.events import roles, with_day
from pipelines.sources.formats.bounded import Bound, BoundedTable
from pipelines.sources.formats.registry import read_table
from pipelines.sources.joins import read_rows

_DAY = dt.date(2000, 1, 1)  # any: there is no row
_NULL = "cast(null AS string)"  # text can be read as whatever an expression needs
_NO_AGGREGATE = f"max({_NULL})"


def with_bounds(dataset: DatasetConfig, bounds: Mapping[str, Bound]) -> DatasetConfig:
    """The data set, of some of whose tables only some rows are read.

    Args:
        dataset: the data set.
        bounds: table -> which rows.
    """
    tables = {
        name: BoundedTable(**{**dict(table), "bound": bounds[name]}) if name in bounds else table
        for name, table in dataset.source.tables.items()
    }
    return _with_source(dataset, tables=tables)


def find_problems(spark: SparkSession, dataset: DatasetConfig) -> list[str]:
    """What does not work of a data set's joins, expressions and columns.

    Args:
        spark: the session.
        dataset: the data set; its tables can be read.
    """
    empty = with_bounds(dataset, dict.fromkeys(dataset.source.tables, Bound()))
    try:
        _analyse(spark, empty)
        _require_label(spark, empty)
    except OptDistError as error:
        return _Isolation(spark, empty).run() or [str(error)]
    return []


def _analyse(spark: SparkSession, dataset: DatasetConfig) -> None:
    """Let Spark look at everything that makes samples, label apart.

    What `history: auto` makes is learned from rows, so what may use it is not looked at.
    """
    source = dataset.source
    if isinstance(source, TransactionsSourceConfig) and source.auto_history:
        written = source.model_copy(update={"history": source.blocks, "sample_columns": {}})
        dataset = _without_features(dataset, written)
    samples = find_sampler(dataset).scoring_samples(spark, _DAY)
    samples.release()


def _require_label(spark: SparkSession, dataset: DatasetConfig) -> None:
    if isinstance(dataset.source, SamplesSourceConfig):
        require(read_rows(spark, dataset.source), [dataset.source.label], "label")


@dataclass
class _Isolation:
    """Puts a data set together again, part by part, and leaves out what fails."""

    spark: SparkSession
    dataset: DatasetConfig
    problems: list[str] = field(default_factory=list)

    def run(self) -> list[str]:
        """The message of each part that fails."""
        source = self.dataset.source
        bare: dict[str, Any] = {"joins": [], "columns": {}, "where": None}
        if isinstance(source, TransactionsSourceConfig):
            bare |= {"attributes": {}, "history": [], "sample_columns": {}}
        current = source.model_copy(update=bare)
        for step in (self._joins, self._columns, self._where, self._roles):
            current = step(current)
        if isinstance(source, TransactionsSourceConfig):
            current = self._parts(current, "attributes")
            current = self._sample_joins(current)
            current = self._parts(current, "history")
            current = self._parts(current, "sample_columns")
        self._features(current)
        return list(dict.fromkeys(self.problems))

    def _works(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except OptDistError as error:
            self.problems.append(str(error))
            return False
        return True

    def _read(self, source: SourceConfig) -> DataFrame:
        return read_rows(self.spark, source)

    def _joins(self, source: SourceConfig) -> SourceConfig:
        for join in self.dataset.source.row_joins:
            more = source.model_copy(update={"joins": [*source.joins, join]})
            if self._works(lambda: self._read(more)):  # noqa: B023
                source = more
                continue
            other = read_table(self.spark, join.table, source.tables[join.table])
            names = [*join.aggregate] or [n for n in other.columns if n not in join.by]
            source = _with_nulls(source, set(names) - set(self._read(source).columns))
        return source

    def _sample_joins(self, source: SourceConfig) -> SourceConfig:
        """Joins of what was known at a sample's cut."""
        joins = [join for join in self.dataset.source.joins if join not in source.joins]
        for join in joins:
            if join in self.dataset.source.row_joins:
                continue  # it has failed
            more = source.model_copy(update={"joins": [*source.joins, join]})
            if self._works(lambda: self._analyse_source(more)):  # noqa: B023
                source = more
                continue
            other = read_table(self.spark, join.table, source.tables[join.table])
            for name in [*join.aggregate] or [n for n in other.columns if n not in join.by]:
                source = _with_part(source, "sample_columns", name, _NULL)
        return source

    def _columns(self, source: SourceConfig) -> SourceConfig:
        for name, sql in self.dataset.source.columns.items():
            more = source.model_copy(update={"columns": {**source.columns, name: sql}})
            ok = self._works(lambda: self._read(more))  # noqa: B023
            source = more if ok else _with_nulls(source, {name})
        return source

    def _where(self, source: SourceConfig) -> SourceConfig:
        more = source.model_copy(update={"where": self.dataset.source.where})
        return more if self._works(lambda: self._read(more)) else source

    def _roles(self, source: SourceConfig) -> SourceConfig:
        """The columns that settings name: label, or amount, timestamp, id and history keys."""
        rows = self._read(source)
        if isinstance(source, SamplesSourceConfig):
            label = source.label
            self._works(lambda: require(rows, [label], "label", main_table_of(source)))
        if not isinstance(source, TransactionsSourceConfig):
            return source
        whole = source.model_copy(update={"history": self._histories()})
        missing: set[str] = set()
        for names, what in roles(whole, self.dataset.id):
            more = main_table_of(source)
            if not self._works(lambda: require(rows, names, what, more)):  # noqa: B023
                missing |= set(names) - set(rows.columns)
        timestamp = source.timestamp
        fine = timestamp in missing or self._works(lambda: with_day(rows, timestamp))
        return _with_nulls(source, missing if fine else missing | {timestamp})

    def _histories(self) -> Any:
        return getattr(self.dataset.source, "history", [])

    def _parts(self, source: SourceConfig, setting: str) -> SourceConfig:
        """Add the expressions of a setting: all at once, and one by one where that fails."""
        whole = getattr(self.dataset.source, setting)
        if setting == "sample_columns":
            whole = {**getattr(source, setting), **whole}
        everything = source.model_copy(update={setting: whole})
        if self._is_fine(everything):
            return everything
        if setting == "history":
            return self._each_history(source)
        for name, sql in whole.items():
            more = _with_part(source, setting, name, sql)
            fine = self._works(lambda: self._analyse_source(more))  # noqa: B023
            null = _NO_AGGREGATE if setting == "attributes" else _NULL
            source = more if fine else _with_part(source, setting, name, null)
        return source

    def _each_history(self, source: SourceConfig) -> SourceConfig:
        for history in getattr(self.dataset.source, "blocks", []):
            features = dict(history.features)
            for name, sql in history.features.items():
                one = history.model_copy(update={"features": {name: sql}})
                alone = source.model_copy(update={"history": [one]})
                if not self._works(lambda: self._analyse_source(alone)):  # noqa: B023
                    features[name] = _NO_AGGREGATE
            kept = history.model_copy(update={"features": features})
            past: list[Any] = getattr(source, "history", [])
            source = source.model_copy(update={"history": [*past, kept]})
        return source

    def _features(self, source: SourceConfig) -> None:
        """The columns of keys and features, which the whole data set names."""
        dataset = self.dataset.model_copy(update={"source": source})
        self._works(lambda: _analyse(self.spark, dataset))

    def _is_fine(self, source: SourceConfig) -> bool:
        try:
            self._analyse_source(source)
        except DataError:
            return False
        return True

    def _analyse_source(self, source: SourceConfig) -> None:
        """Look at a source alone: its features are another step."""
        _analyse(self.spark, _without_features(self.dataset, source))


def _without_features(dataset: DatasetConfig, source: SourceConfig) -> DatasetConfig:
    """A data set with another source and no feature, which names events and no sample."""
    none = FeaturesConfig.model_construct(
        categorical=[], numeric={}, min_frequency=1, max_vocabulary=1
    )
    update = {"source": source, "features": none, "split_key": dataset.id}
    return dataset.model_copy(update=update)


def _with_nulls(source: SourceConfig, names: set[str]) -> SourceConfig:
    """The source with columns that are always null, in place of what cannot be made."""
    nulls = dict.fromkeys(sorted(names), "cast(null AS string)")
    return source.model_copy(update={"columns": {**source.columns, **nulls}})


def _with_part(source: SourceConfig, setting: str, name: str, sql: str) -> SourceConfig:
    return source.model_copy(update={setting: {**getattr(source, setting), name: sql}})


def _with_source(dataset: DatasetConfig, **changes: Any) -> DatasetConfig:
    source = dataset.source.model_copy(update=changes)
    return dataset.model_copy(update={"source": source})
