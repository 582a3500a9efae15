"""Applies the promotion rule: gates on the challenger, then a confident gain over the champion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, TypeAdapter

from optdist.config import LimitsConfig, PromotionConfig
from optdist.config.metrics import METRICS, Metric
from optdist.data.feature_table import OUT_OF_TIME
from pipelines.checks import Statistics, Within, failures


class Gate(BaseModel):
    """What a gate found of a version."""

    title: str
    value: float | None  # None: it was not measured
    limits: str
    passed: bool


class Decision(BaseModel):
    """Whether a version became champion, and why."""

    promoted: bool
    reason: str
    gates: list[Gate] = []


@dataclass(frozen=True)
class Improvement:
    """A check that the challenger gains more than a margin on enough of the resamples.

    Args:
        metric: the metric that is compared.
        margin: the gain to exceed, in the metric's unit.
        champion: the champion's version.
    """

    metric: Metric
    margin: float
    champion: str

    def __call__(self, statistics: Statistics, limits: LimitsConfig) -> str | None:
        """The comparison, where the share of resamples is outside the limits."""
        if limits.contain(statistics["confidence"]):
            return None
        return self.comparison(statistics, limits)

    def comparison(self, statistics: Statistics, limits: LimitsConfig) -> str:
        """Both metrics, the gain and its confidence as a sentence."""
        new, old = statistics["challenger"], statistics["champion"]
        return (
            f"{self.metric.title} {new:.4f} against {old:.4f} of champion version {self.champion} "
            f"on the same rows; gain {self.metric.sign * (new - old):+.4f}, above {self.margin:g} "
            f"in {statistics['confidence']:.1%} of the resamples; promotion.confidence requires "
            f"{limits.min:.0%}"
        )


_GATES = TypeAdapter(list[Gate])


def dump_gates(gates: list[Gate]) -> str:
    """What the gates found, as a version's tag keeps it."""
    return _GATES.dump_json(gates).decode()


def load_gates(text: str) -> list[Gate]:
    """What `dump_gates` wrote."""
    return _GATES.validate_json(text)


def gate_checks(rule: PromotionConfig) -> Iterator[tuple[Within, LimitsConfig]]:
    """The rule's gates; any metric of the registry can be one."""
    for name in ("rows", "positives"):
        least = getattr(rule, f"min_{name}")
        if least:
            title = f"number of {name} of {rule.split}"
            yield Within(name, title, f"promotion.min_{name}"), LimitsConfig(min=least)
    for name, limits in rule.gates.items():
        yield Within(name, METRICS[name].title, f"promotion.gates.{name}"), limits
    for name, limits in rule.out_of_time_gates.items():
        title, setting = f"out-of-time {METRICS[name].title}", f"promotion.out_of_time_gates.{name}"
        yield Within(f"{OUT_OF_TIME}.{name}", title, setting), limits


def gate_statistics(
    label: np.ndarray, metrics: Mapping[str, float], late: Mapping[str, float]
) -> dict[str, float]:
    """What the gates read of a challenger.

    Args:
        label: [N], of the rows that decide.
        metrics: its metrics on them.
        late: its metrics on the newest dates; none where no gate asks for them.
    """
    counts = {"rows": float(len(label)), "positives": float((label > 0).sum())}
    return counts | dict(metrics) | {f"{OUT_OF_TIME}.{n}": value for n, value in late.items()}


def pass_gates(rule: PromotionConfig, statistics: Mapping[str, float]) -> Decision:
    """Apply the gates to the challenger; a first champion needs no more.

    Args:
        rule: has the gates.
        statistics: its metrics, as of `gate_statistics`.
    """
    checks = list(gate_checks(rule))
    gates = [
        Gate(
            title=check.title,
            value=statistics.get(check.statistic),
            limits=str(limits),
            passed=check(statistics, limits) is None,
        )
        for check, limits in checks
    ]
    reasons = failures(statistics, checks)
    if reasons:
        return Decision(promoted=False, reason="not promoted: " + "; ".join(reasons), gates=gates)
    reason = "promoted: first champion, all gates passed"
    return Decision(promoted=True, reason=reason, gates=gates)


def stop_open_alarms(rule: PromotionConfig, alarms: Sequence[str], force: str) -> Decision | None:
    """Refuse a version whose training input failed checks, unless the rule allows them.

    Args:
        rule: says whether they are allowed.
        alarms: the checks that failed and that somebody accepted.
        force: a clause that says how to promote all the same.
    """
    if rule.allow_open_alarms or not alarms:
        return None
    reason = (
        f"not promoted: its training input failed {', '.join(alarms)} and was accepted; "
        f"promotion.allow_open_alarms is false; {force}"
    )
    gate = Gate(title="open alarms", value=len(alarms), limits="exactly 0", passed=False)
    return Decision(promoted=False, reason=reason, gates=[gate])


def beat_champion(
    rule: PromotionConfig,
    new: Mapping[str, float],
    old: Mapping[str, float],
    gains: np.ndarray,
    champion: str,
) -> Decision:
    """Compare the challenger with the champion.

    Args:
        rule: metric, margin and confidence.
        new: the challenger's test metrics.
        old: the champion's, on the same rows.
        gains: [resamples], the challenger's gains in the metric's unit; above 0 it is better.
        champion: the champion's version.
    """
    check = Improvement(METRICS[rule.metric], rule.min_improvement, champion)
    limits = LimitsConfig(min=rule.confidence)
    statistics = {
        "challenger": new[rule.metric],
        "champion": old[rule.metric],
        "confidence": float(np.mean(gains > rule.min_improvement)),
    }
    promoted = not failures(statistics, [(check, limits)])
    verdict = "promoted" if promoted else "not promoted"
    return Decision(promoted=promoted, reason=f"{verdict}: {check.comparison(statistics, limits)}")
