"""Whether a registered version was trained on what a configuration describes."""

from __future__ import annotations

from collections.abc import Mapping

from optdist.config import Features
from optdist.config.identity import differing
from optdist.schema import FeatureSchema
from optdist.tracking import Tracker


def trained_otherwise(tracker: Tracker, version: str, described: Mapping[str, str]) -> list[str]:
    """The settings in which a version's training data differ from those described.

    A version that was registered without such tags is taken as it is, with a line of print.

    Args:
        tracker: the registry.
        version: a version's number.
        described: tags of `optdist.config.identity.identity`.
    """
    tags = tracker.tags(version)
    if not described.keys() <= tags.keys():
        print(
            f"  WARNING: version {version} does not say what data it was trained on (an older "
            f"optdist registered it). Make sure that the data set's file has not changed since."
        )
    known = described.keys() & tags.keys()
    return sorted(name for tag in known for name in differing(tags[tag], described[tag]))


def misread(schema: FeatureSchema, features: Features) -> list[str]:
    """Columns that a model reads and the features lack, or have as another kind."""
    categorical = [f.name for f in schema.categorical if f.name not in features.categorical]
    return categorical + [f.name for f in schema.numeric if f.name not in features.numeric]
