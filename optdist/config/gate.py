"""Settings of the gate before publication: which checks there are, and what each allows."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from optdist.config.limits import LimitsConfig
from optdist.config.section import Section

_OFF = "Null: off"
Check = LimitsConfig | None


class GateConfig(Section):
    """The gate before publication: what may differ from training and from the last date.

    Limits come on top of what training's own dates differ by, so that a season is no fault.
    """

    enabled: bool = Field(
        default=True,
        description="Whether anything is compared before scores are published, and before a "
        "training",
    )
    learned: Annotated[float, Field(ge=0)] = Field(
        default=1.5,
        description="How many times the largest step between two neighbouring training dates (or "
        "what was usual among past weeks) is allowed on top of a check's limits; 0: limits alone",
    )

    rows: Check = Field(
        default=LimitsConfig(min=0.98),
        description=f"Rows over those of the last date. {_OFF} [ratio]",
    )
    unique_ids: Check = Field(
        default=LimitsConfig(max=0),
        description=f"Ids that are there more than once. {_OFF} [rows]",
    )
    vanished: Check = Field(
        default=LimitsConfig(max=0.01),
        description="Ids of the last date that are gone, more than `acquired_within_days` explains."
        f" {_OFF} [share]",
    )
    new_ids: Check = Field(
        default=LimitsConfig(max=0.05),
        description=f"New ids, more than the growth of history explains. {_OFF} [share of the last "
        "date's ids]",
    )
    id_form: Check = Field(
        default=LimitsConfig(max=0.05),
        description="Ids of another form (kinds of characters, leading zeros, `.0`) than before. "
        f"{_OFF} [share of the ids]",
    )
    missing: Check = Field(
        default=LimitsConfig(max=0.1),
        description=f"Difference of a column's share of missing values. {_OFF} [share]",
    )
    unknown: Check = Field(
        default=LimitsConfig(max=0.1),
        description="Difference of a category's share of unknown values. Accepted, it also lifts "
        f"`scoring.max_unknown_share`. {_OFF} [share]",
    )
    mean: Check = Field(
        default=LimitsConfig(max=0.5),
        description=f"Shift of a number's mean. {_OFF} [training's standard deviations]",
    )
    spread: Check = Field(
        default=LimitsConfig(max=0.7),
        description=f"Difference of the logarithm of a number's deviation; 0.7 is twice. {_OFF}",
    )
    quantiles: Check = Field(
        default=LimitsConfig(max=1.0),
        description="Largest shift of a number's 5, 25, 50, 75 and 95% quantiles. "
        f"{_OFF} [training's standard deviations]",
    )
    outside: Check = Field(
        default=LimitsConfig(max=0.02),
        description=f"Numbers below or above all of training's, more than before. {_OFF} [share]",
    )
    psi: Check = Field(
        default=LimitsConfig(max=0.5),
        description="Population stability index over the schema's coarse bins of a column, against "
        f"the most similar training date, and the last date. {_OFF}",
    )
    js: Check = Field(
        default=LimitsConfig(max=0.25),
        description=f"Jensen-Shannon distance over the same bins, 0 to 1. {_OFF}",
    )
    categories: Check = Field(
        default=LimitsConfig(max=0.01),
        description="Share of the last date's rows whose category is now (nearly) gone. "
        f"{_OFF} [share]",
    )
    late: Check = Field(
        default=LimitsConfig(max=0),
        description="Days since the last one with a fair number of events; as many as at the last "
        "date or usually on that weekday are allowed. "
        f"{_OFF} [days]",
    )
    missing_days: Check = Field(
        default=LimitsConfig(max=6),
        description="Days of the last four weeks without events where their weekday usually has "
        f"some, more than was usual. {_OFF} [days]",
    )
    events: Check = Field(
        default=LimitsConfig(min=0.5, max=2.0),
        description="Events a day of the last 1, 7 and 28 days over those of the eight weeks "
        f"before. {_OFF} [ratio]",
    )
    amounts: Check = Field(
        default=LimitsConfig(min=0.33, max=3.0),
        description=f"Mean absolute amount of an event, of the same days. {_OFF} [ratio]",
    )
    negatives: Check = Field(
        default=LimitsConfig(min=0.25, max=4.0),
        description="Share of events with a negative amount, last four weeks over the eight "
        f"before. {_OFF} [ratio]",
    )
    repeats: Check = Field(
        default=LimitsConfig(max=0.1),
        description="Rows of events that are there before in all columns, of any of the last 14 "
        f"days and of all, more than was usual. {_OFF} [share]",
    )
    history: Check = Field(
        default=LimitsConfig(max=0.01),
        description="Events, or their amounts, of days that the last date (at first: training) had "
        f"read already and that differ now; the last week apart. {_OFF} [share]",
    )
    score_total: Check = Field(
        default=LimitsConfig(min=0.67, max=1.5),
        description=f"Total of predictions over the last date's. {_OFF} [ratio]",
    )
    score_mean: Check = Field(
        default=LimitsConfig(min=0.33, max=3.0),
        description="Mean prediction over that of the last date and of training's test rows. "
        f"{_OFF} [ratio]",
    )
    score_quantiles: Check = Field(
        default=LimitsConfig(max=1.1),
        description="Largest difference of the logarithm of the predictions' quartiles and 95% "
        f"quantile; 0.7 is twice. {_OFF}",
    )
    migration: Check = Field(
        default=LimitsConfig(max=0.25),
        description="Known customers whose decile moved by more than two since the last date. "
        f"{_OFF} [share]",
    )
    data_age: Check = Field(
        default=LimitsConfig(),
        description="Days from the newest event to the date, next to `scoring.max_days_behind`. "
        f"{_OFF} [days]",
    )
    model_age: Check = Field(
        default=LimitsConfig(max=400),
        description=f"Days from the model's newest training event to the date. {_OFF} [days]",
    )

    @classmethod
    def names(cls) -> list[str]:
        """The names of all checks."""
        return [name for name in cls.model_fields if name not in {"enabled", "learned"}]

    def limits(self, name: str) -> LimitsConfig | None:
        """The limits of a check; None: it is off."""
        limits: LimitsConfig | None = getattr(self, name)
        return limits
