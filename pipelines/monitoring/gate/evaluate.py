"""Puts all comparisons of a gate together; needs profiles and counts alone, and no Spark."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

from optdist.config import GateConfig, LimitsConfig
from optdist.data.profile import Profile
from optdist.data.schema import FeatureSchema
from pipelines.monitoring.gate.columns import (
    against_last,
    against_training,
    compare_columns,
)
from pipelines.monitoring.gate.days import Days, age_of, check_days
from pipelines.monitoring.gate.findings import TRAINING, Finding
from pipelines.monitoring.gate.ids import (
    Change,
    check_forms,
    check_ids,
    check_unique,
    growth_rate,
    sizes_of,
)
from pipelines.monitoring.gate.past_days import (
    allow_as_before,
    check_history,
    check_repeats_of_all,
)
from pipelines.monitoring.gate.scores import (
    ScoreCounts,
    check_scores_against_last,
    check_scores_against_training,
    season_of,
)

YOUNG = 30  # days: a moving window of customers loses them over at least so many


@dataclass(frozen=True)
class Last:
    """An earlier date that was published.

    Args:
        date: the day.
        profile: its samples' by the schema of today's model; None: not known.
        same_model: whether its scores are of the same version.
        sizes: the rows of dates before it, ascending, for the growth.
    """

    date: dt.date
    profile: Profile | None
    same_model: bool
    sizes: tuple[tuple[dt.date, int], ...] = ()


@dataclass(frozen=True)
class Subject:
    """What is to be published: samples, scores, and what the model was trained on.

    Args:
        date: the day that is scored.
        profile: of the samples.
        scores: today's, joined with the last date's.
        training: the model's training profile.
        schema: the model's.
        last: the nearest earlier date; None: there is none.
        acquired_within_days: how long customers stay; None: for ever.
        max_days_behind: the scoring job's own limit.
        cut: the day that features look back from, where it is not the date.
    """

    date: dt.date
    profile: Profile
    scores: ScoreCounts | None
    training: Profile
    schema: FeatureSchema
    last: Last | None = None
    acquired_within_days: int | None = None
    max_days_behind: int | None = None
    cut: dt.date | None = None


def evaluate(subject: Subject, gate: GateConfig) -> list[Finding]:
    """All comparisons, passed and failed ones."""
    return [
        *_ids(subject, gate),
        *_columns(subject, gate),
        *_events(subject, gate),
        *_scores(subject, gate),
        *_ages(subject, gate),
    ]


def _ids(subject: Subject, gate: GateConfig) -> Iterator[Finding]:
    counts, last, training = subject.scores, subject.last, subject.training
    if counts:
        yield from check_unique(counts.ids, gate)
    if counts and last:
        days = (subject.date - last.date).days
        rate = growth_rate(last.sizes)
        if training.arrivals is None:  # else a date has the samples of its own alone
            rate = max(rate, growth_rate(sizes_of(training.periods)))
        stay = subject.acquired_within_days
        leaving = min(1.0, 3 * days / max(stay, YOUNG)) if stay else 0.0
        if stay:
            rate = max(rate, 1 / max(stay, YOUNG))
        arrived = (training.arrivals or 0.0) * days
        yield from check_ids(counts.ids, str(last.date), Change(days, rate, arrived, leaving), gate)
    yield from check_forms(subject.profile, training, TRAINING, gate)
    if last and last.profile:
        yield from check_forms(subject.profile, last.profile, str(last.date), gate)


def _columns(subject: Subject, gate: GateConfig) -> Iterator[Finding]:
    now, last = subject.profile, subject.last
    like_training = now.periods[0] if now.periods else now.whole
    training = against_training(subject.training, subject.cut or subject.date)
    pairs = [(like_training, training)]
    if last and last.profile:
        days = (subject.date - last.date).days
        before = against_last(last.profile, str(last.date), days, subject.training)
        pairs.append((now.whole, before))
    for samples, reference in pairs:
        alike = replace(reference, cluster=max(reference.cluster, now.cluster))
        yield from compare_columns(samples, alike, subject.schema, gate)


def _events(subject: Subject, gate: GateConfig) -> Iterator[Finding]:
    days = Days.of(subject.profile.days, subject.date)
    if days is None:
        return
    last, training = subject.last, subject.training
    before = Days.of(last.profile.days, last.date) if last and last.profile else None
    allowed = subject.max_days_behind  # a first date has nothing that says how late data are
    behind = 0.0 if last else float("inf") if allowed is None else float(allowed)
    findings = list(check_days(days, gate, before, behind))
    if not last and training.last_event:
        end = Days.of(training.days, dt.date.fromisoformat(training.last_event))
        findings = allow_as_before(findings, list(check_days(end, gate)) if end else [])
    yield from findings
    if last and last.profile and last.profile.days:
        then, name, until = last.profile.days, str(last.date), last.date
    elif training.days and training.last_event:
        until = min(dt.date.fromisoformat(training.last_event), subject.date)
        then, name = training.days, TRAINING
    else:
        return
    yield from check_history(days, then, until, name, gate)
    yield from check_repeats_of_all(days, then, name, gate)


def _scores(subject: Subject, gate: GateConfig) -> Iterator[Finding]:
    counts, last, training = subject.scores, subject.last, subject.training
    if counts is None:
        return
    step, spread = season_of(training.periods)
    if last and last.same_model:
        days = (subject.date - last.date).days
        steps = against_last(subject.profile, "", days, training).number
        yield from check_scores_against_last(counts, str(last.date), steps, step, gate)
    yield from check_scores_against_training(counts.profile(0), training.scores, spread, gate)


def _ages(subject: Subject, gate: GateConfig) -> Iterator[Finding]:
    ages = (
        ("data_age", subject.profile.last_event, "days since the newest event:"),
        ("model_age", subject.training.last_event, "days since the model's newest training event:"),
    )
    for check, day, what in ages:
        limits, age = gate.limits(check), age_of(day, subject.date)
        if limits is None or age is None:
            continue
        if check == "data_age" and limits == LimitsConfig():
            limits = LimitsConfig(max=subject.max_days_behind)
        yield Finding(check=check, value=age, limits=limits, what=what)
