"""Finds the class that a setting names: one of a known list, or `package.module:Class`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from optdist.errors import ConfigError


def named_class(setting: str, name: str, known: Mapping[str, Any]) -> Any:
    """Return the class that a setting names.

    Args:
        setting: the setting's name, for the error.
        name: a key of `known`, or `package.module:Class` of a module that can be imported.
        known: the classes that have a short name; each a class, or its `package.module:Class`.

    Raises:
        ConfigError: there is no such name, or the class cannot be imported.
    """
    target = known.get(name, name)
    if not isinstance(target, str):
        return target
    module, _, attribute = target.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"`{setting}` must be one of {', '.join(known)} or `package.module:Class`. "
            f"Received: {name!r} ({error}). A class of your own must be importable in every "
            f"process: install its package on all hosts, or put its folder on PYTHONPATH."
        ) from error
