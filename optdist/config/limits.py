"""Defines the setting for the interval that a statistic must lie in."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from optdist.config.section import Section


class LimitsConfig(Section):
    """The allowed interval of one statistic, both ends included."""

    min: float | None = Field(default=None, description="Smallest allowed value; null for none")
    max: float | None = Field(default=None, description="Largest allowed value; null for none")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self

    def contain(self, value: float) -> bool:
        """Whether a value is allowed; NaN never is."""
        low = float("-inf") if self.min is None else self.min
        high = float("inf") if self.max is None else self.max
        return low <= value <= high

    def __str__(self) -> str:
        if self.min is None and self.max is None:
            return "any number"
        if self.max is None:
            return f"at least {self.min:,.12g}"
        if self.min is None:
            return f"at most {self.max:,.12g}"
        if self.min == self.max:
            return f"exactly {self.min:,.12g}"
        return f"between {self.min:,.12g} and {self.max:,.12g}"
