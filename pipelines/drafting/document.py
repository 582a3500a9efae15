"""Writes a data set's YAML with comments."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_WIDTH = 100
Path = tuple[str, ...]


@dataclass
class Document:
    """A mapping in YAML, the comments above its keys, and those at its beginning."""

    content: dict[str, Any] = field(default_factory=dict)
    head: list[str] = field(default_factory=list)
    comments: dict[Path, list[str]] = field(default_factory=dict)
    facts: list[str] = field(default_factory=list)  # counts, which are told at the beginning
    doubts: list[str] = field(default_factory=list)  # what is too little
    notes: list[str] = field(default_factory=list)  # what to look at

    def explain(self, text: str, *path: str) -> None:
        """Add a comment above a key."""
        self.comments.setdefault(path, []).append(text)

    def __str__(self) -> str:
        lines = [line for text in self.head for line in _comment(text, 0)]
        for key, value in self.content.items():
            if lines and isinstance(value, Mapping):
                lines.append("")
            lines += _entry(key, value, (key,), self.comments, 0)
        return "\n".join(line.rstrip() for line in lines) + "\n"


def _entry(
    key: str, value: Any, path: Path, comments: Mapping[Path, list[str]], indent: int
) -> Iterator[str]:
    for text in comments.get(path, []):
        yield from _comment(text, indent)
    blank, name = " " * indent, _scalar(key)
    if _is_flat(value):
        line = f"{blank}{name}: {_flow(value)}"
        quotes = isinstance(value, dict) and "'" in line  # SQL is read more easily on its own line
        if not value or not isinstance(value, list | dict) or (len(line) <= _WIDTH and not quotes):
            yield line
            return
    yield f"{blank}{name}:"
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _item(item, (*path, str(number)), comments, indent + 2)
        return
    for inner, below in value.items():
        yield from _entry(inner, below, (*path, inner), comments, indent + 2)


def _item(value: Any, path: Path, comments: Mapping[Path, list[str]], indent: int) -> Iterator[str]:
    """An item of a list: a mapping's keys stand behind and below the dash."""
    if _is_flat(value):
        yield f"{' ' * indent}- {_flow(value)}"
        return
    for text in comments.get(path, []):
        yield from _comment(text, indent)
    lines = [
        line
        for key, below in value.items()
        for line in _entry(key, below, (*path, key), comments, indent + 2)
    ]
    yield f"{' ' * indent}- {lines[0].lstrip()}"
    yield from lines[1:]


def _comment(text: str, indent: int) -> list[str]:
    """Lines of a comment; control characters of names do not leave it."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split(" "))
    if not plain.strip():
        return [" " * indent + "#"]
    width = _WIDTH - indent - 2
    broken = textwrap.wrap(plain, width, break_long_words=False, break_on_hyphens=False)
    return [f"{' ' * indent}# {line}" for line in broken]


def _is_flat(value: Any) -> bool:
    """Whether a value is written on one line: a scalar, or a short collection of such."""
    if isinstance(value, dict):
        inner = [x for v in value.values() for x in (v.values() if isinstance(v, dict) else [v])]
        return len(value) < 6 and not any(isinstance(x, list | dict) for x in inner)
    if isinstance(value, list):
        return not any(isinstance(x, list | dict) for x in value)
    return True


def _flow(value: Any) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False
    )
    return str(text).removesuffix("\n...\n").rstrip("\n")


def _scalar(value: Any) -> str:
    return _flow(value)
