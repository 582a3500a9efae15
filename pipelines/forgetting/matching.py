"""Finds customers' rows in Parquet files: by id, by the hash of an id, or in the text of a row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from optdist.config import DatasetConfig
from optdist.files import uri
from pipelines.features.splits import hash_of
from pipelines.forgetting.customers import Customers, plain, plain_value
from pipelines.forgetting.places import DataFile, Kind
from pipelines.sources.columns import GROUP_KEY, NO_ID, ROW_KEY
from pipelines.sources.formats.base import RAGGED

_FILES = 2_000  # that one job looks at
_FILE, _COUNT = "_file", "_rows"


@dataclass(frozen=True)
class Hashes:
    """The hashes of the customers' ids: of whole ids, and of split keys where a key is one."""

    row_keys: np.ndarray  # int64 [N]
    group_keys: np.ndarray  # int64 [M]; empty where others share a split key

    def contain(self, row_key: np.ndarray, group_key: np.ndarray) -> np.ndarray:
        """Which rows are the customers', bool [N].

        Args:
            row_key: int64 [N].
            group_key: int64 [N].
        """
        return np.isin(row_key, self.row_keys) | np.isin(group_key, self.group_keys)


@dataclass
class Matcher:
    """Finds and removes the rows of some customers.

    Args:
        spark: the session.
        customers: whose rows.
        dataset: says what hashes are of.
    """

    spark: SparkSession
    customers: Customers
    dataset: DatasetConfig
    hashes: Hashes = field(init=False)

    def __post_init__(self) -> None:
        """Hash the ids as the customers' texts have them; `learn_hashes` adds those of samples."""
        empty = np.zeros(0, np.int64)
        texts = self.spark.createDataFrame(
            [tuple(form) for form in self.customers.forms()],
            ", ".join(f"{key} string" for key in self.customers.keys),
        )
        names = dict(zip(self.customers.keys, self.customers.columns, strict=True))
        named = texts.withColumnsRenamed(names)
        columns = set(self.customers.columns)
        rows, groups = empty, empty
        if columns == set(self.dataset.split_key):
            groups = _values(named.select(hash_of(self.dataset.split_key)))
        if columns == set(self.dataset.sample_id):
            rows = _values(named.select(hash_of(self.dataset.sample_id)))
        self.hashes = Hashes(rows, groups)

    def learn_hashes(self, files: Sequence[DataFile]) -> None:
        """Add the hashes of the customers' rows in samples.

        Args:
            files: of samples or of anything else; those of hashes alone tell nothing.
        """
        for rows in self._batches([f for f in files if f.kind is Kind.IDS]):
            frame = self._read(rows)
            if ROW_KEY in frame.columns:
                keys = _values(self.matching(frame, Kind.IDS).select(ROW_KEY).distinct())
                known = np.union1d(self.hashes.row_keys, keys)
                self.hashes = Hashes(known, self.hashes.group_keys)

    def seen(self, files: Sequence[DataFile]) -> set[tuple[str, ...]]:
        """The customers that have rows in files with ids."""
        ids: set[tuple[str, ...]] = set()
        for batch in self._batches(files):
            rows = self._read(batch)
            values = [plain(rows, name) for name in self.customers.columns]
            keys = rows.select(*self._as_keys(values))
            table = F.broadcast(self.customers.table(self.spark))
            theirs = keys.join(table, on=self.customers.keys, how="left_semi").distinct()
            ids |= {tuple(row) for row in theirs.collect()}  # at most all of the customers
        return ids

    def count(self, files: Sequence[DataFile]) -> dict[Path, int]:
        """The customers' rows in each file that has some."""
        counts: dict[Path, int] = {}
        for batch in self._batches(files):
            frame = self._read(batch).withColumn(_FILE, F.col("_metadata.file_path"))
            rows = self.matching(frame, batch[0].kind).groupBy(_FILE).count()
            for name, count in rows.collect():  # a row for each file
                counts[Path(unquote(urlsplit(name).path))] = count
        return counts

    def without(self, rows: DataFrame, kind: Kind) -> DataFrame:
        """The rows of everybody else."""
        return self._joined(rows, kind, "left_anti")

    def matching(self, rows: DataFrame, kind: Kind) -> DataFrame:
        """The customers' rows."""
        return self._joined(rows, kind, "left_semi")

    def _joined(self, rows: DataFrame, kind: Kind, how: str) -> DataFrame:
        if kind is Kind.TEXT:
            theirs = F.broadcast(self._texts(rows))
            return rows.join(theirs, on="row", how=how).select(rows.columns)
        if kind is Kind.HASHES:
            return self._joined_by_hash(rows, how)
        table = self.customers.table(self.spark)
        keys = zip(self.customers.columns, self.customers.keys, strict=True)
        same = [plain(rows, name) == table[key] for name, key in keys]
        return rows.join(F.broadcast(table), on=reduce(and_, same), how=how)

    def _joined_by_hash(self, rows: DataFrame, how: str) -> DataFrame:
        """Rows by either hash, as two joins that Spark can hash."""
        tables = [
            F.broadcast(self.spark.createDataFrame([(int(key),) for key in keys], f"{name} long"))
            for name, keys in (
                (ROW_KEY, self.hashes.row_keys),
                (GROUP_KEY, self.hashes.group_keys),
            )
        ]
        by_row, by_group = tables
        others = rows.join(by_row, on=ROW_KEY, how="left_anti")
        if how == "left_anti":
            return others.join(by_group, on=GROUP_KEY, how="left_anti").select(rows.columns)
        theirs = rows.join(by_row, on=ROW_KEY, how="left_semi")
        more = others.join(by_group, on=GROUP_KEY, how="left_semi")
        return theirs.unionByName(more)

    def _texts(self, rows: DataFrame) -> DataFrame:
        """The bad rows, in JSON, that name a customer.

        Where a row's id is missing, or its fields stand in the wrong columns, each value counts,
        and each field of a line that could not be split.
        """
        content = F.from_json("row", "map<string,string>")
        values = [plain_value(F.element_at(content, F.lit(n))) for n in self.customers.columns]
        line = F.coalesce(F.element_at(content, F.lit(RAGGED)), F.lit(""))
        fields = F.flatten(F.array(*[F.split(line, at) for at in (r"[,;|\t]", r"[\s,;|\t:\"']+")]))
        anywhere = F.concat(F.coalesce(F.map_values(content), F.array()), fields)
        present = [value.isNotNull() & ~F.lower(value).isin(*NO_ID) for value in values]
        is_named = reduce(and_, present) & (line == "")
        table = F.broadcast(self.customers.table(self.spark))
        named = rows.where(is_named).select("row", *self._as_keys(values))
        others = rows.where(~is_named).select(
            "row", F.array_distinct(F.transform(anywhere, plain_value)).alias("_texts")
        )
        first, *rest = self.customers.keys
        theirs = others.withColumn("_text", F.explode("_texts")).join(
            table, on=F.col("_text") == F.col(first), how="inner"
        )
        for key in rest:
            theirs = theirs.where(F.array_contains("_texts", F.col(key)))
        by_columns = named.join(table, on=self.customers.keys, how="left_semi")
        return by_columns.select("row").unionByName(theirs.select("row")).distinct()

    def _as_keys(self, values: Sequence[Column]) -> list[Column]:
        return [value.alias(key) for value, key in zip(values, self.customers.keys, strict=True)]

    def _batches(self, files: Sequence[DataFile]) -> Iterator[list[DataFile]]:
        """Files that one job can read: of one kind, and of the same types."""
        groups: dict[tuple[Kind, str], list[DataFile]] = defaultdict(list)
        for file in files:
            if file.kind in (Kind.IDS, Kind.HASHES, Kind.TEXT):
                groups[file.kind, file.types].append(file)
        for group in groups.values():
            for start in range(0, len(group), _FILES):
                yield group[start : start + _FILES]

    def _read(self, files: Sequence[DataFile]) -> DataFrame:
        return self.spark.read.parquet(*[uri(file.path) for file in files])


def _values(rows: DataFrame) -> np.ndarray:
    """A column of whole numbers, int64 [N]: as many as the customers have rows."""
    return np.array([row[0] for row in rows.collect()], np.int64)
