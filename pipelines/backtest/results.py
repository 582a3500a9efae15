"""Defines what a backtest measures, as it is kept in `backtest.json`."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import BaseModel

from optdist.evaluation.by_group import interval_of

OUT, IN, UNKNOWN = "out of sample", "in sample", "not known"
PUBLISHED, TRAINED = "published", "trained"  # who scored a date, next to a version or an alias
RULE, CHANCE = "recency-frequency", "chance"
SEED = 2024  # of resamples and splits: a backtest that is repeated gives the same figures
INTERVAL = 0.9  # the share of resamples inside each interval


class Interval(BaseModel):
    """A value and its interval over resamples of the customers."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, resampled: np.ndarray) -> Self:
        """A value with the middle `INTERVAL` of its resamples [n]."""
        low, high = interval_of(resampled, INTERVAL)
        return cls(value=float(value), low=low, high=high)


class Skipped(BaseModel):
    """A date that is not measured, or a model that did not score it."""

    run_date: str
    what: str  # such as "published"
    reason: str
    is_early: bool = False  # its label window has not ended


class Rows(BaseModel):
    """What became of the rows that were scored at a date."""

    scored: int
    ended: int = 0  # whose label window had ended by the date, so that it was known
    refunded: int = 0  # whose value is below 0: training quarantines such samples
    unlabelled: int = 0  # that a table of samples has no label of
    measured: int = 0
    zeros: int = 0  # measured, with a value of 0: nothing was bought, or all of it returned
    drawn: int = 0  # measured, and brought to the driver
    unknown: int = 0  # whose customer the events of now do not have


class Scorer(BaseModel):
    """One model's scores of a date."""

    name: str  # as it was asked for
    title: str
    version: str | None = None
    learned_until: str | None = None  # the last day that its training read
    sample: str  # OUT, IN or UNKNOWN
    missing: int = 0  # rows that it has no score of; they count as scores of 0
    predicted: float  # the total [currency]
    metrics: dict[str, float]
    intervals: dict[str, Interval] = {}  # of some metrics, for the first scorer
    held_out: dict[str, float] = {}  # metrics of test customers, where the sample is not OUT
    held_out_rows: int = 0
    quantiles: dict[str, float] = {}  # level -> share of values at or below that quantile


class Group(BaseModel):
    """Predicted and realised totals of some rows."""

    name: str
    rows: int
    predicted: float
    realised: float
    ratio: Interval | None = None  # predicted over realised


class Capture(BaseModel):
    """What a score's top customers spent."""

    value: Interval  # [currency]
    share: Interval  # of all that was spent
    gain: Interval | None = None  # of the first scorer over this one, relative


class Budget(BaseModel):
    """One budget, and what each score captures with it."""

    customers: int
    by: dict[str, Capture]
    possible: float  # what the best customers spent, as only hindsight knows


class Trial(BaseModel):
    """The simulation of Table 4: the first scorer against another one."""

    against: str
    customers: int  # that each group targets
    days: int  # after which the return is taken
    returned: float  # a targeted customer of the first scorer's group, mean over splits [currency]
    returned_against: float
    gain: Interval  # relative, over splits
    wins: float  # share of splits in which the first scorer's group returned more


class DateResult(BaseModel):
    """All that is measured of one date; the first of `scorers` is the one that alarms judge."""

    run_date: str
    window: str  # of the labels, in words
    rows: Rows
    realised: float  # total of the measured rows [currency]
    scorers: list[Scorer]
    deciles: list[Group]
    segments: dict[str, list[Group]]
    targeting: list[Budget]
    trials: list[Trial]
    alarms: list[str] = []  # reasons

    @property
    def main(self) -> Scorer:
        """The scorer that alarms judge."""
        return self.scorers[0]


class Backtest(BaseModel):
    """A whole backtest."""

    dataset: str
    description: str
    model_name: str
    by: str  # who scored, as it was asked for
    horizon_days: int | None
    data_until: str | None  # the last day on which a label window may end; None: a table of samples
    data_because: str
    limits: dict[str, str]  # metric -> allowed interval, in words
    bounds: dict[str, tuple[float | None, float | None]]  # the same as numbers
    resamples: int
    dates: list[DateResult]
    skipped: list[Skipped]
    alarming: list[str]  # dates that raise an alarm

    @property
    def alarms(self) -> list[str]:
        """The reasons of the dates that raise an alarm."""
        return [
            f"{date.run_date}: {reason}"
            for date in self.dates
            if date.run_date in self.alarming
            for reason in date.alarms
        ]
