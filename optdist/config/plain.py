"""Reads YAML text as plain values, and refuses what no configuration needs.

YAML can name a value by an alias and repeat it, in itself too, or merge it into another one, so
that a few lines stand for more than any memory holds; it has keys that are lists, and dates that no
calendar has. An error's text quotes no value, which may be a password.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

# what PyYAML raises for `2024-02-30`, `!!int x`, `!!bool x` or `!!timestamp x`
_WRONG_VALUES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
_DEPTH, _VALUES = 50, 100_000  # what a configuration may have at most
_CHARACTERS = 10_000_000
_QUOTED = re.compile(r"'(?!<)[^']{3,}'")  # a name of the text; '<stream end>' is PyYAML's own


def plain_yaml(text: str) -> Any:
    """The value of a YAML text as JSON has it, dates as text.

    Raises:
        ValueError: it is not YAML, or more than a configuration can be; the message says why.
    """
    if len(text) > _CHARACTERS:
        raise ValueError(f"it has more than {_CHARACTERS:,} characters")
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            _refuse_many(node)
            content = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ValueError(_without_quotes(error)) from None
    except RecursionError:
        raise ValueError(_deep()) from None
    except _Large as error:
        raise ValueError(str(error)) from None
    except _WRONG_VALUES as error:
        kind = type(error).__name__
        raise ValueError(f"a value is not what its form or its tag says ({kind})") from None
    _check(content)
    return json.loads(json.dumps(content, default=str))


class _Large(Exception):
    """More values than a configuration can have."""


def _refuse_many(root: yaml.Node | None) -> None:
    """Refuse a document that stands for too many values, before PyYAML merges or copies any.

    Each alias counts as often as it is used; it is counted once, so that this takes no time.
    """
    counts = dict[int, int]()

    def count(node: yaml.Node) -> int:
        if id(node) not in counts:
            counts[id(node)] = _VALUES + 1  # as an alias within itself
            counts[id(node)] = 1 + sum(map(count, _children(node)))
        return counts[id(node)]

    if root is not None and count(root) > _VALUES:
        raise _Large(_many())


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _without_quotes(error: yaml.YAMLError) -> str:
    """What PyYAML says, with the place and without the line that it quotes."""
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", "") or "wrong form")
    problem = _QUOTED.sub("'…'", problem)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if not mark:
        return problem
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})"


def _check(content: Any) -> None:
    """Raise a ValueError for values that are too many or too deep, and for keys that are no text.

    Each alias counts as often as it is used.
    """
    count = 0
    waiting = [(content, 0)]  # a value and its depth
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > _DEPTH:
            raise ValueError(_deep())
        if count > _VALUES:
            raise ValueError(_many())
        if isinstance(value, dict):
            wrong = [key for key in value if not isinstance(key, str | int | float | None)]
            if wrong:
                raise ValueError(f"the key {str(wrong[0])[:40]!r} is not text")
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]


def _many() -> str:
    return f"it has more than {_VALUES:,} values, aliases included, or an alias contains itself"


def _deep() -> str:
    return f"it is nested more than {_DEPTH} deep, or an alias contains itself"
