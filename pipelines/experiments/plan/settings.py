"""Selects the settings that decide what a cell learns, and compares them with a record's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optdist.config import MACHINE_SETTINGS, AnyModelConfig, TrainingConfig
from optdist.config.model_choice import DEFAULT_MODEL, section_class
from pipelines.experiments.plan.records import CellSettings, rounded

# without influence on what is learned, or a coordinate of its own
_NOT_SETTINGS = {"seed", *MACHINE_SETTINGS}


def network_settings(model: AnyModelConfig, training: TrainingConfig) -> CellSettings:
    """The settings of a network that decide what it learns."""
    return CellSettings(
        model=model.model_dump(mode="json"),
        training=training.model_dump(mode="json", exclude=_NOT_SETTINGS),
    )


def agree(stored: CellSettings, current: CellSettings) -> bool:
    """Whether settings of an earlier format equal the current ones, where both have a setting.

    A setting may have moved to another section since, and others may have come or gone.
    """
    a, b = _leaves(stored.plain), _leaves(rounded(current.plain))
    return all(a[name] == b[name] for name in a.keys() & b.keys())


def _leaves(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by their own names, without those of their sections."""
    leaves: dict[str, Any] = {}
    for name, value in settings.items():
        leaves |= _leaves(value) if isinstance(value, Mapping) else {name: value}
    return leaves


def same_settings(stored: dict[str, Any], current: dict[str, Any]) -> bool:
    """Whether a record's settings are the current ones.

    A setting that is newer than the record counts as its default, which must mean what was done
    before there was a choice.
    """
    model = section_class(current.get("model", {}).get("name", DEFAULT_MODEL))
    defaults = {"model": model(), "training": TrainingConfig()}
    return _same(stored, current, {k: v.model_dump(mode="json") for k, v in defaults.items()})


def _same(stored: Any, current: Any, default: Any) -> bool:
    if not (isinstance(stored, dict) and isinstance(current, dict)):
        return bool(stored == current)
    known = default if isinstance(default, dict) else {}
    return set(stored) <= set(current) and all(
        _same(stored.get(key, known.get(key)), value, known.get(key))
        for key, value in current.items()
    )
