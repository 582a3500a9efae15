"""Writes, reads and finishes a feature table: encoded Parquet splits, schema and manifest."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from optdist.data.schema import FeatureSchema, first_problem
from optdist.errors import DataError
from optdist.files import sha256_of, write_json
from optdist.sums import file_sums, json_digest

SPLITS = ("train", "validation", "test")
OUT_OF_TIME = "out_of_time"  # the newest dates, where `split.by` is time
EVERY_SPLIT = (*SPLITS, OUT_OF_TIME)
_MANIFEST, _SCHEMA, _QUARANTINE = "manifest.json", "schema.json", "quarantine"
_SAMPLES, _ENCODED, _PARQUET = "samples", "encoded", "*.parquet"
_REPORT, _PAGE, _PROFILE = "report.json", "report.html", "profile.json"


class _Record(BaseModel):
    # a table that a newer version wrote may have more fields
    model_config = ConfigDict(extra="ignore", frozen=True)


class SplitFile(_Record):
    """An encoded Parquet file of one row group."""

    name: str
    rows: int


class SplitManifest(_Record):
    """The encoded files of a split."""

    files: list[SplitFile]
    rows: int


class JoinMatch(_Record):
    """How many rows found a partner in a join, and what is to be said about it."""

    table: str
    by: list[str]
    rows: int  # events, or samples
    matched: int
    valid_from: str | None = None  # of a join as of what was known at a sample's cut
    note: str | None = None  # of a plain join: the table may change over time


class Manifest(_Record):
    """The description of a finished table."""

    fingerprint: str  # of what decides the content; the folder's name
    dataset: str
    as_of: str | None = None  # the last day of data that was used; None: all data
    last_event: str | None = None  # the newest event's day; None: not known, or no events
    out_of_time_from: str | None = None  # the first day that is held out; None: none is
    counts: dict[
        str, int
    ]  # rows: samples, each split, SPLIT_positive, quarantined, incomplete, ...
    splits: dict[str, SplitManifest]
    imputed: dict[str, int] = {}  # numbers missing where training had none, by feature
    types: dict[str, dict[str, str]] = {}  # table -> column -> type that its text was read as
    versions: dict[str, int] = {}  # table -> its version that was read, where it has one
    joins: list[JoinMatch] = []
    history_sql: str | None = None  # of the features from before the cut; None: there are none
    warnings: list[str] = []  # of the data report's leak audit
    forgotten: dict[str, int] = {}  # rows of forgotten customers, taken out since, by split
    seconds: float | None = None  # that the build took
    sums: dict[str, str] = {}  # SHA-256 of schema, encoded files and this record; older: none
    written: dict[str, Any] = {}  # the settings behind the fingerprint, secrets as written


@dataclass(frozen=True)
class _Folders:
    """The names of files and folders in a table."""

    path: Path

    @property
    def samples(self) -> Path:
        """The folder of raw samples, partitioned by split."""
        return self.path / _SAMPLES

    @property
    def quarantine(self) -> Path:
        """The folder of bad rows, with their reasons."""
        return self.path / _QUARANTINE

    @property
    def report(self) -> Path:
        """The statistics of the data report; an older table, or one that failed, has none."""
        return self.path / _REPORT

    @property
    def page(self) -> Path:
        """The data report as a page, where it could be drawn."""
        return self.path / _PAGE

    @property
    def profile(self) -> Path:
        """What later deliveries are compared with; a table of an older optdist has none."""
        return self.path / _PROFILE

    def samples_path(self, split: str) -> Path:
        """The folder of a split's raw samples."""
        return self.samples / f"split={split}"

    def split_path(self, split: str) -> Path:
        """The folder of a split's encoded Parquet files."""
        return self.path / _ENCODED / split


