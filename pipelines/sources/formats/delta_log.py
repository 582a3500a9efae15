"""Reads the log of a Delta table: which files, columns and deleted rows a version has."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from pyspark.sql.types import StructType

from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.paths import resolve_path

if TYPE_CHECKING:
    from deltalake import DeltaTable

_NO_PACKAGE = (
    "format: delta needs the package deltalake: run requirements/install.sh, or pip install "
    "'deltalake>=1.6,<2'."
)
# what a table may ask of its readers
_FEATURES = {
    "appendOnly",
    "columnMapping",
    "deletionVectors",
    "invariants",
    "timestampNtz",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "variantType",  # whose columns are refused
}
_MAPPING = "delta.columnMapping.mode"


@dataclass(frozen=True)
class DeltaFile:
    """A file of a version."""

    path: str  # of this machine, or a URL
    partition: Mapping[str, Any]  # column -> its value in all rows of the file


@dataclass(frozen=True)
class DeltaVersion:
    """What a version of a Delta table is made of."""

    schema: StructType  # all columns; the names in the files are in the fields' metadata
    partition_columns: list[str]
    files: list[DeltaFile]
    deleted: dict[str, np.ndarray]  # path -> a bit for each row, 1: deleted; of some files


def find_version(name: str, table: TableConfig) -> tuple[str, int]:
    """The identity of a Delta table, and the number of the version that its settings name.

    Args:
        name: the table's name in `source.tables`, for errors.
        table: path, version and options.

    Raises:
        DataError: there is no such table or version.
    """
    delta = _open(name, table)
    return str(delta.metadata().id), delta.version()


def read_version(name: str, table: TableConfig) -> DeltaVersion:
    """The content of a version.

    The driver has a bit for each row of the files that have deleted rows.

    Args:
        name: the table's name in `source.tables`, for errors.
        table: path, version and options.

    Raises:
        DataError: there is no such table or version, or it has what cannot be read rightly.
    """
    delta = _open(name, table)
    _require_known_features(name, delta)
    root = resolve_path(table.path).rstrip("/")
    columns = list(delta.metadata().partition_columns)
    added = pa.table(delta.get_add_actions())
    partitions = added["partition"].to_pylist() if columns else [{}] * len(added)
    files = [
        DeltaFile(_path(root, path), values)
        for path, values in zip(added["path"].to_pylist(), partitions, strict=True)
    ]
    _require_files(name, delta.version(), files)
    features = delta.protocol().reader_features or []
    deleted = dict(_deleted_rows(delta)) if "deletionVectors" in features else {}
    unknown = deleted.keys() - {file.path for file in files}
    if unknown:
        raise DataError(f"The table {name} deletes rows of a file that it has not: {min(unknown)}.")
    schema = StructType.fromJson(json.loads(delta.schema().to_json()))
    return DeltaVersion(schema, columns, files, deleted)


def _open(name: str, table: TableConfig) -> DeltaTable:
    """The table at its version."""
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError
    except ImportError as error:
        raise DataError(_NO_PACKAGE) from error
    path = resolve_path(table.path)
    setting = f"source.tables.{name}"
    wrong = [
        option for option in table.options if option.lower() in {"versionasof", "timestampasof"}
    ]
    if wrong:
        raise DataError(f"Set {setting}.version instead of the option {wrong[0]}.")
    if "://" not in path and not Path(path).exists():
        raise DataError(f"{path} does not exist. Set dataset.{setting}.path.")
    try:
        url = path if "://" in path else Path(path).as_uri()
        delta = DeltaTable(url, storage_options=dict(table.options) or None)
        if table.version is not None:
            _load_version(setting, delta, table.version)
        return delta
    except TableNotFoundError as error:
        raise DataError(
            f"{path} is not a Delta table: it has no _delta_log. Give the table's own folder, or "
            f"leave {setting}.format out for plain Parquet."
        ) from error
    except (DeltaError, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"The Delta table {name} cannot be read from {path}: {reason}.") from error


def _load_version(setting: str, delta: DeltaTable, version: int | str) -> None:
    newest = delta.version()
    if isinstance(version, int) or version.isdecimal():
        if not 0 <= int(version) <= newest:
            raise DataError(
                f"{setting}.version is {version}, but the table's newest version is {newest}."
            )
        delta.load_as_version(int(version))
        return
    try:
        time = dt.datetime.fromisoformat(version)
    except ValueError as error:
        raise DataError(
            f"{setting}.version must be a number, or a time such as 2024-06-30T12:00:00Z. "
            f"Received: {version!r}."
        ) from error
    time = time if time.tzinfo else time.replace(tzinfo=dt.UTC)
    commits = {commit["version"]: commit.get("timestamp", 0) for commit in delta.history()}
    delta.load_as_version(time)
    made = commits.get(delta.version(), 0)
    if made > time.timestamp() * 1000:  # the oldest is taken where all are later
        first = dt.datetime.fromtimestamp(made / 1000, dt.UTC)
        raise DataError(
            f"{setting}.version is {version}, but the oldest version is of {first:%F %T} UTC."
        )


def _require_known_features(name: str, delta: DeltaTable) -> None:
    protocol = delta.protocol()
    features = set(protocol.reader_features or []) - _FEATURES
    mode = delta.metadata().configuration.get(_MAPPING, "none")
    if mode not in {"none", "name"}:
        features.add(f"{_MAPPING}={mode}")
    if '"variant"' in delta.schema().to_json():
        features.add("columns of type variant")
    if not features and protocol.min_reader_version <= 3:
        return
    needs = ", ".join(sorted(features)) or f"readers of version {protocol.min_reader_version}"
    raise DataError(
        f"The Delta table {name} needs what is not read here: {needs}. Export it to Parquet, or "
        f"pass Delta's package to spark-submit.sh and set format: "
        f"org.apache.spark.sql.delta.sources.DeltaDataSource."
    )


def _path(root: str, written: str) -> str:
    """A file's path: the log has it relative to the table, or absolute, percent-encoded."""
    path = unquote(written)
    if "://" in path or path.startswith(("/", "file:/")):
        return resolve_path(path)
    return f"{root}/{path}"


def _require_files(name: str, version: int, files: list[DeltaFile]) -> None:
    """Raise a DataError if files of this machine are gone."""
    gone = [f.path for f in files if "://" not in f.path and not Path(f.path).exists()]
    if gone:
        raise DataError(
            f"Version {version} of the Delta table {name} cannot be read: {len(gone):,} of its "
            f"{len(files):,} files are gone, such as {gone[0]}. VACUUM removes files of older "
            f"versions; choose a newer one."
        )


def _deleted_rows(delta: DeltaTable) -> Iterator[tuple[str, np.ndarray]]:
    """Each file with deleted rows: its path, and a bit a row in words of 64, low bit first."""
    for row in pa.table(delta.deletion_vectors().read_all()).to_batches(max_chunksize=1):
        keep = row["selection_vector"].flatten().to_numpy(zero_copy_only=False)
        bits = np.packbits(~keep, bitorder="little")
        words = np.zeros(-(-len(bits) // 8) * 8, np.uint8)
        words[: len(bits)] = bits
        path = unquote(row["filepath"][0].as_py())
        yield resolve_path(path), words.view("<i8")
