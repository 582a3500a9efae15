"""Applies the promotion rule: gates on the challenger, then a confident gain over the champion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel

from optdist.config import LimitsConfig, PromotionConfig
from optdist.config.metrics import METRICS, Metric
from pipelines.checks import Check, Statistics, Within, failures


class Decision(BaseModel):
    """Whether a version became champion, and why."""

    promoted: bool
    reason: str


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


def gate_checks(rule: PromotionConfig) -> Iterator[tuple[Check, LimitsConfig]]:
    """The rule's gates; any metric of the registry can be one."""
    for name, limits in rule.gates.items():
        yield Within(name, METRICS[name].title, f"promotion.gates.{name}"), limits


def pass_gates(rule: PromotionConfig, metrics: Mapping[str, float]) -> Decision:
    """Apply the gates to the challenger's test metrics; a first champion needs no more."""
    reasons = failures(metrics, gate_checks(rule))
    if reasons:
        return Decision(promoted=False, reason="not promoted: " + "; ".join(reasons))
    return Decision(promoted=True, reason="promoted: first champion, all gates passed")


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
