"""Writes columns' names for SQL."""

from __future__ import annotations


def quoted(name: str) -> str:
    """A column's name for SQL, whatever it consists of: dots, blanks, keywords, backticks."""
    return "`" + name.replace("`", "``") + "`"
