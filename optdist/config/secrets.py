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
_IN_URL = re.compile(
    r"(?:[?&;]|^)\w*(?:password|pwd|token|secret)=([^&;]+)|//[^/@:]+:([^/@]+)@", re.I
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
    """The options of tables and of the hook that hold a secret as it is, which runs would log.

    Args:
        written: the configuration as its files have it.
    """
    source = (written.get("dataset") or {}).get("source") or {}
    hook = written.get("on_failure") or {}
    texts = {"url": hook.get("url")} | {
        f"headers.{name}": value for name, value in (hook.get("headers") or {}).items()
    }
    plain = [
        f"on_failure.{name}"
        for name, text in texts.items()
        if text and _is_plain_secret(_AUTHORITY.sub("token", name), str(text))
    ]
    return plain + [
        f"dataset.source.tables.{name}.options.{option}"
        for name, table in source.get("tables", {}).items()
        for option, value in (table.get("options") or {}).items()
        if _is_plain_secret(option, str(value))
    ]


def _is_plain_secret(option: str, value: str) -> bool:
    if _SECRET.search(option):
        return bool(value) and "${" not in value
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
