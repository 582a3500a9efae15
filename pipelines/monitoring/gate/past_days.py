"""Compares the events of past days with what an earlier look at the same days saw."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np

from optdist.config import GateConfig, LimitsConfig
from optdist.data.profile import DayCount
from pipelines.monitoring.gate.days import LEAST_EVENTS, Days
from pipelines.monitoring.gate.findings import Finding, widened

SETTLED = 7  # days before the last date that may still change


def allow_as_before(findings: Sequence[Finding], before: Sequence[Finding]) -> list[Finding]:
    """The findings, where what training's own events ended with is allowed, and a tenth more.

    Args:
        findings: of `check_days` now.
        before: the same for the events that the model was trained on.
    """
    then = {(finding.check, finding.column): finding.value for finding in before}
    allowed = []
    for finding in findings:
        value, limits = then.get((finding.check, finding.column)), finding.limits
        if value is not None and not limits.contain(value):
            low = None if limits.min is None else min(limits.min, 0.9 * value)
            high = None if limits.max is None else max(limits.max, 1.1 * value)
            finding = finding.model_copy(update={"limits": LimitsConfig(min=low, max=high)})
        allowed.append(finding)
    return allowed


def check_history(
    now: Days, then: Sequence[DayCount], until: dt.date, against: str, gate: GateConfig
) -> Iterator[Finding]:
    """Compare past days with what was read of them before.

    Args:
        now: the events as they are now.
        then: the days as they were.
        until: the last day that was read then; the week before it may still have changed.
        against: the name of what was read then.
        gate: limits.
    """
    limits, settled = gate.limits("history"), until - dt.timedelta(SETTLED)
    before = Days.of(then, settled)
    if limits is None or before is None or before.events.sum() < LEAST_EVENTS:
        return
    # a delivery of the last years loses days at its start, about as many as have passed
    passed = (now.first + dt.timedelta(len(now) - 1) - until).days + SETTLED
    skipped = min(max((now.first - before.first).days, 0), max(passed, 0))
    start = before.first + dt.timedelta(skipped)
    size = (settled - start).days + 1
    if size < 1:
        return
    for name, what in (("events", "events"), ("amount", "amounts of events")):
        old = _aligned(before, name, start, size)
        new = _aligned(now, name, start, size)
        if old.sum() <= 0:
            continue
        noise = 0.005 if name == "amount" else 0.0  # amounts have three digits
        changed = float(np.abs(new - old).sum() / old.sum())
        yield Finding(
            check="history",
            column=name,
            against=against,
            value=changed,
            now=float(new.sum()),
            reference=float(old.sum()),
            limits=widened(limits, noise),
            what=f"of the {what} up to {settled}, read before, the share that differs is",
        )


def _aligned(days: Days, name: str, start: dt.date, size: int) -> np.ndarray:
    """A count of `size` days from `start` on; 0 where there is none."""
    values: np.ndarray = getattr(days, name)
    out, offset = np.zeros(size), (start - days.first).days
    low, high = max(offset, 0), min(offset + size, len(values))
    if high > low:
        out[low - offset : high - offset] = values[low:high]
    return out


def check_repeats_of_all(
    now: Days, then: Sequence[DayCount], against: str, gate: GateConfig
) -> Iterator[Finding]:
    """Compare the share of events that repeat others with what it was.

    Args:
        now: the events as they are now.
        then: the days as they were.
        against: their name.
        gate: limits.
    """
    limits = gate.limits("repeats")
    events = sum(day.events for day in then)
    if limits is None or events < LEAST_EVENTS:
        return
    usual = 1 - sum(day.distinct for day in then) / events
    value = 1 - float(now.distinct.sum()) / max(float(now.events.sum()), 1.0)
    yield Finding(
        check="repeats",
        column="all days",
        against=against,
        value=value - usual,
        now=value,
        reference=usual,
        limits=limits,
        what="the share of events that are there before in all columns grew by",
    )
