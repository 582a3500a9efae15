"""Defines what a check of the gate finds: a value, what is allowed, and what it was before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from optdist.config import GateConfig, LimitsConfig

TRAINING = "training"


class Finding(BaseModel):
    """One comparison by one check."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    check: str
    column: str | None = None  # a feature, a part of the id, or a period of events
    against: str | None = None  # "training" or a date; None: limits alone
    value: float
    reference: float | None = None  # the statistic's value there, where it has one
    now: float | None = None  # the same of what is checked
    limits: LimitsConfig
    what: str  # "the mean of spend moved by"
    unit: str = ""

    @property
    def passed(self) -> bool:
        """Whether the value is allowed."""
        return self.limits.contain(self.value)

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        against = f" against {self.against}" if self.against else ""
        numbers = ""
        if self.now is not None and self.reference is not None:
            numbers = f" ({self.now:,.4g}, was {self.reference:,.4g})"
        allowed = _short(self.limits)
        return f"{self.check}: {self.what} {self.value:,.4g}{unit}{against}{numbers}; {allowed}"


def failed(findings: Iterable[Finding]) -> list[Finding]:
    """The findings that are not allowed."""
    return [finding for finding in findings if not finding.passed]


def checks_of(findings: Iterable[Finding]) -> list[str]:
    """The names of the checks, each once, in the order of the settings."""
    names = {finding.check for finding in findings}
    return [name for name in GateConfig.names() if name in names]


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    """For each check its findings, those farthest beyond their limits first."""
    order = GateConfig.names()
    return sorted(findings, key=lambda f: (order.index(f.check), -_excess(f)))


def in_short(findings: Sequence[Finding], most: int = 3) -> Iterator[str]:
    """A text for each check that failed: its worst findings, and how many more there are.

    Args:
        findings: the failed ones.
        most: how many of one check are written out.
    """
    ordered = worst_first(findings)
    for name in checks_of(findings):
        own = [finding for finding in ordered if finding.check == name]
        rest = len(own) - most
        more = f" (and {rest:,} more like it)" if rest > 0 else ""
        first, *others = own[:most]
        texts = [str(first), *(str(o).removeprefix(f"{name}: ") for o in others)]
        yield ", ".join(texts) + more


def widened(limits: LimitsConfig, by: float) -> LimitsConfig:
    """Limits of a distance with more room above.

    Args:
        limits: from the settings.
        by: how much more, in the same unit.
    """
    if limits.max is None:
        return limits
    return LimitsConfig(min=limits.min, max=limits.max + by)


def stretched(limits: LimitsConfig, factor: float) -> LimitsConfig:
    """Limits of a ratio with more room on both sides.

    Args:
        limits: from the settings.
        factor: how many times as far from 1 they may be, >= 1.
    """
    low = None if limits.min is None else limits.min / factor
    return LimitsConfig(min=low, max=None if limits.max is None else limits.max * factor)


def _excess(finding: Finding) -> float:
    """How far a value is beyond its limits, in units of the limit."""
    low, high = finding.limits.min, finding.limits.max
    if high is not None and finding.value > high:
        return (finding.value - high) / max(abs(high), 1e-6)
    if low is not None and finding.value < low:
        return (low - finding.value) / max(abs(low), 1e-6)
    return float("inf") if finding.value != finding.value else 0.0


def _short(limits: LimitsConfig) -> str:
    """The limits in a few digits."""
    if limits.min is not None and limits.max is not None and limits.min != limits.max:
        return f"allowed {limits.min:,.4g} to {limits.max:,.4g}"
    if limits.max is not None:
        return f"allowed {limits.max:,.4g}"
    return "any allowed" if limits.min is None else f"at least {limits.min:,.4g}"
