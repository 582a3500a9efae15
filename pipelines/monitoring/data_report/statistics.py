"""Defines what the data report says, as it is kept in the feature table's folder."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from optdist.data.feature_table import JoinMatch


class _Record(BaseModel):
    # a report that a newer version wrote may have more fields
    model_config = ConfigDict(extra="ignore", frozen=True)


class SplitStatistics(_Record):
    """Rows and labels of a split [currency]."""

    rows: int
    positives: int
    total: float
    quantiles: dict[str, float] = {}  # level -> quantile of all labels
    positive_quantiles: dict[str, float] = {}  # of the positive ones
    histogram: list[int] = []  # rows by log(1 + label): first zeros, then equal steps

    @property
    def positive_share(self) -> float:
        """The share of positive labels."""
        return self.positives / max(self.rows, 1)

    @property
    def mean(self) -> float:
        """The mean label, zeros included."""
        return self.total / max(self.rows, 1)


class PeriodStatistics(_Record):
    """Rows by split of the samples of one date, or of several from `first` to `last`."""

    first: str
    last: str
    splits: dict[str, SplitStatistics]

    @property
    def title(self) -> str:
        """The date, or the first and the last."""
        return self.first if self.first == self.last else f"{self.first} to {self.last}"

    @property
    def all(self) -> SplitStatistics:
        """The counts of all splits together."""
        splits = self.splits.values()
        return SplitStatistics(
            rows=sum(split.rows for split in splits),
            positives=sum(split.positives for split in splits),
            total=sum(split.total for split in splits),
        )


class Category(_Record):
    """The category whose rows have the largest share of positive labels."""

    text: str | None  # None: of too few rows to be named
    share: float  # the smaller one of training and held-out rows
    rows: int  # held out


class FeatureStatistics(_Record):
    """One feature; shares are by split, and of all of its rows."""

    name: str
    is_number: bool
    type: str  # Spark's
    read_as: str | None = None  # what a raw column of text was read as
    missing: dict[str, float]
    unknown: dict[str, float] = {}  # categories that the vocabulary does not have
    out_of_range: dict[str, float] = {}  # numbers below or above all of training's
    outliers: dict[str, float] = {}  # numbers far from the quartiles of training
    after_cut: dict[str, float] = {}  # dates that are not before the label's window
    clock: str | None = None  # how its values name dates
    vocabulary: int | None = None  # how many categories
    common: dict[str, int] = {}  # the most frequent categories, by training rows
    quantiles: dict[str, float] = {}  # level -> quantile of training's numbers
    auc: float | None = None  # for a positive label, of this feature alone
    gini: float | None = None  # Norm-GINI of this feature alone
    telling: Category | None = None  # None: a number, or no category has rows enough
    drift: list[float] = []  # stability index by period
    is_id: bool = False  # each entity has its own value
    looks_ahead: str | None = None  # why its expression sees what comes after the cut
    is_timeless: str | None = None  # why it cannot be told what was known at the cut

    @property
    def is_constant(self) -> bool:
        """Whether training has one value alone, missing ones included."""
        if self.missing.get("train") in (0.0, None):
            values = set(self.quantiles.values())
            return len(values) == 1 if self.is_number else self.vocabulary == 1 and not self.unknown
        return self.missing.get("train") == 1.0


class Duplicates(_Record):
    """Rows of validation and test whose content a training row has too."""

    rows: int  # of validation and test
    same_features: int
    positives: int  # with a positive label
    same_positives: int  # of them, with the features and the label of a training row
    crossing: dict[str, float] = {}  # part of the id -> share of its test values that train has


class Quarantined(_Record):
    """Rows that were not used, by reason; the example shows only the value's shape."""

    stage: str
    reason: str
    rows: int
    example: str | None
    value: float  # by a guess [currency]


class Windows(_Record):
    """The days of events, cuts and label windows of transactions."""

    first_event: str
    last_event: str
    complete_until: str
    why: str
    horizon_days: int
    incomplete: int  # samples left out, whose label window has not ended
    history: dict[str, int] = {}  # window -> days back that it reaches

    def days_known(self, first: str) -> int:
        """The days with events before the first cut, an ISO date."""
        return (dt.date.fromisoformat(first) - dt.date.fromisoformat(self.first_event)).days


class DateCount(NamedTuple):
    """The samples of a split and a day; None: samples have no day."""

    split: str
    day: dt.date | None
    rows: int
    positives: int
    total: float  # of labels [currency]
    largest: float


class Build(_Record):
    """What only the build of the table knows."""

    as_of: str | None = None  # the last day that was read; None: all
    dated: list[DateCount] = Field(default=[], exclude=True)  # samples, one row a day: not kept
    counts: dict[str, int] = {}  # of rows
    types: dict[str, dict[str, str]] = {}  # table -> column of text -> what it was read as
    joins: list[JoinMatch] = []
    quarantine: list[Quarantined] = []
    value: float | None = None  # of good events, in absolute amounts [currency]
    windows: Windows | None = None


class DataReport(_Record):
    """All of the report."""

    dataset: str
    description: str = ""
    fingerprint: str
    cut: str | None = None  # the column with a sample's day
    largest_label: float = 0.0
    splits: dict[str, SplitStatistics]
    periods: list[PeriodStatistics] = []
    features: list[FeatureStatistics]
    measured_on: list[str] = []  # the splits that AUC and Norm-GINI are of
    limits: dict[str, Any] = {}  # that the page was drawn with
    evidence: str | None = None  # why there is too little for the audit; None: there is enough
    duplicates: Duplicates
    build: Build = Build()
