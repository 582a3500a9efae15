"""Defines the profile of some samples: what a later delivery of the same data is compared with.

A profile describes rows and shows none: counts, moments on the model's scale, counts by coarse bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from optdist.data.schema import FeatureSchema, first_problem
from optdist.errors import DataError
from optdist.files import write_json

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the quantiles of a column
SCORE_LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


class _Record(BaseModel):
    # a profile that a newer version wrote may have more fields
    model_config = ConfigDict(extra="ignore", frozen=True)


class DayCount(NamedTuple):
    """The events of one day; a profile has rounded amounts, for a day may have one event."""

    day: str
    events: int
    distinct: int  # about how many differ in any column
    negative: int  # with an amount below 0
    amount: float  # sum of absolute amounts [currency]


class ColumnProfile(_Record):
    """One feature of some rows; mean, deviation and quantiles are on the model's scale."""

    rows: int
    missing: int = 0
    unknown: int = 0  # categories that the vocabulary does not have
    outside: int = 0  # numbers below or above all of training's
    mean: float | None = None  # in training's deviations from training's mean
    std: float | None = None  # in training's deviations
    quantiles: list[float] = []  # at LEVELS, in the same unit
    shape: list[int] = []  # rows by coarse bin: missing, then the schema's

    @property
    def missing_share(self) -> float:
        """The share of rows without a value."""
        return self.missing / max(self.rows, 1)

    @property
    def unknown_share(self) -> float:
        """The share of unknown categories among the rows that have one."""
        return self.unknown / max(self.rows - self.missing, 1)

    @property
    def outside_share(self) -> float:
        """The share of numbers beyond those of training."""
        return self.outside / max(self.rows - self.missing, 1)


class PartProfile(_Record):
    """Samples of one date, or of several from `first` to `last`; None: they have no date."""

    first: str | None = None
    last: str | None = None
    rows: int = 0
    columns: dict[str, ColumnProfile] = {}
    label_mean: float | None = None  # [currency]


class ScoreProfile(_Record):
    """Predicted values of some rows [currency]."""

    rows: int
    mean: float
    quantiles: list[float]  # at SCORE_LEVELS

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """The profile of predicted values [N], N > 0."""
        quantiles = np.quantile(values, SCORE_LEVELS)
        return cls(
            rows=len(values),
            mean=float(np.mean(values)),
            quantiles=[_rounded(float(value)) for value in quantiles],
        )


class Profile(_Record):
    """What is known of samples, their events and their ids."""

    rows: int
    first_cut: str | None = None  # first and last day of the samples
    last_cut: str | None = None
    last_event: str | None = None
    whole: PartProfile
    periods: list[PartProfile] = []  # of training: by date, ascending
    days: list[DayCount] = []  # with events, ascending
    forms: dict[str, dict[str, int]] = {}  # id column -> form of its values -> rows
    lengths: dict[str, dict[str, int]] = {}  # id column -> characters -> rows
    scores: ScoreProfile | None = None  # what the model predicts for its test rows
    cluster: float = 1.0  # rows of one split key, which are alike: they are no independent evidence
    arrivals: float | None = None  # of training: new ids a day at most, where each has one sample
    from_schema: bool = False  # made of a schema alone: without shapes, events and ids

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Read what `save` wrote; None: there is none.

        Raises:
            DataError: the file is not a profile.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise DataError(f"{path} is not a readable profile: {first_problem(error)}.") from error
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def profile_of_schema(schema: FeatureSchema) -> Profile:
    """What an older package tells of its training rows: moments, quantiles, vocabularies."""
    rows = schema.label.count
    columns: dict[str, ColumnProfile] = {}
    for category in schema.categorical:
        if category.unknown_share is not None:
            unknown = round(category.unknown_share * rows)
            columns[category.name] = ColumnProfile(rows=rows, unknown=unknown)
    for number in schema.numeric:
        steps = len(number.quantiles) - 1
        values = [number.quantiles[round(level * steps)] for level in LEVELS] if steps > 0 else []
        columns[number.name] = ColumnProfile(
            rows=rows,
            mean=0.0,
            std=1.0,
            quantiles=[(value - number.mean) / number.std for value in values],
        )
    whole = PartProfile(rows=rows, columns=columns, label_mean=schema.label.mean)
    return Profile(rows=rows, whole=whole, from_schema=True)


def rounded_days(days: Sequence[DayCount]) -> list[DayCount]:
    """The days with amounts of three digits, as a profile has them."""
    return [day._replace(amount=_rounded(day.amount)) for day in days]


def _rounded(value: float) -> float:
    """A value to three digits."""
    return float(f"{value:.3g}")
