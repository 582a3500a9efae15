"""Scores everyone known at a date with one pinned model and publishes the scores as a whole."""

from __future__ import annotations

import datetime as dt
import shutil
import time

from pyspark.sql import SparkSession

from optdist.config import Config, secrets_hidden
from optdist.config.identity import DATASET, identity
from optdist.files import locked, uri, write_json
from optdist.layout import ScoresFolder
from optdist.log import LOG
from optdist.serving.package import Package
from optdist.sums import folder_digest
from optdist.tracking import Tracker
from pipelines.features.auto_history import with_learned
from pipelines.features.pinning import pinned_config
from pipelines.monitoring.gate.verdict import Accepting
from pipelines.registry.compatibility import unusable_features
from pipelines.scoring.folder_swap import recover, swap_in
from pipelines.scoring.gate import Staged, pass_gate
from pipelines.scoring.horizons import (
    choose_horizons,
    describe_horizons,
    fetch_packages,
    in_words,
    models_of,
)
from pipelines.scoring.inputs import (
    KeptSamples,
    find_kept_samples,
    fingerprint_source,
    known_fingerprint,
    read_samples,
)
from pipelines.scoring.manifest import ScoresManifest, read_manifest, write_manifest
from pipelines.scoring.staging import score_keys, stage_scores
from pipelines.scoring.version import choose_version, require_same_data


def score(
    spark: SparkSession,
    config: Config,
    tracker: Tracker,
    run_date: dt.date,
    model: str | None = None,
    refresh: bool = False,
    accepting: Accepting | None = None,
) -> ScoresManifest:
    """Score everyone known at the end of `run_date` and publish `run_date=.../`.

    A published date keeps the samples that were scored, and its manifest names them and the model's
    version; a rerun uses both again and gives the same rows.

    Args:
        spark: the session.
        config: the data set and the scoring settings.
        tracker: the registry.
        run_date: the cut-off; nothing after it is read.
        model: an alias or version to use instead of the pinned one, or of `champion`.
        refresh: read the input again instead of the samples that the date has kept.
        accepting: failed checks of the gate that somebody lets pass.

    Raises:
        GateError: the gate keeps the scores from being published.
        BusyError: another job scores the same date.
        ModelError: the registry has no such model, or it was trained on another data set.
        DataError: rows were lost or are not finite, or too many input rows are bad.
    """
    scores, started = config.layout.scores, time.monotonic()
    accepting = accepting or Accepting()
    allowed, config = config.scoring.max_days_behind, without_accepted(config, accepting)
    with secrets_hidden(config.written), locked(scores.date(run_date)):
        recover(scores.date(run_date))
        pinned = read_manifest(scores.date(run_date))
        version = choose_version(tracker, pinned, model)
        horizons = choose_horizons(config, tracker, pinned, model)
        LOG.info(
            f"scoring {config.dataset.name} at {run_date} with {tracker.model_name} version "
            f"{version}{in_words(horizons)}"
        )
        source = known_fingerprint(config) if pinned and not refresh else None
        columns = config.scoring.columns
        kept = (
            find_kept_samples(scores, pinned, source, columns) if pinned and not refresh else None
        )
        described = description_of(config, pinned, kept)
        package = tracker.package(version)
        require_same_data(tracker, version, described, moved_features(config, package, kept))
        further = fetch_packages(horizons, config, package.schema, described, kept)
        behind = None if kept else allowed  # kept samples were let pass when they were read
        if kept is None:
            with pinned_config(spark, config) as now:
                source = fingerprint_source(now)
                kept = read_samples(spark, now, run_date, scores, source, package.schema)
        staged = stage_scores(
            spark,
            config.scoring,
            score_keys(config.dataset),
            version,
            package,
            samples=spark.read.parquet(uri(scores.path / kept.folder)),
            expected=kept.rows,
            staged=scores.staging(run_date),
            further=further,
        )
        totals = staged.pop("totals")
        waiting = Staged(run_date, version, package, kept, pinned, behind)
        verdict = pass_gate(spark, config, waiting, accepting)
        manifest = ScoresManifest(
            dataset=config.dataset.name,
            run_date=str(run_date),
            path=str(scores.date(run_date)),
            model_name=tracker.model_name,
            model_version=version,
            model_digest=package.digest or "",
            inference=package.inference,
            quantiles=config.scoring.quantiles,
            columns=list(columns),
            horizons=describe_horizons(horizons, further, totals),
            input=kept.folder,
            input_digest=kept.digest,
            files_digest=folder_digest(scores.staging(run_date)),
            input_fingerprint=kept.fingerprint,
            dataset_fingerprint=described,
            source_fingerprint=source or "",
            versions=kept.versions,
            quarantined=kept.quarantined,
            last_event=kept.last_event,
            gate=verdict,
            seconds=round(time.monotonic() - started, 1),
            **staged,
        )
        manifest.replaced = replaced_rows(pinned, manifest)
        move_to_date(scores, manifest)
    return manifest


def replaced_rows(pinned: ScoresManifest | None, manifest: ScoresManifest) -> str:
    """The checksum of a date's published rows, if others replace them, which is said; else "".

    Args:
        pinned: the date's manifest, if it is published.
        manifest: describes the rows that replace them.
    """
    if pinned is None or pinned.checksum in {"", manifest.checksum}:
        return ""
    settings = ("model_name", "model_version", "input", "quantiles", "columns")
    others = [name for name in settings if getattr(pinned, name) != getattr(manifest, name)]
    if models_of(pinned) != models_of(manifest):
        others.append("horizons")
    text = (
        f"the rows differ from those that were published before (checksum {pinned.checksum}, now "
        f"{manifest.checksum})"
    )
    if others:
        LOG.info(f"  {text}: other {', '.join(others)}")
    else:
        LOG.warning(f"{text}, though model and input are the same")
    return pinned.checksum


def without_accepted(config: Config, accepting: Accepting) -> Config:
    """The configuration without the limits of the job itself that an accepted check stands for."""
    lifted: dict[str, float | None] = {}
    if "data_age" in accepting.checks:
        lifted["max_days_behind"] = None
    if "unknown" in accepting.checks:
        lifted["max_unknown_share"] = 1.0
    scoring = config.scoring.model_copy(update=lifted)
    return config.model_copy(update={"scoring": scoring}) if lifted else config


def description_of(config: Config, pinned: ScoresManifest | None, kept: KeptSamples | None) -> str:
    """The tag of what describes the samples: when they were kept, or the configuration now.

    Args:
        config: describes the data set now.
        pinned: the date's manifest.
        kept: the samples that the date has kept.
    """
    return pinned.dataset_fingerprint if pinned and kept else identity(config)[DATASET]


def moved_features(config: Config, package: Package, kept: KeptSamples | None) -> list[str]:
    """The features that a version reads and samples that are read now would not have.

    Args:
        config: describes the data set now.
        package: the version's.
        kept: the samples that the date has kept, which have what they had.
    """
    features = with_learned(config.dataset, package.schema.history).features
    return [] if kept else unusable_features(package.schema, features)


def move_to_date(scores: ScoresFolder, manifest: ScoresManifest) -> None:
    """Give the staged scores their manifest and their place, and remove what they replace."""
    staged, run_date = scores.staging(manifest.run_date), manifest.run_date
    write_manifest(staged, manifest)
    swap_in(staged, scores.date(run_date))
    write_json(scores.manifest_copy(run_date), manifest.model_dump())
    for folder in scores.inputs(run_date).iterdir():
        if folder != scores.path / manifest.input:
            shutil.rmtree(folder)
