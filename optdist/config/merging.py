"""Reads the changes of a command line, and refuses layers of settings that cannot be merged."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial, reduce
from typing import Any, cast

from omegaconf import OmegaConf

from optdist.config.plain import plain_yaml
from optdist.config.secrets import secret_name
from optdist.errors import ConfigError

# the parts of a setting's name: keys, or places in a list
_KEYS = re.compile(r"[^\s=\[\].]+(\[[^\s=\[\].]+\])*(\.[^\s=\[\].]+(\[[^\s=\[\].]+\])*)*")


def read_changes(overrides: Sequence[str]) -> dict[str, Any]:
    """The settings that `--set` changes.

    Raises:
        ConfigError: one of them is not a change of a setting.
    """
    for text in overrides:
        key, _, value = text.partition("=")
        if not (_KEYS.fullmatch(key) and "=" in text):
            raise ConfigError(f"--set takes section.key=value. Received: {_without_value(text)!r}")
        try:
            plain_yaml(value)
        except ValueError as error:
            raise ConfigError(
                f"The configuration cannot be merged: --set {key} is not valid YAML: {error}"
            ) from error
    changes = OmegaConf.to_container(OmegaConf.from_dotlist(list(overrides)), resolve=False)
    return cast(dict[str, Any], changes)


def _without_value(text: str) -> str:
    """A change that cannot be read, without what may be a password."""
    key, sign, value = text.partition("=")
    shown = "…" if value and secret_name(key) else value
    return f"{key}{sign}{shown}"


def require_same_kinds(layers: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a list where another layer has a section, which cannot be merged."""

    def merge(lower: Any, upper: Any, place: str) -> Any:
        if isinstance(lower, Mapping) and isinstance(upper, Mapping):
            both = {
                key: merge(lower[key], upper[key], f"{place}.{key}")
                for key in lower
                if key in upper
            }
            return {**lower, **upper, **both}
        pair = {
            isinstance(value, Mapping)
            for value in (lower, upper)
            if isinstance(value, list | Mapping)
        }
        if len(pair) == 2:
            raise ConfigError(
                f"{place.strip('.')} is a list in one place of the configuration and a mapping of "
                f"keys to values in another. Write it as docs/settings.md has it."
            )
        return upper

    reduce(partial(merge, place=""), layers)
