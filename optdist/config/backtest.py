"""Settings of the backtest: what is measured of past scores, and what raises an alarm."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from optdist.config.limits import LimitsConfig
from optdist.config.metrics import AfterwardsMetric
from optdist.config.section import ColumnName, Positive, Section

Budget = Annotated[float, Field(gt=0)]


class BacktestConfig(Section):
    """Published scores against what customers then spent (`jobs/backtest.py`)."""

    alarms: dict[AfterwardsMetric, LimitsConfig] = Field(
        default={},
        description="Limits on the metrics of each score date, by name; a date outside them raises "
        "an alarm",
    )
    alarm_dates: Positive | None = Field(
        default=None,
        description="Only the newest of the dates that are measured may raise an alarm, so many of "
        "them; null: all [dates]",
    )
    max_dates: Positive = Field(
        default=24,
        description="How many published dates are measured where none is asked for, the newest "
        "[dates]",
    )
    budgets: Annotated[list[Budget], Field(min_length=1)] = Field(
        default=[0.01, 0.05, 0.1, 0.2],
        description="How many customers a campaign targets: numbers from 1 on, or shares of the "
        "scored customers below 1 [customers or share]",
    )
    return_days: Annotated[list[Positive], Field(min_length=1)] = Field(
        default=[7, 14, 30],
        description="After how many days the return of targeted customers is taken in the "
        "simulation of Table 4 [days]",
    )
    segments: list[ColumnName] | None = Field(
        default=None,
        description="Categorical features by which predicted and realised totals are compared; "
        "null: the first one; []: none",
    )
    resamples: Positive = Field(
        default=200,
        description="Resamples of the customers behind intervals, and splits in the simulation of "
        "Table 4",
    )
    max_rows: Positive = Field(
        default=1_000_000,
        description="Rows of a date that come to the driver, about 100 bytes each; of more, the "
        "customers are drawn by a hash of their key [rows]",
    )
