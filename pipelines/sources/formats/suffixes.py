"""Tells a table's format from the names of its files."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from optdist.config.tables import TableConfig
from optdist.errors import DataError
from pipelines.sources.formats.folders import refuse_table_formats
from pipelines.sources.formats.paths import list_files, resolve_path

DEFAULT = "parquet"
_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".parq": "parquet",
    ".pq": "parquet",
}
_PACKED = {".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate", ".zip", ".xz"}


def format_of(name: str, table: TableConfig) -> str:
    """The format that a table gives, or that of its files' names if it gives none but `parquet`.

    A file that begins as Parquet does is Parquet, whatever its name.

    Args:
        name: the table's name, for errors.
        table: the table's settings.

    Raises:
        DataError: the files' names say different formats, or belong to a table format.
    """
    if table.format != DEFAULT:
        return table.format
    path = resolve_path(table.path)
    if "://" in path:
        return _FORMATS.get(suffix(urlsplit(path).path), DEFAULT)
    if not Path(path).exists():
        return DEFAULT  # whose reader says so
    files: dict[str, Path] = {}
    for file in list_files(path, table.options):
        files.setdefault(_format_of_file(file), file)
    if len(files) > 1:
        refuse_table_formats(path)  # whose metadata are files of another format
        one, other, *_ = files.values()
        raise DataError(
            f"The table {name} has files of different formats: {one} and {other}. Remove those "
            f"that do not belong to it, or choose files, for example with options: "
            f'{{pathGlobFilter: "*{one.suffix}"}}.'
        )
    return next(iter(files), DEFAULT)


def suffix(path: str | Path) -> str:
    """The last suffix of a name, without that of a compression."""
    parts = [part.lower() for part in Path(path).suffixes]
    while len(parts) > 1 and parts[-1] in _PACKED:
        parts.pop()
    return parts[-1] if parts else ""


def _format_of_file(file: Path) -> str:
    by_name = _FORMATS.get(suffix(file), DEFAULT)
    if by_name == DEFAULT:
        return DEFAULT
    with file.open("rb") as content:
        return DEFAULT if content.read(4) == b"PAR1" else by_name
