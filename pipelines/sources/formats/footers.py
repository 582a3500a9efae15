"""Reads Parquet footers: the columns of each file, and their types as Spark has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import from_arrow_type

from optdist.errors import DataError
from pipelines.sources.formats.content import explain_damage, recognize
from pipelines.sources.formats.messages import SPARK_ERRORS

EXACT = 2**53  # whole numbers up to here are exact as doubles
NANOSECONDS = {"timestamp": "nanoseconds", "timestamp_ntz": "nanoseconds_ntz"}
UNREADABLE = "unreadable "  # before the type, of a column that Spark cannot read
NULL = "null"  # of a column that has no value in a file
_PHYSICAL = {
    "BOOLEAN": "boolean",
    "INT32": "int",
    "INT64": "bigint",
    "INT96": "timestamp",
    "FLOAT": "float",
    "DOUBLE": "double",
    "BYTE_ARRAY": "binary",
    "FIXED_LEN_BYTE_ARRAY": "binary",
}
_LOGICAL = {
    "STRING": "string",
    "ENUM": "string",
    "JSON": "string",
    "DATE": "date",
    "UNKNOWN": NULL,
    "NULL": NULL,
}


@dataclass(frozen=True)
class Footer:
    """A file, and the types of its columns; a nested column has its type of Arrow."""

    file: Path
    types: dict[str, Any]
    inexact: frozenset[str]  # columns of whole numbers, some of which may be too large for a double


def read_footer(file: Path) -> Footer:
    """Read the footer of a Parquet file.

    Raises:
        DataError: the file is something else, or not whole.
    """
    try:
        with file.open("rb") as content:
            head = content.read(64)
        if not head.startswith(b"PAR1"):
            raise DataError(_explain_other_file(file, head))
        with pq.ParquetFile(file) as parquet:
            metadata, arrow = parquet.metadata, parquet.schema_arrow
    except pa.ArrowException as error:
        raise DataError(explain_damage(str(file))) from error
    except OSError as error:  # Arrow's own has no number
        reason = f"{file} cannot be read: {error.strerror}."
        raise DataError(reason if error.errno else explain_damage(str(file))) from error
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    flat = {leaf.name: i for i, leaf in enumerate(leaves) if leaf.path == leaf.name}
    types = {
        field.name: _type(leaves[flat[field.name]])
        if field.name in flat
        else _nested(field.type, [x for x in leaves if x.path.startswith(f"{field.name}.")])
        for field in arrow
    }
    large = [name for name, i in flat.items() if types[name] == "bigint" and _is_large(metadata, i)]
    return Footer(file, types, frozenset(large))


def common_type(footers: Iterable[Footer], name: str) -> Any | None:
    """The type that holds a column's values of all files exactly; None: there is none.

    Args:
        footers: the files that have the column.
        name: the column.
    """
    having = [footer for footer in footers if footer.types[name] != NULL]
    types = {str(footer.types[name]): footer.types[name] for footer in having}
    if len(types) < 2:
        return next(iter(types.values()), NULL)
    if types.keys() <= {"int", "bigint"}:
        return "bigint"
    if types.keys() <= {"int", "bigint", "float", "double"}:
        return None if any(name in footer.inexact for footer in having) else "double"
    return _common_time(set(types)) or _common_decimal(set(types))


def _common_time(types: set[str]) -> str | None:
    """Microseconds and nanoseconds of one kind of time."""
    return next((t for t, nanos in NANOSECONDS.items() if types <= {t, nanos}), None)


def _common_decimal(types: set[str]) -> str | None:
    if not all(kind.startswith("decimal(") for kind in types):
        return None
    pairs = [tuple(map(int, kind[len("decimal(") : -1].split(","))) for kind in types]
    scale = max(scale for _, scale in pairs)
    precision = max(precision - s for precision, s in pairs) + scale
    return f"decimal({precision},{scale})" if precision <= 38 else None


def _type(leaf: Any) -> str:
    """The name of the type that Spark gives to a column that is not nested."""
    kind, physical = leaf.logical_type.type, leaf.physical_type
    if kind in _LOGICAL:
        return _LOGICAL[kind]
    if kind == "DECIMAL":
        return f"decimal({leaf.precision},{leaf.scale})"
    if kind == "TIMESTAMP":
        written = leaf.logical_type.to_json()
        plain = "timestamp" if '"isAdjustedToUTC": true' in written else "timestamp_ntz"
        return NANOSECONDS[plain] if "nanoseconds" in written else plain
    if kind == "INT":
        return {"UINT_32": "bigint", "UINT_64": "decimal(20,0)"}.get(
            leaf.converted_type, _PHYSICAL[physical]
        )
    if kind in {"NONE", "UUID", "BSON"}:
        return _PHYSICAL[physical]
    return f"{UNREADABLE}{kind.lower()}"


def _nested(kind: pa.DataType, leaves: list[Any]) -> Any:
    """The type of Spark of a nested column."""
    if any(_type(leaf) in NANOSECONDS.values() for leaf in leaves):
        return f"{UNREADABLE}{kind}"
    try:
        return from_arrow_type(kind, prefer_timestamp_ntz=True)
    except SPARK_ERRORS:
        return f"{UNREADABLE}{kind}"


def _is_large(metadata: Any, index: int) -> bool:
    """Whether a column may have a number beyond `EXACT`."""
    for i in range(metadata.num_row_groups):
        statistics = metadata.row_group(i).column(index).statistics
        if statistics is None:
            return True
        if statistics.has_min_max and max(abs(statistics.min), abs(statistics.max)) > EXACT:
            return True
        if not statistics.has_min_max and statistics.num_values:
            return True
    return False


def _explain_other_file(file: Path, head: bytes) -> str:
    if not head:
        return f"{file} is empty. Remove it, or write it again."
    known = recognize(file, head)
    if known:
        return f"{file} is {known[0]}, not a Parquet file. {known[1]}"
    return (
        f"{file} is not a Parquet file. Remove it from the table's folder, or set the table's "
        f"format, such as csv."
    )
