"""Decides on the findings of a gate: what fails, and what somebody has accepted."""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from optdist.config import GateConfig
from optdist.errors import ConfigError
from pipelines.monitoring.gate.findings import Finding, checks_of, failed, in_short


class Acceptance(BaseModel):
    """A failed check that somebody let pass: what it found, who, why and when."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    check: str
    findings: list[str]  # with the value, what is allowed, and both numbers
    by: str
    reason: str | None = None
    at: str  # UTC


class Verdict(BaseModel):
    """The outcome of a gate, as a manifest has it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    against: str | None = None  # the earlier date; None: training alone
    findings: int = 0  # comparisons that were made
    accepted: list[Acceptance] = []

    @property
    def checks(self) -> list[str]:
        """The names of the checks that were accepted."""
        return [acceptance.check for acceptance in self.accepted]


@dataclass(frozen=True)
class Accepting:
    """What the command line lets pass.

    Args:
        checks: their names.
        reason: why.
        by: who; the system's user where nothing else is said.
    """

    checks: tuple[str, ...] = ()
    reason: str | None = None
    by: str = ""

    def __post_init__(self) -> None:
        """Refuse names of checks that there are not."""
        unknown = [name for name in self.checks if name not in GateConfig.names()]
        if unknown:
            raise ConfigError(
                f"--accept {', '.join(unknown)} names no check of the gate. There are: "
                f"{', '.join(GateConfig.names())}."
            )

    @property
    def user(self) -> str:
        """Who accepts."""
        try:
            return self.by or getpass.getuser()
        except (OSError, KeyError):  # a container's user without a name
            return "unknown"


def flags_to_accept(checks: Sequence[str]) -> str:
    """The options of a job that let checks pass, for an error to name."""
    return " ".join([*(f"--accept {check}" for check in checks), "--accept-reason TEXT"])


def accept(
    findings: Sequence[Finding], accepting: Accepting, earlier: Sequence[Acceptance] = ()
) -> tuple[list[Finding], list[Acceptance]]:
    """Part failed findings in those that stop the job and those that are accepted.

    Args:
        findings: all of a gate's.
        accepting: what the command line lets pass.
        earlier: what was accepted for the same input and model before; it still holds.

    Returns:
        The failed findings that nobody accepted, and the acceptances of the others.
    """
    wrong = failed(findings)
    before = {acceptance.check: acceptance for acceptance in earlier}
    now = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    accepted = []
    for check in checks_of(wrong):
        if check in before:
            accepted.append(before[check])
        elif check in accepting.checks:
            own = [finding for finding in wrong if finding.check == check]
            accepted.append(
                Acceptance(
                    check=check,
                    findings=list(in_short(own, most=5)),
                    by=accepting.user,
                    reason=accepting.reason,
                    at=now,
                )
            )
    names = {acceptance.check for acceptance in accepted}
    return [finding for finding in wrong if finding.check not in names], accepted
