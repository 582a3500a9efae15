"""Refuses folders that Spark's file readers would read wrongly without a word."""

from __future__ import annotations

from collections import defaultdict
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
_FORMATS = {"Delta Lake": "delta", "Apache Hudi": "hudi", "Apache Iceberg": "iceberg"}


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
        for marker in _MARKERS:
            if (folder / marker).exists():
                raise DataError(_explain_table_format(path, marker, str(folder)))
        if next(folder.glob(_ICEBERG), None):
            raise DataError(_explain_table_format(path, _ICEBERG, str(folder)))
    if not root.is_dir():
        return
    for folder, folders, files in walk(root, hidden=True):
        names = [*folders, *(file.name for file in files)]
        for marker in _MARKERS:
            if any(name.startswith(marker) for name in names):  # also .hoodie_partition_metadata
                raise DataError(_explain_table_format(path, marker, str(folder)))
        if folder.name == "metadata" and any(n.endswith(".metadata.json") for n in names):
            raise DataError(_explain_table_format(path, _ICEBERG, str(folder.parent)))


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
        for marker in (*_MARKERS, _ICEBERG):
            if _exists(spark, f"{folder}/{marker}"):
                raise DataError(_explain_table_format(url, marker, folder))


def _explain_table_format(path: str, marker: str, folder: str) -> str:
    name = _MARKERS.get(marker, "Apache Iceberg")
    return (
        f"{path} belongs to a table of {name} ({folder} has {marker}). Read as plain files, rows "
        f"that the table has deleted or replaced would count again. Export the table to Parquet "
        f"and give that folder, or give {folder} as the path and set format: {_FORMATS[name]}."
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
