"""Checks the statistics of one aggregation against limits from the configuration.

A check is a function `(statistics, limits) -> reason | None`. Those of one place are evaluated
together, so that one error lists every reason, each with the value found and the value allowed:

    enforce(statistics, [(Within("rows"), limits), ...], "Nothing was published.")

A new check is a function, or a `Within` where the statistic itself has limits; nothing else has to
know of it. Limits that stand in conf by the statistic's name need `within(limits)` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from optdist.config import LimitsConfig
from optdist.errors import CheckError

Statistics = Mapping[str, Any]


class Check(Protocol):
    """A check of statistics against limits."""

    def __call__(self, statistics: Statistics, limits: LimitsConfig) -> str | None:
        """Why the statistics are outside the limits, with both numbers; None where they are not.

        Args:
            statistics: names and values, usually one row of an aggregation.
            limits: what is allowed.
        """


Constraint = tuple[Check, LimitsConfig]


@dataclass(frozen=True)
class Within:
    """One statistic is a number within its limits.

    Args:
        statistic: its name.
        title: what messages call it; its name where none is given.
        setting: what sets the limits, for messages.
        digits: significant digits in messages.
    """

    statistic: str
    title: str = ""
    setting: str = ""
    digits: int = 6

    def __call__(self, statistics: Statistics, limits: LimitsConfig) -> str | None:
        """The reason, or None."""
        title, rule = self.title or self.statistic, self.setting or "the check"
        value = statistics.get(self.statistic)
        if value is None:
            return f"{title} was not measured; {rule} requires {limits}"
        if limits.contain(float(value)):
            return None
        return f"{title} is {value:,.{self.digits}g}; {rule} requires {limits}"


def within(limits: Mapping[str, LimitsConfig], setting: str = "") -> list[Constraint]:
    """A check of each statistic that has limits in a configuration.

    Args:
        limits: by the statistic's name.
        setting: the setting that holds them, for messages.
    """
    prefix = f"{setting}." if setting else ""
    return [(Within(name, setting=f"{prefix}{name}"), limit) for name, limit in limits.items()]


def failures(statistics: Statistics, checks: Iterable[Constraint]) -> list[str]:
    """The reasons of all checks that fail, in their order."""
    reasons = (check(statistics, limits) for check, limits in checks)
    return [reason for reason in reasons if reason is not None]


def enforce(statistics: Statistics, checks: Iterable[Constraint], otherwise: str = "") -> None:
    """Raise one error for all checks that fail.

    Args:
        statistics: the values of one aggregation.
        checks: each with its limits.
        otherwise: a sentence that says what did not happen, and what to do.

    Raises:
        CheckError: with every reason.
    """
    reasons = failures(statistics, checks)
    if reasons:
        raise CheckError(reasons, otherwise)
