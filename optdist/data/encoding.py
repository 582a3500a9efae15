"""Encodes raw feature columns, in the same way for the feature job and for scoring.

Works on Arrow columns, so that a nullable integer never turns into a float on the way.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from optdist.data.schema import (
    FIRST_ID,
    MISSING_ID,
    UNKNOWN_ID,
    CategoricalFeature,
    FeatureSchema,
    encoded_name,
)
from optdist.errors import DataError

Batch: TypeAlias = Any  # pa.RecordBatch, pa.Table or pd.DataFrame


def encode(batch: Batch, schema: FeatureSchema) -> dict[str, np.ndarray]:
    """Encode raw columns.

    Args:
        batch: B rows with at least `schema.raw_columns`.
        schema: vocabularies and moments of the training split.

    Returns:
        One [B] array per encoded column: int32 ids, float32 z-scores, float32 indicators (0 or 1).

    Raises:
        DataError: a column is missing, or a numeric column contains a non-numeric value.
    """
    table = table_columns(batch, schema.raw_columns)
    ids = {encoded_name("cat", f.name): _ids(table[f.name], f) for f in schema.categorical}
    scores, indicators = {}, {}
    for feature in schema.numeric:
        value = log_transform(read_numbers(table[feature.name], feature.name), feature.log1p)
        missing = np.isnan(value)
        z = (value - feature.mean) / feature.std
        scores[encoded_name("num", feature.name)] = np.where(missing, 0.0, z).astype(np.float32)
        if feature.indicator:
            indicators[encoded_name("missing", feature.name)] = missing.astype(np.float32)
    return ids | scores | indicators


def table_columns(batch: Batch, columns: list[str]) -> dict[str, pa.Array]:
    """Columns of a batch as Arrow arrays.

    Raises:
        DataError: a column is missing.
    """
    names = list(batch.columns) if isinstance(batch, pd.DataFrame) else batch.schema.names
    missing = [name for name in columns if name not in names]
    if missing:
        raise DataError(
            f"The table lacks the columns {', '.join(missing)}. "
            f"Found: {', '.join(map(str, names))}."
        )
    if isinstance(batch, pd.DataFrame):
        return {name: pa.array(batch[name], from_pandas=True) for name in columns}
    table = {name: batch.column(name) for name in columns}
    return {
        name: column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        for name, column in table.items()
    }


def category_text(column: pa.Array) -> pa.Array:
    """The canonical text of categories: 5, 5.0 and "5" agree."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
        whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 2.0**63))
        if pc.all(whole).as_py() is not False:
            return pc.cast(pc.cast(column, pa.int64()), pa.string())
        as_int = pc.cast(pc.cast(pc.if_else(whole, column, None), pa.int64()), pa.string())
        return pc.coalesce(as_int, pc.cast(column, pa.string()))
    return pc.cast(column, pa.string())


def read_numbers(column: pa.Array, name: str) -> np.ndarray:
    """A numeric column as float64 [B], NaN where a value is missing or infinite.

    Raises:
        DataError: a value is not a number; the message shows only its form.
    """
    try:
        value = pc.cast(column, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"The numeric column {name} contains a non-numeric value{_example(column)}."
        ) from error
    value = value.to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isinf(value), np.nan, value)


def log_transform(value: np.ndarray, log1p: bool) -> np.ndarray:
    """sign(x) * log(1 + |x|) with `log1p`, else x."""
    return np.sign(value) * np.log1p(np.abs(value)) if log1p else value


def value_form(text: str) -> str:
    """A value's form without its content: each digit as 9, each letter as a."""
    return "".join("9" if c.isdigit() else "a" if c.isalpha() else c for c in text)


def _example(column: pa.Array) -> str:
    """The form of the first value that is not a number, or the column's type."""
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return f": its type is {column.type}"
    for text in column.drop_null().to_pylist():
        try:
            pa.scalar(text).cast(pa.float64())
        except pa.ArrowInvalid:
            return f" of the form {value_form(text)!r}"
    return ""


def _ids(column: pa.Array, feature: CategoricalFeature) -> np.ndarray:
    text = category_text(column)
    place = pc.index_in(text, value_set=pa.array(feature.vocabulary, pa.string()))
    ids = pc.fill_null(pc.add(place, FIRST_ID), UNKNOWN_ID)
    ids = pc.if_else(pc.is_null(text), MISSING_ID, ids)
    return ids.to_numpy(zero_copy_only=False).astype(np.int32)
