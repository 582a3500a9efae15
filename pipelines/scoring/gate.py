"""Holds staged scores against training and the last date, and lets them pass or not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from optdist.config import Config
from optdist.data.profile import DayCount, Profile
from optdist.errors import DataError, GateError
from optdist.files import uri
from optdist.layout import ScoresFolder
from optdist.log import LOG
from optdist.serving.package import Package
from pipelines.monitoring.drift.writing import write_drift
from pipelines.monitoring.gate.evaluate import Last, Subject, evaluate
from pipelines.monitoring.gate.findings import Finding, checks_of, in_short
from pipelines.monitoring.gate.scores import count_scores
from pipelines.monitoring.gate.verdict import (
    Acceptance,
    Accepting,
    Verdict,
    accept,
    flags_to_accept,
)
from pipelines.monitoring.profiles import measure_scoring
from pipelines.scoring.inputs import KeptSamples
from pipelines.scoring.manifest import ScoresManifest, read_manifest

_PROFILE = "_profile.json"  # in a date's folder, where readers of the scores do not look
SIZES = 12  # earlier dates whose numbers of rows say how fast they grow


@dataclass(frozen=True)
class Staged:
    """Scores that wait for the gate.

    Args:
        run_date: the day that was scored.
        version: the model's version.
        package: its package.
        kept: the samples that were scored.
        pinned: the manifest of the date's last run; None: it was not published before.
        max_days_behind: the job's limit for samples that were read now; None: any, or kept samples.
    """

    run_date: dt.date
    version: str
    package: Package
    kept: KeptSamples
    pinned: ScoresManifest | None = None
    max_days_behind: int | None = None


def pass_gate(
    spark: SparkSession, config: Config, staged: Staged, accepting: Accepting
) -> Verdict | None:
    """Compare staged scores with training and the last date, and keep what was found.

    Args:
        spark: the session.
        config: the data set, and the gate's settings.
        staged: what is to be published.
        accepting: failed checks that somebody lets pass.

    Returns:
        The verdict for the manifest; None where the gate is off.

    Raises:
        GateError: a check failed that nobody accepted; nothing was published.
    """
    scores, folder = config.layout.scores, config.layout.scores.staging(staged.run_date)
    days = staged.kept.days or kept_days(scores, staged)
    samples = spark.read.parquet(uri(scores.path / staged.kept.folder))
    schema, training = staged.package.schema, staged.package.profile
    profile = measure_scoring(samples, schema, config.dataset, training, days)
    profile.save(folder / _PROFILE)  # also for a date that comes later
    if not config.gate.enabled:
        return None
    last = find_last(spark, config, staged)
    earlier = spark.read.parquet(uri(scores.date(last.date))) if last else None
    subject = Subject(
        date=staged.run_date,
        profile=profile,
        scores=count_scores(spark.read.parquet(uri(folder)), earlier, config.dataset.id),
        training=training,
        schema=schema,
        last=last,
        acquired_within_days=config.scoring.acquired_within_days,
        max_days_behind=staged.max_days_behind,
    )
    findings = evaluate(subject, config.gate)
    before = earlier_acceptances(staged)
    wrong, accepted = accept(findings, accepting, before)
    page = write_drift(config.layout.drift, subject, findings, accepted)
    against = str(last.date) if last else None
    verdict = Verdict(against=against, findings=len(findings), accepted=accepted)
    if wrong:
        raise refusal(wrong, scores, staged.run_date, page)
    report(verdict)
    return verdict


def refusal(
    wrong: Sequence[Finding], scores: ScoresFolder, run_date: dt.date, page: Path | None
) -> GateError:
    """The error that says which checks failed, and what to do.

    Args:
        wrong: the findings that nobody accepted.
        scores: the data set's scores.
        run_date: the date that was scored.
        page: the drift page; None: it could not be drawn.
    """
    names = checks_of(wrong)
    stays = "its scores of before stay" if scores.date(run_date).exists() else "it has no scores"
    return GateError(
        list(in_short(wrong)),
        f"The gate refused {run_date}: {', '.join(names)}. Nothing was published: {stays}. The "
        f"refused scores are in {scores.staging(run_date)}"
        + (f", all comparisons in {page}" if page else "")
        + f". Mend the input and run the date again, or publish all the same with "
        f"{flags_to_accept(names)}.",
    )


def report(verdict: Verdict) -> None:
    """Print what the gate let pass."""
    against = f"training and {verdict.against}" if verdict.against else "training"
    LOG.info(f"  gate: {verdict.findings:,} comparisons with {against}")
    for acceptance in verdict.accepted:
        why = f": {acceptance.reason}" if acceptance.reason else ""
        LOG.warning(f"{acceptance.check} failed and was accepted by {acceptance.by}{why}")
        for text in acceptance.findings:
            LOG.warning(f"  {text}")


def earlier_acceptances(staged: Staged) -> Sequence[Acceptance]:
    """What was accepted for the date before, if input and model are still the same."""
    pinned = staged.pinned
    if pinned is None or pinned.gate is None:
        return []
    same = (pinned.input, pinned.model_version) == (staged.kept.folder, staged.version)
    return pinned.gate.accepted if same else []


def kept_days(scores: ScoresFolder, staged: Staged) -> list[DayCount]:
    """The events of each day as they were when a date's kept samples were read."""
    profile = Profile.load(scores.date(staged.run_date) / _PROFILE)
    return profile.days if profile else []


def find_last(spark: SparkSession, config: Config, staged: Staged) -> Last | None:
    """The nearest earlier date with scores, and its profile by the schema of today's model.

    Args:
        spark: the session.
        config: the data set.
        staged: what is to be published.
    """
    scores, name = config.layout.scores, config.model_name
    dates = sorted(date for date in scores.run_dates() if date < staged.run_date)
    manifests = [(d, m) for d in dates[-SIZES:] if (m := read_manifest(scores.date(d)))]
    if not manifests:
        return None
    date, manifest = manifests[-1]
    same = (manifest.model_name, manifest.model_version) == (name, staged.version)
    profile = Profile.load(scores.date(date) / _PROFILE)
    if not same or profile is None:
        profile = measure_again(spark, config, staged, manifest, profile)
    sizes = tuple((day, one.rows) for day, one in manifests)
    return Last(date, profile, same, sizes)


def measure_again(
    spark: SparkSession,
    config: Config,
    staged: Staged,
    manifest: ScoresManifest,
    profile: Profile | None,
) -> Profile | None:
    """The profile of a date's kept samples by the schema of today's model, where they fit it.

    Args:
        spark: the session.
        config: the data set.
        staged: has today's model.
        manifest: of the date.
        profile: what was kept of the date, with its events by day.
    """
    folder, schema = config.layout.scores.path / manifest.input, staged.package.schema
    days = profile.days if profile else []
    if (folder / "_SUCCESS").exists():
        try:
            samples = spark.read.parquet(uri(folder))
            training = staged.package.profile
            return measure_scoring(samples, schema, config.dataset, training, days)
        except (DataError, AnalysisException) as error:
            LOG.warning(f"{manifest.run_date} cannot be compared by column: {str(error)[:200]}")
    if profile is None:
        return None
    whole = profile.whole.model_copy(update={"columns": {}})
    return profile.model_copy(update={"whole": whole, "periods": []})
