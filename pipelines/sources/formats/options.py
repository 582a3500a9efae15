"""Checks the options of Spark's CSV reader, which it reads only once rows are parsed."""

from __future__ import annotations

from collections.abc import Mapping

from optdist.errors import DataError
from pipelines.sources.formats.paths import lower_keys

_BOOLEANS = (
    *("header", "multiLine", "inferSchema", "enforceSchema", "recursiveFileLookup"),
    *("ignoreLeadingWhiteSpace", "ignoreTrailingWhiteSpace"),
)
_NUMBERS = ("maxColumns", "maxCharsPerColumn")
_SIGNS = ("quote", "escape", "comment")


def require_csv_options(options: Mapping[str, str]) -> None:
    """Refuse values that Spark cannot use.

    Args:
        options: options of Spark's reader.

    Raises:
        DataError: naming the option and what it takes.
    """
    given = lower_keys(options)
    for names, is_right, values in (
        (_BOOLEANS, _is_boolean, "true or false"),
        (_NUMBERS, _is_count, "a whole number"),
        (_SIGNS, _is_sign, "one character, or nothing"),
    ):
        for name in names:
            value = given.get(name.lower())
            if value is not None and not is_right(value):
                raise DataError(
                    f"The option {name} of a CSV table must be {values}: {value[:40]!r}."
                )


def _is_boolean(value: str) -> bool:
    return value.lower() in {"true", "false"}


def _is_count(value: str) -> bool:
    return value == "-1" or (value.isascii() and value.isdigit() and 0 < int(value[:12]) < 2**31)


def _is_sign(value: str) -> bool:
    return len(value) < 2 and value not in {"\n", "\r"}
