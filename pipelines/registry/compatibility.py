"""Compares what a registered version was trained on with a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optdist.config import FeaturesConfig, ModelConfig
from optdist.config.identity import find_differences
from optdist.data.schema import FeatureSchema
from optdist.log import LOG
from optdist.serving.package import Package
from optdist.tracking import Registry


def changed_settings(tracker: Registry, version: str, described: Mapping[str, str]) -> list[str]:
    """The settings of the data that have changed since a version was trained.

    A version that was registered without such tags is accepted, with a printed warning.

    Args:
        tracker: the registry.
        version: a version's number.
        described: the tags of `optdist.config.identity.identity`.
    """
    tags = tracker.tags(version)
    if not described.keys() <= tags.keys():
        LOG.warning(
            f"version {version} has no record of the data it was trained on (an older "
            f"optdist registered it). Make sure that the data set's file has not changed since."
        )
    known = described.keys() & tags.keys()
    return sorted(name for tag in known for name in find_differences(tags[tag], described[tag]))


def unusable_features(schema: FeatureSchema, features: FeaturesConfig) -> list[str]:
    """The columns that a model reads and the features lack or have as another kind."""
    categorical = [f.name for f in schema.categorical if f.name not in features.categorical]
    return categorical + [f.name for f in schema.numeric if f.name not in features.numeric]


def ineffective_settings(
    overrides: Sequence[str], model: ModelConfig, package: Package
) -> list[str]:
    """The settings given with `--set` that do not change a version, because it is trained.

    Args:
        overrides: `section.key=value` each, as they were given.
        model: the configuration's settings of the model.
        package: the version's package.
    """
    trained = package.settings
    names = [override.partition("=")[0] for override in overrides]
    ineffective = [name for name in names if name.startswith("training.")]
    for name in names:
        section, _, key = name.partition(".")
        field = key.partition(".")[0]
        ours, theirs = (getattr(settings, field, None) for settings in (model, trained))
        if section in {"model", "model_defaults"} and ours != theirs:
            ineffective.append(name)
    return ineffective


def changed_history(then: FeatureSchema, now: FeatureSchema) -> list[str]:
    """The features that `history: auto` made for both, but of other events or categories.

    Args:
        then: what a model was trained on.
        now: what the table was built with.
    """
    queries, others = (schema.history.queries if schema.history else {} for schema in (then, now))
    read = [feature.name for feature in then.numeric if feature.name in queries]
    return [name for name in read if name in others and queries[name] != others[name]]
