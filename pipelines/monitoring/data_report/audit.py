"""Decides what in a data report is too good to be true, and what else deserves a look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from optdist.config.report import ReportConfig
from optdist.data.feature_table import SPLITS
from pipelines.monitoring.data_report.statistics import DataReport, FeatureStatistics

# one feature that is good, and that much better than the next best of those that are not flagged
APART_AUC, APART_GINI, APART = 0.85, 0.75, 0.2
MOST_POSITIVE = 0.5  # share of positive labels up to which a category of nothing else is odd
HELD_OUT = SPLITS[1:]
DRIFT, AUDIT = "drift", "audit"  # kinds of flags that are no leaks


@dataclass(frozen=True)
class Flag:
    """Something wrong, or worth a look, of a feature or of the rows (None)."""

    feature: str | None
    kind: str
    text: str
    is_leak: bool

    def __str__(self) -> str:
        return f"{self.feature or 'rows'}: {self.text}"


def find_flags(report: DataReport, limits: ReportConfig) -> list[Flag]:
    """All flags, leaks first.

    Args:
        report: the statistics.
        limits: from which values on something is flagged.
    """
    flags = [*_too_good(report, limits)]
    for feature in report.features:
        flags += _of_feature(feature, report, limits)
    flags += _of_rows(report, limits)
    return sorted(flags, key=lambda flag: not flag.is_leak)


def leaks(flags: Sequence[Flag]) -> list[str]:
    """The leaks as texts, for the job's output and the manifest."""
    return [f"possible leak: {flag}" for flag in flags if flag.is_leak]


def _too_good(report: DataReport, limits: ReportConfig) -> Iterator[Flag]:
    """Features that rank labels alone too well, by limits and in comparison with the others."""
    if report.evidence:
        return
    on = " and ".join(report.measured_on)
    rest = []
    for feature in report.features:
        reasons = []
        if feature.auc is not None and feature.auc >= limits.max_feature_auc:
            reasons.append(f"AUC {feature.auc:.3f} (report.max_feature_auc)")
        if feature.gini is not None and feature.gini >= limits.max_feature_gini:
            reasons.append(f"Norm-GINI {feature.gini:.3f} (report.max_feature_gini)")
        if reasons:
            yield Flag(feature.name, "too good", _alone(reasons, on), is_leak=True)
        else:
            rest.append(feature)
    yield from _apart(rest, on)
    yield from _telling(rest, report, limits)


def _telling(
    features: Sequence[FeatureStatistics], report: DataReport, limits: ReportConfig
) -> Iterator[Flag]:
    """Features with a category that gives a positive label away."""
    splits = [report.splits[name] for name in HELD_OUT if name in report.splits]
    share = sum(s.positives for s in splits) / max(sum(s.rows for s in splits), 1)
    if share > MOST_POSITIVE:
        return
    for feature in features:
        best = feature.telling
        if best and best.share > limits.max_category_share and not feature.is_id:
            text = (
                f"of {best.rows:,} rows of {' and '.join(HELD_OUT)} with "
                f"{best.text or 'one of its values'} {best.share:.1%} have a positive label, and "
                f"of all {share:.1%} (report.max_category_share). Was it known then?"
            )
            yield Flag(feature.name, "tells the label", text, is_leak=True)


def _apart(features: Sequence[FeatureStatistics], on: str) -> Iterator[Flag]:
    """The one feature that is far better than all others."""
    for name, least, values in (
        ("AUC", APART_AUC, {f.name: f.auc for f in features if f.auc is not None}),
        ("Norm-GINI", APART_GINI, {f.name: f.gini for f in features if f.gini is not None}),
    ):
        ranked = sorted(values.items(), key=lambda item: -item[1])
        if len(ranked) > 1 and ranked[0][1] >= max(least, ranked[1][1] + APART):
            (best, value), (second, other) = ranked[:2]
            reason = f"{name} {value:.3f}, and the next best, {second}, has {other:.3f}"
            yield Flag(best, "too good", _alone([reason], on), is_leak=True)
            return


def _alone(reasons: Sequence[str], on: str) -> str:
    return f"alone it ranks the labels of {on} with {' and '.join(reasons)}. Was it known then?"


def _of_feature(
    feature: FeatureStatistics, report: DataReport, limits: ReportConfig
) -> Iterator[Flag]:
    late = max(feature.after_cut.values(), default=0.0)
    if late:
        text = f"up to {late:.1%} of its values ({feature.clock}) are dates after {report.cut}"
        yield Flag(feature.name, "after the cut", text, is_leak=True)
    if feature.looks_ahead:
        yield Flag(feature.name, "after the cut", feature.looks_ahead, is_leak=True)
    if feature.is_id:
        text = "it names the customer or the sample, so nothing that it teaches holds for others"
        yield Flag(feature.name, "id", text, is_leak=True)
    if feature.is_timeless:
        yield Flag(feature.name, "as of today", feature.is_timeless, is_leak=False)
    if feature.is_constant:
        yield Flag(feature.name, "constant", "all training rows agree", is_leak=False)
    if feature.clock and not report.cut:
        text = f"its values are points in time ({feature.clock}), and samples have no date to "
        yield Flag(feature.name, "time", f"{text}compare them with", is_leak=False)
    drift = max(feature.drift, default=0.0)
    if drift > limits.max_drift:
        date = report.periods[feature.drift.index(drift)].title
        text = f"its distribution at {date} differs from that of all dates (index {drift:.2f})"
        yield Flag(feature.name, DRIFT, text, is_leak=False)


def _of_rows(report: DataReport, limits: ReportConfig) -> Iterator[Flag]:
    same = report.duplicates
    share = same.same_positives / max(same.positives, 1)
    if share > limits.max_duplicate_share:
        text = (
            f"{same.same_positives:,} of {same.positives:,} validation and test rows with a "
            f"positive label ({share:.1%}) have the features and the label of a training row "
            f"(report.max_duplicate_share)"
        )
        yield Flag(None, "duplicates", text, is_leak=True)
    for name, shared in same.crossing.items():
        text = (
            f"{shared:.1%} of the values of {name}, a part of the id, in validation and test are "
            f"in training too; if they name customers, split_key must be [{name}]"
        )
        yield Flag(None, "same customer", text, is_leak=True)
    if report.evidence:
        yield Flag(None, AUDIT, report.evidence, is_leak=False)
