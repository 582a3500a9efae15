"""Secrets of the environment, kept out of errors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from optdist.errors import OptDistError

_NAME = re.compile(r"\$\{(?:oc\.)?env:\s*(\w+)")
_SHORT = 3  # characters: no secret, and common in any text


def hidden(text: str, written: Mapping[str, Any]) -> str:
    """`text` with `${env:NAME}` wherever it quotes such a variable's value.

    Args:
        text: an error's.
        written: the configuration as it was written. `paths` names no secret: jobs print it.
    """
    sections = {name: section for name, section in written.items() if name != "paths"}
    names = set(_NAME.findall(json.dumps(sections, default=str)))
    values = {(form, n) for n in names for form in _forms(os.environ.get(n, ""))}
    for value, name in sorted(values, key=lambda pair: len(pair[0]), reverse=True):
        text = text.replace(value, f"${{env:{name}}}")
    return text


@contextmanager
def secrets_hidden(written: Mapping[str, Any]) -> Iterator[None]:
    """Let no error that leaves the block quote a secret that `written` names."""
    try:
        yield
    except OptDistError as error:
        text = hidden(str(error), written)
        if text == str(error):
            raise
        raise type(error)(text) from None  # what it came from quotes the secret too


def _forms(value: str) -> list[str]:
    """A value as it is, and as a path is shown."""
    return [form for form in (value, os.path.normpath(value)) if len(form) > _SHORT]
