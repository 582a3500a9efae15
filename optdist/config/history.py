"""Defines the settings of features that aggregate the events before a sample's cut."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from optdist.config.section import Name, Positive, Section

Suffix = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]


class HistoryConfig(Section):
    """Aggregates over the events of `key` strictly before the sample's first day or snapshot date.

    Next to the events' columns they can use `days_before`, counted back from that day, and
    `days_since_previous`: days between a day with events of the key and the one before it, on one
    event of each day and null on the others, so that its mean and deviation are those of the gaps.
    """

    key: list[str] = Field(
        description="The columns whose events are aggregated together: often the id, or part of it."
    )
    features: dict[Name, str] = Field(
        description="Name -> Spark SQL aggregate over the events of a window; the column is "
        "`name_suffix`."
    )
    windows: dict[Suffix, Positive | tuple[Positive, Positive] | None] = Field(
        default={"all": None},
        description="Suffix -> window before the cut: a number of days, the first and last day "
        "back, both inclusive, or null for everything [days].",
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        wrong = [name for name, (low, high) in self.spans().items() if high and low > high]
        if wrong:
            raise ValueError(f"windows whose first day back is after the last: {', '.join(wrong)}")
        return self

    @property
    def columns(self) -> list[str]:
        """The names of the columns that this history adds."""
        return [f"{name}_{suffix}" for suffix in self.windows for name in self.features]

    def spans(self) -> dict[str, tuple[int, int | None]]:
        """First and last day back of each window, both inclusive; None: no end."""
        return {
            suffix: span if isinstance(span, tuple) else (1, span)
            for suffix, span in self.windows.items()
        }
