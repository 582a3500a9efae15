"""Keeps the values of environment variables out of error messages."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from optdist.errors import OptDistError

_NAME = re.compile(r"\$\{(?:oc\.)?env:\s*(\w+)")
_NEEDED = re.compile(r"\$\{env:\s*(\w+)\s*\}")
_SECRET = re.compile(r"passw(or)?d|^pwd$|secret|token|credential|account\.key", re.IGNORECASE)
# an option whose name has such a word and whose value says where the secret is, or of what kind
_NO_SECRET = re.compile(r"(file|path|provider|class|enabled|type|mountPath)$|\.secrets\.", re.I)
_NAMED = re.compile(r"dataset\.source\.tables\.[^.]+\.options\.|spark\.|on_failure\.headers\.")
_IN_URL = re.compile(
    r"(?:[?&;]|^)\w*(?:password|pwd|token|secret)=([^&;\s]+)|//[^/@:\s]+:([^/@\s]+)@", re.I
)
_AUTHORITY = re.compile("authori[sz]ation|api.?key|cookie", re.IGNORECASE)
_SHORT = 3  # characters: a value this short is not a secret, and common in any text


def unset_variables(written: Any) -> list[str]:
    """The environment variables that a configuration needs and that are not set, in its order."""
    names = _NEEDED.findall(json.dumps(written, default=str))
    return [name for name in dict.fromkeys(names) if name not in os.environ]


def hide_secrets(text: str, written: Mapping[str, Any]) -> str:
    """Replace the value of each variable that a configuration names by `${env:NAME}`.

    Args:
        text: an error's text.
        written: the configuration as its files have it. `paths` is exempt: jobs print it.
    """
    sections = {name: section for name, section in written.items() if name != "paths"}
    names = set(_NAME.findall(json.dumps(sections, default=str)))
    values = {(form, n) for n in names for form in _forms(os.environ.get(n, ""))}
    for value, name in sorted(values, key=lambda pair: len(pair[0]), reverse=True):
        text = text.replace(value, f"${{env:{name}}}")
    return text


def plain_secrets(written: Mapping[str, Any]) -> list[str]:
    """The settings that hold a secret as it is, which each run would log.

    These are options of tables and of Spark and headers of the hook whose names say so, and texts
    anywhere that have a password in a URL.

    Args:
        written: the configuration as its files have it; it need not be a valid one.
    """
    return [
        place
        for place, value in _texts(written, "")
        if _is_named_secret(place, value) or _has_secret_url(value)
    ]


def secret_name(name: str) -> bool:
    """Whether the name of an option says that its value is a secret."""
    return bool(_SECRET.search(name))


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Each value of a configuration as its place and its text."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _texts(inner, f"{place}[{i}]")
    elif value is not None:
        yield place, str(value)


def _is_named_secret(place: str, value: str) -> bool:
    section = _NAMED.match(place)
    name = place[section.end() :] if section else ""  # which may have dots
    if place.startswith("on_failure."):
        name = _AUTHORITY.sub("token", name)
    if not _SECRET.search(name) or _NO_SECRET.search(place):
        return False
    return "${" not in value and value.lower() not in {"", "true", "false"}


def _has_secret_url(value: str) -> bool:
    return any(
        "${" not in secret
        for match in _IN_URL.finditer(value)
        for secret in match.groups()
        if secret
    )


@contextmanager
def secrets_hidden(written: Mapping[str, Any]) -> Iterator[None]:
    """Hide the secrets that `written` names in every error that leaves the block."""
    try:
        yield
    except OptDistError as error:
        if hide_secrets(str(error), written) == str(error):
            raise
        raise error.with_text(lambda text: hide_secrets(text, written)) from None  # nor its cause


def _forms(value: str) -> list[str]:
    """A value as it is written, and as it looks in a normalized path."""
    forms = dict.fromkeys((value, os.path.normpath(value), quote(value, safe="")))
    return [form for form in forms if len(form) > _SHORT]
