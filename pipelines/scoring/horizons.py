"""Chooses the models that score a data set's further horizons, in the same pass as its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optdist.config import Config
from optdist.config.horizons import further_horizons, horizon_column
from optdist.config.identity import with_other_horizon
from optdist.data.schema import FeatureSchema
from optdist.errors import ModelError
from optdist.serving.package import Package
from optdist.tracking import CHAMPION, Registry
from pipelines.features.auto_history import with_learned
from pipelines.registry.compatibility import unusable_features
from pipelines.scoring.inputs import KeptSamples
from pipelines.scoring.manifest import HorizonScores, ScoresManifest
from pipelines.scoring.version import require_same_data


@dataclass(frozen=True)
class Horizon:
    """A further horizon, and the version that scores it."""

    days: int
    registry: Registry
    version: str

    @property
    def column(self) -> str:
        """Its score column."""
        return horizon_column(self.days)


def choose_horizons(
    config: Config, tracker: Registry, pinned: ScoresManifest | None, model: str | None
) -> list[Horizon]:
    """The version of each further horizon: the date's pinned one, or the champion.

    Args:
        config: the data set.
        tracker: the registry.
        pinned: the date's manifest, if it was scored before.
        model: what was asked for: an alias is one of each horizon's model, and the number of a
            version one of the data set's own horizon alone.

    Raises:
        ModelError: naming every horizon that has no such model.
    """
    alias = model if model and not model.isdigit() else None
    scored = {(one.days, one.model_name): one for one in pinned.horizons} if pinned else {}
    horizons, missing = [], []
    for days, own in further_horizons(config).items():
        registry = tracker.of(own.model_name)
        before = scored.get((days, own.model_name))
        reference = alias or (before.model_version if before else CHAMPION)
        try:
            horizons.append(Horizon(days, registry, registry.resolve(reference)))
        except ModelError as error:
            missing.append(f"{days} days: {str(error).removesuffix('.')}")
    if missing:
        raise ModelError(
            f"source.more_horizons names horizons without a model to score with: "
            f"{'; '.join(missing)}. jobs/train.py trains a model for each horizon, and "
            f"jobs/promote.py takes --horizon DAYS."
        )
    return horizons


def fetch_packages(
    horizons: Sequence[Horizon],
    config: Config,
    own: FeatureSchema,
    described: str,
    kept: KeptSamples | None,
) -> dict[str, Package]:
    """Column -> the package of each further horizon, once it is known to fit the samples.

    Args:
        horizons: the result of `choose_horizons`.
        config: describes the data set now.
        own: the schema of the own horizon's model, with which samples are read.
        described: the samples' tag of `optdist.config.identity`, or "" where it is not known.
        kept: the samples that the date has kept.

    Raises:
        ModelError: a package is damaged, or was trained on other features or another label.
    """
    packages = {}
    for horizon in horizons:
        package = horizon.registry.package(horizon.version)
        require_fitting(horizon, package.schema, config, own, described, kept)
        packages[horizon.column] = package
    return packages


def require_fitting(
    horizon: Horizon,
    schema: FeatureSchema,
    config: Config,
    own: FeatureSchema,
    described: str,
    kept: KeptSamples | None,
) -> None:
    """Refuse a model that reads other features than the samples have, or has another label.

    Args:
        horizon: with its version.
        schema: its model's.
        config: describes the data set now.
        own: the schema with which samples are read.
        described: the samples' tag.
        kept: the samples that the date has kept, which have what they had.

    Raises:
        ModelError: naming what differs.
    """
    features = with_learned(config.dataset, own.history).features
    moved = [] if kept else unusable_features(schema, features)
    moved += _other_types(schema, own)
    of_horizon = with_other_horizon(described, horizon.days)
    require_same_data(horizon.registry, horizon.version, of_horizon, moved)


def describe_horizons(
    horizons: Sequence[Horizon], packages: Mapping[str, Package], totals: Mapping[str, float]
) -> list[HorizonScores]:
    """What the manifest says of each further horizon, and pins.

    Args:
        horizons: the result of `choose_horizons`.
        packages: column -> package.
        totals: column -> total predicted value.
    """
    return [
        HorizonScores(
            days=horizon.days,
            column=horizon.column,
            model_name=horizon.registry.model_name,
            model_version=horizon.version,
            model_digest=packages[horizon.column].digest or "",
            inference=packages[horizon.column].inference,
            total_predicted=totals[horizon.column],
        )
        for horizon in horizons
    ]


def models_of(manifest: ScoresManifest) -> list[tuple[int, str, str]]:
    """The days, model and version of each further horizon of a date."""
    return [(one.days, one.model_name, one.model_version) for one in manifest.horizons]


def in_words(horizons: Sequence[Horizon]) -> str:
    """The end of a line that names the model of the own horizon."""
    return "".join(
        f", {one.days} days: {one.registry.model_name} {one.version}" for one in horizons
    )


def _other_types(schema: FeatureSchema, own: FeatureSchema) -> list[str]:
    """The columns of text that two models read as different types."""
    types = own.types or {}
    return [
        f"the type of {table}.{name}"
        for table, columns in (schema.types or {}).items()
        for name, kind in columns.items()
        if types.get(table, {}).get(name, kind) != kind
    ]
