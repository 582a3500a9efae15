"""Reads model settings that an older version wrote, before each model had a section of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optdist.config.model_choice import DEFAULT_MODEL, readers
from optdist.config.models import SECTIONS


def upgrade_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the settings of a package or record from an older version to today's.

    Older versions kept all models' settings in one section: what only other models read is left
    out, and the model's own subsection, as `two_stage: {rows: all}`, becomes settings of the model
    itself.
    """
    name = str(settings.get("name", DEFAULT_MODEL))
    if name not in SECTIONS:
        return dict(settings)
    section = SECTIONS[name]
    flat = {**settings, **settings.get(name, {})}
    kept = {
        key: value
        for key, value in flat.items()
        if key in section.model_fields or not (key in SECTIONS or readers(key))
    }
    if kept.get("inference") not in section.inferences():
        kept.pop("inference", None)
    return kept
