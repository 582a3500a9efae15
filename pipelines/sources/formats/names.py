"""Writes columns' names for SQL."""

from __future__ import annotations

import re

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def quoted(name: str) -> str:
    """A column's name for SQL, whatever it consists of: dots, blanks, keywords, backticks."""
    return "`" + name.replace("`", "``") + "`"


def plain_or_quoted(name: str) -> str:
    """A column's name for SQL that a person reads: quoted only where it must be."""
    return name if _IDENTIFIER.fullmatch(name) else quoted(name)
