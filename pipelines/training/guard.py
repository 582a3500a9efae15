"""Holds a new feature table against what the champion was trained on, before a training."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import SparkSession

from optdist.config import Config, LimitsConfig
from optdist.config.identity import DATASET, identity
from optdist.data.feature_table import FeatureTable
from optdist.data.profile import Profile
from optdist.data.schema import FeatureSchema
from optdist.errors import GateError, OptDistError
from optdist.files import uri
from optdist.log import LOG
from optdist.tracking import CHAMPION, Run, Tracker
from pipelines.features.auto_history import with_learned
from pipelines.monitoring.drift.writing import write_training
from pipelines.monitoring.gate.evaluate import Subject, evaluate
from pipelines.monitoring.gate.findings import TRAINING, Finding, checks_of, in_short
from pipelines.monitoring.gate.verdict import Acceptance, Accepting, accept, flags_to_accept
from pipelines.monitoring.profiles import measure_scoring, read_profile
from pipelines.registry.compatibility import changed_settings, unusable_features


@dataclass(frozen=True)
class Guard:
    """What the guard has found: the drift table, and what was accepted."""

    files: tuple[Path, ...] = ()
    accepted: tuple[Acceptance, ...] = ()

    def log(self, run: Run) -> None:
        """Log the drift table, its page and what was accepted."""
        for file in self.files:
            if file.exists():
                run.log_file(file)
        if not self.accepted:
            return
        run.log_params(
            {
                f"gate.accepted.{one.check}": f"{one.by}: {one.reason or 'no reason given'}; "
                f"{'; '.join(one.findings)}"[:5000]
                for one in self.accepted
            }
        )


def guard_training(
    spark: SparkSession,
    config: Config,
    tracker: Tracker,
    table: FeatureTable,
    accepting: Accepting,
) -> Guard:
    """Compare the newest training samples and their events with the champion's.

    Args:
        spark: the session.
        config: the data set, and the gate's settings.
        tracker: the registry, which knows the champion.
        table: the new features.
        accepting: failed checks that somebody lets pass.

    Raises:
        GateError: a check failed that nobody accepted; nothing was trained.
    """
    new = read_profile(table)
    if not config.gate.enabled or new is None:
        return Guard()
    champion = find_champion(config, tracker, table)
    if champion is None:
        newest = new.model_copy(update={"periods": new.periods[-1:]})
        subject = Subject(last_day(table, new), newest, None, new, table.schema)
        findings: list[Finding] = []
    else:
        subject = subject_of(spark, config, table, new, *champion)
        findings = [*evaluate(subject, config.gate), *compare_rows(subject, config)]
        checks = sorted({finding.check for finding in findings})
        LOG.info(
            f"  gate: {len(findings):,} comparisons with the champion's training ({len(checks)})"
        )
    wrong, accepted = accept(findings, accepting)
    names = [acceptance.check for acceptance in accepted]
    files = write_training(config.layout.drift, subject, table.path.name, wrong, names)
    if wrong:
        raise refusal(wrong, table, files)
    for acceptance in accepted:
        LOG.warning(f"{acceptance.check} failed and was accepted by {acceptance.by}")
    return Guard(tuple(files), tuple(accepted))


def find_champion(
    config: Config, tracker: Tracker, table: FeatureTable
) -> tuple[Profile, FeatureSchema] | None:
    """The champion's training profile and those of its features that the table has too.

    None where there is no champion, or where it cannot be compared, which is printed.

    Args:
        config: describes the data set.
        tracker: the registry.
        table: the new features.
    """
    version = tracker.find(CHAMPION)
    if version is None:
        return None
    try:
        package = tracker.package(version)
        profile, schema = package.profile, package.schema
        changed = changed_settings(tracker, version, {DATASET: identity(config)[DATASET]})
    except OptDistError as error:
        LOG.warning(f"not compared with champion version {version}: {error}")
        return None
    if changed:
        names = ", ".join(changed)
        LOG.info(f"  not compared with champion version {version}: {names} changed since")
        return None
    features = with_learned(config.dataset, table.schema.history).features
    other = set(unusable_features(schema, features))
    kept = schema.model_copy(
        update={
            "categorical": [f for f in schema.categorical if f.name not in other],
            "numeric": [f for f in schema.numeric if f.name not in other],
        }
    )
    return profile, kept


def subject_of(
    spark: SparkSession,
    config: Config,
    table: FeatureTable,
    new: Profile,
    champion: Profile,
    schema: FeatureSchema,
) -> Subject:
    """The new training samples by the champion's bins: all of them, and those of the newest date.

    Args:
        spark: the session.
        config: the data set.
        table: the new features.
        new: their profile.
        champion: the champion's.
        schema: the champion's features.
    """
    samples = spark.read.parquet(uri(table.samples)).where("split = 'train'")
    newest = new.periods[-1].first if new.periods else None
    since = champion.model_copy(update={"first_cut": newest})
    profile = measure_scoring(samples, schema, config.dataset, since, new.days)
    profile = profile.model_copy(update={"forms": new.forms, "lengths": new.lengths})
    cut = dt.date.fromisoformat(new.last_cut) if new.last_cut else None
    return Subject(last_day(table, new), profile, None, champion, schema, cut=cut)


def compare_rows(subject: Subject, config: Config) -> list[Finding]:
    """Whether a table of samples has lost most of its rows; transactions are compared by day."""
    limits, then = config.gate.rows, subject.training.rows
    if limits is None or subject.training.days or not then or subject.training.from_schema:
        return []
    half = None if limits.min is None else limits.min / 2
    ratio, now = subject.profile.rows / then, subject.profile.rows
    return [
        Finding(
            check="rows", against=TRAINING, value=ratio, now=now, reference=then,
            limits=LimitsConfig(min=half, max=limits.max), what="the number of training rows is",
            unit="times",
        )
    ]  # fmt: skip


def last_day(table: FeatureTable, profile: Profile) -> dt.date:
    """The day until which the table's data were read."""
    day = table.manifest.as_of or profile.last_event or profile.last_cut
    return dt.date.fromisoformat(day) if day else dt.datetime.now(dt.UTC).date()


def refusal(wrong: Sequence[Finding], table: FeatureTable, files: Sequence[Path]) -> GateError:
    """The error that says which checks failed, and what to do.

    Args:
        wrong: the findings that nobody accepted.
        table: the new features.
        files: the drift table and its page.
    """
    names = checks_of(wrong)
    page = f", all comparisons in {files[-1]}" if files else ""
    return GateError(
        list(in_short(wrong)),
        f"The gate refused to train: {', '.join(names)} differ from what the champion was trained "
        f"on. The features are in {table.path}{page}. Mend the input and train again, or train all "
        f"the same with {flags_to_accept(names)}.",
    )
