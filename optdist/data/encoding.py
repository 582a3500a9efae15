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

_BOOLEANS = pa.array(["True", "TRUE", "False", "FALSE"])


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
        return {name: _as_arrow(batch[name]) for name in columns}
    table = {name: batch.column(name) for name in columns}
    return {
        name: column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        for name, column in table.items()
    }


def _as_arrow(column: pd.Series) -> pa.Array:
    """A pandas column; values of several types, as JSON rows may have them, become text."""
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        text = [
            None if missing else str(v) for v, missing in zip(column, column.isna(), strict=True)
        ]
        return pa.array(text, pa.string())


def category_text(column: pa.Array) -> pa.Array:
    """The canonical text of categories: 5, 5.0, "5" and "5.0" agree, so do true and "True"."""
    text = plain_text(column)
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    coded = text.dictionary_encode()  # each text is rewritten once
    return canonical_text(coded.dictionary).take(coded.indices)


def canonical_text(text: pa.Array) -> pa.Array:
    """Text without blanks at its end, of whole numbers without `.0`, of booleans in lower case.

    Other fractions keep their zeros, for 3.1 and 3.10 may be versions; letter case stays.
    """
    text = pc.utf8_rtrim_whitespace(text)
    text = pc.replace_substring_regex(text, r"^(-?(?:0|[1-9][0-9]*))\.0+$", r"\1")
    return pc.if_else(pc.is_in(text, value_set=_BOOLEANS), pc.utf8_lower(text), text)


def plain_text(column: pa.Array) -> pa.Array:
    """The text of categories as they stand; of whole numbers without a fraction."""
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


def count_unknown(batch: Batch, schema: FeatureSchema) -> dict[str, tuple[int, int, int]]:
    """Rows of each categorical feature: with a category, unknown, and unknown for letter case.

    Args:
        batch: rows with at least the categorical columns of `schema`.
        schema: the vocabularies.
    """
    table = table_columns(batch, [feature.name for feature in schema.categorical])
    counts = {}
    for feature in schema.categorical:
        column = table[feature.name]
        ids = _ids(column, feature)
        unknown = category_text(column).filter(pa.array(ids == UNKNOWN_ID))
        known = pc.utf8_lower(pa.array(feature.vocabulary, pa.string()))
        other_case = pc.is_in(pc.utf8_lower(unknown), value_set=known)
        same = int(pc.sum(other_case).as_py() or 0)
        counts[feature.name] = (int((ids != MISSING_ID).sum()), len(unknown), same)
    return counts


def _ids(column: pa.Array, feature: CategoricalFeature) -> np.ndarray:
    text, vocabulary = plain_text(column), pa.array(feature.vocabulary, pa.string())
    # as it stands first, for an older vocabulary may hold both 3 and 3.0
    place = pc.index_in(text, value_set=vocabulary)
    if place.null_count > text.null_count:
        canonical = pc.index_in(category_text(column), value_set=canonical_text(vocabulary))
        place = pc.coalesce(place, canonical)
    ids = pc.fill_null(pc.add(place, FIRST_ID), UNKNOWN_ID)
    ids = pc.if_else(pc.is_null(text), MISSING_ID, ids)
    return ids.to_numpy(zero_copy_only=False).astype(np.int32)
