"""Decides which columns can be categories, and from what text a category is encoded."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import types as T

from optdist.errors import DataError
from pipelines.sources.columns import column

_TEXT_OR_NUMBER = (
    T.StringType,
    T.IntegralType,
    T.BooleanType,
    T.FractionalType,
    T.DateType,
    T.NullType,
)


def categorical_text(samples: DataFrame, name: str) -> Column:
    """A categorical feature: integers and booleans as text, for pandas makes floats of null ones.

    Raises:
        DataError: the column's type has a text that differs between training and scoring.
    """
    kind = samples.schema[name].dataType
    if not isinstance(kind, _TEXT_OR_NUMBER):
        raise DataError(
            f"The categorical feature {name} is a {kind.simpleString()}, whose text differs "
            f"between training and scoring. Convert it to text in source.columns or "
            f"sample_columns."
        )
    whole = isinstance(kind, (T.IntegralType, T.BooleanType))
    return (column(name).cast("string") if whole else column(name)).alias(name)
