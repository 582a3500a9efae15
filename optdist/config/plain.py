"""Reads YAML text as plain values, and refuses what no configuration needs.

YAML can name a value by an alias and repeat it, in itself too, so that a few lines stand for more
than any memory holds; it has keys that are lists, and dates that no calendar has.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

# what PyYAML raises for `2024-02-30`, `!!int x`, `!!bool x` or `!!timestamp x`
_WRONG_VALUES = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
_DEPTH, _VALUES = 50, 100_000  # what a configuration may have at most


def plain_yaml(text: str) -> Any:
    """The value of a YAML text as JSON has it, dates as text.

    Raises:
        ValueError: it is not YAML, or more than a configuration can be; the message says why.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    except RecursionError:
        raise ValueError(_deep()) from None
    except _WRONG_VALUES as error:
        raise ValueError(f"a value is not what its form or its tag says ({error})") from error
    _check(content)
    return json.loads(json.dumps(content, default=str))


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
            raise ValueError(f"it has more than {_VALUES:,} values, aliases included")
        if isinstance(value, dict):
            wrong = [key for key in value if not isinstance(key, str | int | float | None)]
            if wrong:
                raise ValueError(f"the key {str(wrong[0])[:40]!r} is not text")
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            waiting += [(inner, depth + 1) for inner in value]


def _deep() -> str:
    return f"it is nested more than {_DEPTH} deep, or an alias contains itself"
