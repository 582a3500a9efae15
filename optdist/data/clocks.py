"""Recognises features that are points in time, and reads the days that they name."""

from __future__ import annotations

from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from optdist.data.encoding import plain_text, read_numbers
from optdist.data.schema import CategoricalFeature, NumericFeature

_DAY = r"^(19|20)\d{2}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([ T].*)?$"
_FIRST, _LAST = 7_305, 25_567  # 1990-01-01 and 2040-01-01 in days since 1970-01-01
_MOST = 0.95  # of a category's vocabulary that must be dates


class Clock(Enum):
    """How a feature's values name points in time."""

    DATE = "date"  # or text that begins with YYYY-MM-DD
    SECONDS = "seconds since 1970"
    MILLIS = "milliseconds since 1970"
    DIGITS = "YYYYMMDD"


_PER_DAY = {Clock.SECONDS: 86_400, Clock.MILLIS: 86_400_000}


def clock_of(feature: CategoricalFeature | NumericFeature) -> Clock | None:
    """How a feature's training values name points in time; None: they do not, as far as one sees.

    Counts of days, such as a spreadsheet's serial dates, look like any other number.
    """
    if isinstance(feature, NumericFeature):
        return _clock_of(raw_quantiles(feature))
    texts = pa.array(feature.vocabulary, pa.string())
    matches = pc.sum(pc.match_substring_regex(texts, _DAY)).as_py() or 0
    if matches and matches >= _MOST * len(texts):
        return Clock.DATE
    try:
        return _clock_of(np.asarray(feature.vocabulary, np.float64))
    except ValueError:
        return None


def raw_quantiles(number: NumericFeature) -> np.ndarray:
    """A number's training quantiles as values of the samples, without the log1p."""
    quantiles = np.asarray(number.quantiles, np.float64)
    if not number.log1p:
        return quantiles
    return np.asarray(np.sign(quantiles) * np.expm1(np.abs(quantiles)))


def days_of(column: pa.Array, clock: Clock) -> np.ndarray:
    """The days that values name, since 1970-01-01, float64 [B]; NaN where a value names none."""
    if clock in _PER_DAY:
        return np.floor(_numbers(column) / _PER_DAY[clock])
    if clock is Clock.DIGITS:
        return _days_of_digits(_numbers(column))
    if not pa.types.is_date(column.type) and not pa.types.is_timestamp(column.type):
        text = pc.utf8_slice_codeunits(plain_text(column), 0, 10)
        text = pc.if_else(pc.match_substring_regex(text, _DAY), text, None)
        column = pc.strptime(text, format="%Y-%m-%d", unit="s", error_is_null=True)
    days = pc.cast(pc.cast(column, pa.date32(), safe=False), pa.int32())
    return np.asarray(pc.cast(days, pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _numbers(column: pa.Array) -> np.ndarray:
    return read_numbers(column, "clock")


def _clock_of(values: np.ndarray) -> Clock | None:
    """Which clock all of some values fit, that are not all the same."""
    if len(values) < 2 or values.min() == values.max():
        return None
    for clock, unit in _PER_DAY.items():
        if _FIRST * unit <= values.min() and values.max() <= _LAST * unit:
            return clock
    with_digits = np.isfinite(_days_of_digits(np.round(values)))
    return Clock.DIGITS if with_digits.all() else None


def _days_of_digits(values: np.ndarray) -> np.ndarray:
    """Days of whole numbers such as 20240131; NaN for others."""
    with np.errstate(invalid="ignore"):
        year, month, day = values // 10_000, values // 100 % 100, values % 100
        valid = (values == np.floor(values)) & (year >= 1990) & (year <= 2040)
        valid &= (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    days = np.full(len(values), np.nan)
    months = (year[valid] - 1970) * 12 + month[valid] - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    days[valid] = first + day[valid] - 1
    return days
