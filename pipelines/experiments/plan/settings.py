"""The settings that decide what a cell learns, and whether a record's are the same."""

from __future__ import annotations

from typing import Any

from optdist.config import Config, ModelConfig, TrainingConfig
from pipelines.experiments.plan.records import CellSettings, rounded

# of no influence on what is learned, or a coordinate of its own
_NOT_SETTINGS = {"seed", "start_timeout_seconds", "nics", "threads_per_rank"}
# read by some models alone; what one model reads alone is a section of its name
_OF_OPTDIST = {"num_sdns", "dsm", "temperature", "gumbel", "ce_weight", "kl_weight"}
_OF_OPTDIST |= {"focal_exponent"}
_READERS = {key: {"optdist"} for key in _OF_OPTDIST} | {"inference": {"optdist", "mdme"}}
_DEFAULTS = {
    "model": ModelConfig().model_dump(mode="json"),
    "training": TrainingConfig().model_dump(mode="json"),
}


def network_settings(config: Config) -> CellSettings:
    """The settings of a network that decide what it learns."""
    return CellSettings(
        model=read_settings(config.model.model_dump(mode="json")),
        training=config.training.model_dump(mode="json", exclude=_NOT_SETTINGS),
    )


def read_settings(model: dict[str, Any]) -> dict[str, Any]:
    """The settings that a model may read: what only other models read is left out.

    Sizes count for every model, so a change of one may train a cell again that does not have it.
    """
    name = model["name"]

    def is_read(key: str) -> bool:
        section = isinstance(model[key], dict)  # of the model that it is named after
        return name in _READERS.get(key, {name}) and (not section or key == name)

    return {key: value for key, value in model.items() if is_read(key)}


def same_cell(stored: CellSettings, wanted: CellSettings) -> bool:
    """Whether a record of `stored` settings is one of the cell that has the `wanted` ones."""
    plain = stored.plain
    if stored.model:  # a record may name settings that its model turned out not to read
        plain["model"] = read_settings(stored.model)
    return same_settings(plain, rounded(wanted.plain))


def same_settings(stored: Any, wanted: Any, default: Any = _DEFAULTS) -> bool:
    """Whether a record's settings are the wanted ones.

    A setting that is newer than the record counts as its default, which must mean what was done
    before there was a choice.

    Args:
        stored: a record's settings, or a value in them.
        wanted: the settings, or the value in the same place, of a cell of the grid.
        default: the defaults, or the value in the same place.
    """
    if not (isinstance(stored, dict) and isinstance(wanted, dict)):
        return bool(stored == wanted)
    known = default if isinstance(default, dict) else {}
    return set(stored) <= set(wanted) and all(
        same_settings(stored.get(key, known.get(key)), value, known.get(key))
        for key, value in wanted.items()
    )
