"""Describes what is wrong with a configuration, one line per problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from optdist.config.reference import Reference


def problems(
    error: ValidationError, written: Mapping[str, Any], section: type[BaseModel]
) -> Iterator[str]:
    """A line for each problem: where it is, what is wrong, and what was written there.

    Args:
        error: what checking the configuration raised.
        written: the configuration as its files have it, secrets as `${env:NAME}`.
        section: the class that it was checked against.
    """
    settings = _reference(section)
    for problem in error.errors(include_url=False, include_context=False):
        keys = settings.without_variants(problem["loc"])
        place = ".".join(map(str, keys))
        if problem["type"] == "extra_forbidden":
            yield f"{place} is not a setting.{_suggestion(problem['loc'], keys, settings)}"
            continue
        value = _value_at(keys, written)
        received = "" if isinstance(value, dict | list | _Missing) else f". Received: {value!r}"
        yield f"{place}: {problem['msg'].removeprefix('Value error, ')}{received}"


@lru_cache(maxsize=8)
def _reference(section: type[BaseModel]) -> Reference:
    return Reference(section)


class _Missing:
    """Stands for a value that is not in a file."""


def _value_at(keys: Sequence[str | int], written: Any) -> Any:
    for key in keys:
        try:
            written = written[key]
        except (KeyError, IndexError, TypeError):
            return _Missing()
    return written


def _suggestion(place: Sequence[str | int], keys: Sequence[str | int], settings: Reference) -> str:
    """The setting that was probably meant: a key of the same section, or one of another."""
    *parents, key = map(str, keys)
    known = settings.keys_at(place[:-1])
    if key in known:
        return f" Another variant of {'.'.join(parents)} reads it."
    siblings = get_close_matches(key, known, n=1)
    if siblings:
        return f" Did you mean {'.'.join([*parents, *siblings])}?"
    names = [one.name for one in settings.settings()]
    places = {name.split(".")[0]: name.split(".")[0] for name in names}
    places |= {name.rpartition(".")[2]: name for name in reversed(names)}
    elsewhere = get_close_matches(key, places, n=1)
    return f" Did you mean {places[elsewhere[0]]}?" if elsewhere else ""
