"""Chooses the model version that scores a date, and refuses one of another data set."""

from __future__ import annotations

from collections.abc import Sequence

from optdist.config.identity import DATASET
from optdist.errors import ModelError
from optdist.tracking import CHAMPION, Registry
from pipelines.registry.compatibility import changed_settings
from pipelines.scoring.manifest import ScoresManifest


def choose_version(tracker: Registry, pinned: ScoresManifest | None, model: str | None) -> str:
    """The version to score with: the one asked for, the date's pinned one, or the champion.

    Args:
        tracker: the registry.
        pinned: the date's manifest, if it was scored before.
        model: the version or alias that was asked for.
    """
    if model is None and pinned is not None and pinned.model_name != tracker.model_name:
        raise ModelError(
            f"{pinned.run_date} was scored with {pinned.model_name} version "
            f"{pinned.model_version}, and the config names {tracker.model_name}. "
            f"Give --model champion to score the date again with the latter."
        )
    return tracker.resolve(model or (pinned.model_version if pinned else CHAMPION))


def require_same_data(
    tracker: Registry, version: str, described: str, moved: Sequence[str]
) -> None:
    """Refuse a version that was trained on other features or another label than those described.

    Args:
        tracker: the registry.
        version: the version to score with.
        described: the samples' tag of `optdist.config.identity`, or "" where it is not known.
        moved: features of the version that the data set lacks or has as another kind.

    Raises:
        ModelError: naming what differs.
    """
    differ = changed_settings(tracker, version, {DATASET: described}) if described else []
    if differ or moved:
        raise ModelError(
            f"Since {tracker.model_name} version {version} was trained, the data set changed in "
            f"{', '.join([*differ, *moved])}. Train again, name a version that was trained on this "
            f"data set (--model), or score with the data set's file that version {version} was "
            f"trained with: config.yaml of its MLflow run has it."
        )