@dataclass(frozen=True)
class FeatureTable(_Folders):
    """A finished feature table; its files no longer change."""

    manifest: Manifest
    schema: FeatureSchema

    @staticmethod
    def create(path: str | Path) -> UnfinishedTable:
        """Start a table, and remove what an interrupted build left in the folder."""
        path = Path(path)
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return UnfinishedTable(path)

    @staticmethod
    def is_finished(path: Path) -> bool:
        """Whether a folder holds a finished table; its manifest is written last."""
        return (path / _MANIFEST).exists()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Read a finished table.

        Raises:
            DataError: there is no finished table in the folder, or manifest or schema are damaged.
        """
        path = Path(path)
        try:
            content = json.loads((path / _MANIFEST).read_text())
            manifest = Manifest.model_validate(content)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path} is not a finished feature table ({first_problem(error)}). Run "
                f"jobs/build_features.py."
            ) from error
        _require_sum(path / _MANIFEST, manifest.sums.get(_MANIFEST), _manifest_sum(content))
        schema = FeatureSchema.load(path / _SCHEMA)
        _require_sum(path / _SCHEMA, manifest.sums.get(_SCHEMA), sha256_of(path / _SCHEMA))
        return cls(path, manifest, schema)

    @classmethod
    def open_and_mark(cls, path: Path) -> Self:
        """Read a finished table and renew its folder's time, so that cleaning leaves it."""
        table = cls.open(path)
        table.mark()
        return table

    def mark(self) -> None:
        """Renew the folder's time, so that cleaning leaves it: a job uses the table now."""
        with suppress(OSError):  # another user's
            os.utime(self.path)

    def split_files(self, split: str) -> list[SplitFile]:
        """The files of a split, one row group each."""
        return self.manifest.splits[split].files

    def check_files(self, split: str, names: Iterable[str]) -> None:
        """Compare encoded files with the sums that the build wrote: no byte has changed since.

        A process reads a file for this once, unless the file's time or size changes. A table of an
        older version has no sums.

        Args:
            split: the files' split.
            names: the files' names.

        Raises:
            DataError: a file is damaged.
        """
        for name in names:
            file = self.split_path(split) / name
            expected = self.manifest.sums.get(file.relative_to(self.path).as_posix())
            if expected is not None:
                status = file.stat()
                _require_sum(file, expected, _sum_of(file, status.st_size, status.st_mtime_ns))

    def read(self, split: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A split's encoded rows in memory, all columns or some.

        Raises:
            DataError: a file is damaged.
        """
        self.check_files(split, [file.name for file in self.split_files(split)])
        files = [self.split_path(split) / file.name for file in self.split_files(split)]
        names = None if columns is None else list(columns)
        return pa.concat_tables([pq.ParquetFile(file).read(columns=names) for file in files])

    def read_samples(self, split: str, columns: Sequence[str], rows: int) -> pa.Table:
        """Raw samples of a split in memory.

        Args:
            split: "train", "validation", "test" or "out_of_time".
            columns: which columns.
            rows: how many at most; files are read until there are enough.
        """
        parts: list[pa.Table] = []
        for file in sorted(self.samples_path(split).glob(_PARQUET)):
            parts.append(pq.ParquetFile(file).read(columns=list(columns)))
            if sum(map(len, parts)) >= rows:
                break
        return pa.concat_tables(parts).slice(0, rows).combine_chunks()


@dataclass(frozen=True)
class UnfinishedTable(_Folders):
    """A feature table that is being written: samples, schema, encoded splits, then `finish`."""

    def write_schema(self, schema: FeatureSchema) -> None:
        """Keep the schema that the splits are encoded with."""
        schema.save(self.path / _SCHEMA)

    def share_samples(self, other: FeatureTable) -> None:
        """Use another table's raw samples."""
        self.samples.symlink_to(other.samples.resolve())

    def write_split(self, split: str, rows: pa.Table, groups: int) -> None:
        """Write a split's encoded rows.

        Args:
            split: "train", "validation" or "test".
            rows: the encoded rows.
            groups: the number of files of near-equal size, one row group each; no file is empty.
        """
        folder = self.split_path(split)
        folder.mkdir(parents=True)
        edges = np.linspace(0, len(rows), min(len(rows), groups) + 1).astype(int)
        for i, (low, high) in enumerate(pairwise(edges)):
            pq.write_table(rows.slice(low, high - low), folder / f"part-{i:05d}.parquet")

    def split_manifest(self, split: str) -> SplitManifest:
        """Describe the files of a split's folder.

        Raises:
            DataError: a file does not have exactly one row group.
        """
        files = []
        for file in sorted(self.split_path(split).glob(_PARQUET)):
            metadata = pq.ParquetFile(file).metadata
            if metadata.num_row_groups != 1:
                raise DataError(
                    f"{file} has {metadata.num_row_groups} row groups and must have one. Lower "
                    f"build.rows_per_group."
                )
            files.append(SplitFile(name=file.name, rows=metadata.num_rows))
        return SplitManifest(files=files, rows=sum(file.rows for file in files))

    def finish(self, counts: Mapping[str, int], **about: Any) -> FeatureTable:
        """Write the manifest, which makes the table a finished one.

        Args:
            counts: numbers of rows, by split and whatever else was counted.
            about: the manifest's other fields, except `splits`, which is read from the files.

        Raises:
            DataError: a split's files do not have the number of rows in `counts`.
        """
        splits = {split: self.split_manifest(split) for split in EVERY_SPLIT if split in counts}
        for split, written in splits.items():
            if written.rows != counts[split]:
                raise DataError(f"{split}: {counts[split]} samples, {written.rows} encoded rows.")
        manifest = Manifest(counts=dict(counts), splits=splits, sums=self._sums(splits), **about)
        content = manifest.model_dump(mode="json")
        content["sums"][_MANIFEST] = _manifest_sum(content)
        write_json(self.path / _MANIFEST, content)
        return FeatureTable.open(self.path)

    def _sums(self, splits: Mapping[str, SplitManifest]) -> dict[str, str]:
        """The SHA-256 of schema and encoded files."""
        files = [self.path / _SCHEMA]
        files += [self.split_path(s) / file.name for s in splits for file in splits[s].files]
        return file_sums(self.path, files)


@lru_cache(maxsize=65_536)
def _sum_of(file: Path, size: int, mtime_ns: int) -> str:
    """A file's SHA-256; size and time say whether it is still the one that was read."""
    return sha256_of(file)


def _manifest_sum(content: Mapping[str, Any]) -> str:
    """The SHA-256 of a manifest's JSON without this sum itself, whatever its layout."""
    sums = {name: text for name, text in content.get("sums", {}).items() if name != _MANIFEST}
    return json_digest({**content, "sums": sums})


def _require_sum(file: Path, expected: str | None, actual: str) -> None:
    if expected not in (None, actual):
        raise DataError(
            f"{file} is damaged: its content is not what the build wrote. Remove the feature "
            f"table's folder and build it again."
        )
