"""Settings of the rule by which a challenger becomes champion."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from optdist.config.limits import LimitsConfig
from optdist.config.metrics import ComparedMetric, GateMetric
from optdist.config.section import Positive, Section

Count = Annotated[int, Field(ge=0)]


class PromotionConfig(Section):
    """When a challenger becomes champion."""

    split: Literal["test", "out_of_time"] = Field(
        default="test",
        description="Rows that decide: the test entities, or the newest dates (`split.by: time`)",
    )
    metric: ComparedMetric = Field(
        default="normalized_gini",
        description="Metric that compares challenger and champion on the same rows",
    )
    min_improvement: float = Field(
        default=0.0, description="Gain that the challenger must exceed, in the metric's unit"
    )
    confidence: float = Field(
        default=0.9,
        ge=0.5,
        lt=1,
        description="Share of resamples of the test entities in which the gain must exceed "
        "`min_improvement` (paired bootstrap); 0.5 is about the plain comparison, with which "
        "equal models replace each other half of the time (docs/choices.md)",
    )
    resamples: Positive = Field(
        default=500, description="Number of resamples of the paired bootstrap"
    )
    min_rows: Count = Field(
        default=0, description="Fewest rows that may decide, of `promotion.split` [rows]"
    )
    min_positives: Count = Field(
        default=0, description="Fewest of these rows that have a positive label [rows]"
    )
    gates: dict[GateMetric, LimitsConfig] = Field(
        default={},
        description="Limits on the challenger's metrics on the rows that decide, by name; also for "
        "a first champion",
    )
    out_of_time_gates: dict[GateMetric, LimitsConfig] = Field(
        default={},
        description="Limits on its metrics on the newest dates, whichever rows decide; they need "
        "`split.by: time`",
    )

    allow_open_alarms: bool = Field(
        default=False,
        description="Promote also a version whose training input failed a check of the gate that "
        "somebody accepted",
    )

    @property
    def of_newest_dates(self) -> Self:
        """The rule whose rows are the newest dates, and whose gates those on them."""
        return self.model_copy(update={"split": "out_of_time", "gates": self.out_of_time_gates})

    @property
    def reads_out_of_time(self) -> bool:
        """Whether the newest dates must be held out."""
        return self.split == "out_of_time" or bool(self.out_of_time_gates)
