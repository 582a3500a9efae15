"""Finds the settings class of a source by its `kind` and by what chooses its samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from optdist.config.source import SamplesSourceConfig, SourceConfig
from optdist.config.transactions import FirstPurchaseSourceConfig, SnapshotSourceConfig
from optdist.errors import ConfigError
from optdist.plugins import named_class

SOURCE_KINDS: tuple[type[SourceConfig], ...] = (
    SamplesSourceConfig,
    FirstPurchaseSourceConfig,
    SnapshotSourceConfig,
)

_MEANINGS = {
    "samples": ": a row of its table is a sample with `label`; events are kind: transactions",
    "transactions": ": its label is the sum of `amount` over `horizon_days`; a table with a label "
    "column is kind: samples",
}


def parse_source(value: Any) -> Any:
    """A mapping as the settings of its kind; anything else as it is, for pydantic to judge.

    Raises:
        ValueError: no kind fits (a pydantic ValidationError where a setting is wrong).
    """
    if not isinstance(value, Mapping):
        return value
    kind = str(value.get("kind"))
    if kind not in map(_name, SOURCE_KINDS):
        return _own_class(kind).model_validate(value)
    chosen = _chosen(kind, value)
    known = {name for source in SOURCE_KINDS for name in source.model_fields}
    others = {name: value[name] for name in value if name in known - set(chosen.model_fields)}
    unread = [name for name, setting in others.items() if setting not in (None, {}, [])]
    if unread:
        raise ValueError(f"kind: {kind} does not read {', '.join(unread)}{_MEANINGS[kind]}")
    return chosen.model_validate({name: value[name] for name in value if name not in others})


def _chosen(kind: str, value: Mapping[str, Any]) -> type[SourceConfig]:
    """The one class of this kind whose chooser is given."""
    same = [source for source in SOURCE_KINDS if _name(source) == kind]
    given = [
        source for source in same if not source.chooser or value.get(source.chooser) is not None
    ]
    if len(given) != 1:
        choosers = " or ".join(str(source.chooser) for source in same)
        raise ValueError(f"kind: {kind} needs either {choosers}")
    return given[0]


def _own_class(kind: str) -> type[SourceConfig]:
    """The settings class at `package.module:Class`."""
    try:
        own = named_class("source.kind", kind, {_name(source): source for source in SOURCE_KINDS})
    except ConfigError as error:
        raise ValueError(str(error)) from error  # listed with the other problems
    if not (isinstance(own, type) and issubclass(own, SourceConfig)):
        raise ValueError(f"{kind} is not a subclass of {SourceConfig.__module__}.SourceConfig")
    return own


def _name(source: type[SourceConfig]) -> str:
    return str(get_args(source.model_fields["kind"].annotation)[0])
