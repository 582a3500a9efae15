"""Refuses folders that Spark's file readers would read wrongly without a word."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from pyspark.sql import SparkSession

from optdist.errors import DataError
from optdist.files import sha256_of
from pipelines.sources.formats.messages import SPARK_ERRORS
from pipelines.sources.formats.paths import explain_missing, is_hidden, list_files, lower_keys, walk

# what a folder of a table format has in it
_MARKERS = {"_delta_log": "Delta Lake", ".hoodie": "Apache Hudi"}
_LEAST_COPY = 1024  # bytes: smaller files may be a header alone, or one row
_ICEBERG = "metadata/*.metadata.json"
_ACID = re.compile(r"(base|delta|delete_delta)_\d{7,}(_.*)?")  # folders of Hive's transactions
_PAIMON = {"snapshot", "manifest", "schema"}
_HIVE, _PLACE = "Hive with transactions", "give {} as the path and set format: {}"
_REMEDIES = {
    "Delta Lake": _PLACE.format("{0}", "delta"),
    "Apache Hudi": _PLACE.format("{0}", "hudi"),
    "Apache Iceberg": _PLACE.format("{0}", "iceberg"),
    "Apache Paimon": _PLACE.format("{0}", "paimon"),
    _HIVE: "set format: table, and path to the table's name in the catalog",
}


def table_files(name: str, path: str, options: dict[str, str]) -> list[Path]:
    """The files of a table on this machine, none of which Spark would skip or misplace.

    Args:
        name: the table's name, for errors.
        path: a resolved path, no URL.
        options: the table's options.

    Raises:
        DataError: there is no file, the folder belongs to a table format such as Delta Lake, or
            Spark would skip some of its files.
    """
    if not Path(path).exists():
        raise DataError(f"{explain_missing(path)} Set dataset.source.tables.{name}.path.")
    files = list_files(path, options)
    refuse_table_formats(path)
    if Path(path).is_file() and is_hidden(Path(path).name):
        raise DataError(
            f"The table {name} cannot be read from {path}: Spark takes a file whose name begins "
            f"with {Path(path).name[0]} for hidden. Rename it."
        )
    if not files:
        raise DataError(
            f"The table {name} cannot be read from {path}: the folder has no file, or only hidden "
            f"ones (with names that begin with _ or .). Set dataset.source.tables.{name}.path."
        )
    if lower_keys(options).get("recursivefilelookup", "false").lower() != "true":
        _refuse_mixed_depths(Path(path), files)
    _refuse_copies(files)
    return files


def refuse_table_formats(path: str) -> None:
    """Refuse what is, lies in, or holds a table of Delta Lake, Hudi or Iceberg.

    Args:
        path: a resolved path, no URL.

    Raises:
        DataError: naming the table format.
    """
    root = Path(path)
    above = [root, *root.parents] if root.is_dir() else list(root.parents)
    for folder in above:
        for marker, kind in _MARKERS.items():
            if (folder / marker).exists():
                raise DataError(_explain_table_format(path, kind, marker, folder))
        if next(folder.glob(_ICEBERG), None):
            raise DataError(_explain_table_format(path, "Apache Iceberg", _ICEBERG, folder))
        if _ACID.fullmatch(folder.name):
            raise DataError(_explain_table_format(path, _HIVE, folder.name, folder.parent))
        _refuse_paimon(path, folder, [name for name in _PAIMON if (folder / name).is_dir()])
    if not root.is_dir():
        return
    for folder, folders, files in walk(root, hidden=True):
        names = [*folders, *(file.name for file in files)]
        for marker, kind in _MARKERS.items():
            if any(name.startswith(marker) for name in names):  # also .hoodie_partition_metadata
                raise DataError(_explain_table_format(path, kind, marker, folder))
        if folder.name == "metadata" and any(n.endswith(".metadata.json") for n in names):
            raise DataError(_explain_table_format(path, "Apache Iceberg", _ICEBERG, folder.parent))
        acid = next(filter(_ACID.fullmatch, folders), None)
        if acid:
            raise DataError(_explain_table_format(path, _HIVE, acid, folder))
        _refuse_paimon(path, folder, folders)


def refuse_remote_table_formats(spark: SparkSession, url: str) -> None:
    """Refuse a URL that is or lies in a table of Delta Lake, Hudi or Iceberg.

    Args:
        spark: the session, whose storage drivers look.
        url: a URL, which may have a pattern.

    Raises:
        DataError: naming the table format.
    """
    scheme, _, rest = url.partition("://")
    parts = rest.rstrip("/").split("/")
    for end in range(len(parts), 1, -1):
        folder = f"{scheme}://{'/'.join(parts[:end])}"
        for marker, kind in {**_MARKERS, _ICEBERG: "Apache Iceberg"}.items():
            if _exists(spark, f"{folder}/{marker}"):
                raise DataError(_explain_table_format(url, kind, marker, folder))


def _refuse_paimon(path: str, folder: Path, folders: Iterable[str]) -> None:
    if set(folders) >= _PAIMON:
        raise DataError(_explain_table_format(path, "Apache Paimon", "snapshot, manifest", folder))


def _explain_table_format(path: str, kind: str, marker: str, folder: Path | str) -> str:
    return (
        f"{path} belongs to a table of {kind} ({folder} has {marker}). Read as plain files, rows "
        f"that the table has deleted or replaced would count again. Export the table to Parquet "
        f"and give that folder, or {_REMEDIES[kind].format(folder)}."
    )


def _exists(spark: SparkSession, pattern: str) -> bool:
    """Whether a URL's storage has a file or folder; False where it cannot say."""
    hadoop = spark.sparkContext._jvm.org.apache.hadoop.fs
    path = hadoop.Path(pattern)
    try:
        return bool(path.getFileSystem(spark._jsc.hadoopConfiguration()).globStatus(path))
    except SPARK_ERRORS:
        return False


def _refuse_copies(files: list[Path]) -> None:
    """A file that lies in its folder twice, such as `sales (copy).csv`, would count twice."""
    alike: dict[tuple[Path, int], list[Path]] = defaultdict(list)
    for file in files:
        size = file.stat().st_size
        if size >= _LEAST_COPY:
            alike[file.parent, size].append(file)
    for (folder, _), group in alike.items():
        contents: dict[str, Path] = {}
        for file in group if len(group) > 1 else []:
            first = contents.setdefault(sha256_of(file), file)
            if first != file:
                raise DataError(
                    f"{first.name} and {file.name} in {folder} are the same, byte for byte: every "
                    f"row would count twice. Remove one of them."
                )


def _refuse_mixed_depths(root: Path, files: list[Path]) -> None:
    """Spark reads files of one depth: a folder's own, or those of column=value folders."""
    columns: dict[tuple[str, ...], Path] = {}
    for file in files:
        parts = file.relative_to(root).parent.parts
        plain = next((part for part in parts if "=" not in part), None)
        if plain is not None:
            raise DataError(
                f"{root} has a sub-folder with files, {plain}, whose name is not of the form "
                f"column=value. Give the folder that has the files, or set options: "
                f"{{recursiveFileLookup: true}} to read all files below it."
            )
        columns.setdefault(tuple(part.partition("=")[0] for part in parts), file)
    if len(columns) > 1:
        one, other, *_ = columns.values()
        raise DataError(
            f"{one} and {other} lie in folders of different columns, so that Spark would not read "
            f"both. Give all files of {root} the same column=value folders."
        )
