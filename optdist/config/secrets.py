"""Keeps the values of environment variables out of error messages."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from optdist.errors import OptDistError

_NAME = re.compile(r"\$\{(?:oc\.)?env:\s*(\w+)")
_SHORT = 3  # characters: a value this short is not a secret, and common in any text


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


@contextmanager
def secrets_hidden(written: Mapping[str, Any]) -> Iterator[None]:
    """Hide the secrets that `written` names in every error that leaves the block."""
    try:
        yield
    except OptDistError as error:
        text = hide_secrets(str(error), written)
        if text == str(error):
            raise
        raise type(error)(text) from None  # its cause quotes the secret too


def _forms(value: str) -> list[str]:
    """A value as it is written, and as it looks in a normalized path."""
    return [form for form in (value, os.path.normpath(value)) if len(form) > _SHORT]
