"""Reads JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pyspark.sql import DataFrame, SparkSession

from optdist.errors import DataError
from pipelines.sources.formats.content import open_unpacked, require_text
from pipelines.sources.formats.files import FileFormat, Options, load
from pipelines.sources.formats.messages import SPARK_ERRORS
from pipelines.sources.formats.paths import lower_keys

_SEVERAL_LINES = "If its objects have several lines, set options: {multiLine: true}."


class JsonLines(FileFormat):
    """JSON, one object a line; a line that is not one stops the read."""

    reader = "json"
    defaults: ClassVar[Options] = {"mode": "FAILFAST"}

    def load(
        self, spark: SparkSession, path: str, files: list[Path], options: Options
    ) -> DataFrame:
        """Read objects after a look at each file's first line."""
        several = lower_keys(options).get("multiline", "false").lower() == "true"
        texts = {file: require_text(file, options) for file in files}
        if files and not any(text is None or text.strip() for text in texts.values()):
            raise DataError(f"{files[0]} is empty. Export it again.")
        for file, text in texts.items():
            if text and not several:
                _require_object(file, text)
        try:
            return load(spark, self.reader, path, options)
        except SPARK_ERRORS as error:
            place = None if several else _first_bad_line(files)
            if place is None:
                raise
            raise DataError(place) from error

    def explain(self, error: Exception) -> str | None:
        """Text that is not JSON."""
        text = str(error)
        if "MALFORMED_RECORD" in text or "Malformed records are detected" in text:
            return f"A line is not a JSON object. Correct the line, or remove it. {_SEVERAL_LINES}"
        return super().explain(error)


def _require_object(file: Path, text: str) -> None:
    line = next((line for line in text.splitlines() if line.strip()), "")
    if line.lstrip().startswith("["):
        raise DataError(
            f"{file} is a JSON array, not one object a line. Set options: {{multiLine: true}}."
        )
    if not line.lstrip().startswith("{"):
        raise DataError(
            f"{file} does not begin with a JSON object. Set the table's format, such as csv."
        )
    if len(line) < len(text.rstrip()) and not _is_object(line):
        raise DataError(_explain_line(file, text[: text.index(line)].count("\n") + 1))


def _first_bad_line(files: list[Path]) -> str | None:
    """Which line Spark has stopped at; None where none is found."""
    for file in files:
        with open_unpacked(file) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip() and not _is_object(line):
                    return _explain_line(file, number)
    return None


def _is_object(line: str | bytes) -> bool:
    try:
        return isinstance(json.loads(line), Mapping)
    except ValueError:  # also of its encoding
        return False


def _explain_line(file: Path, number: int) -> str:
    return (
        f"Line {number} of {file} is not a JSON object. Correct the line, or remove it. "
        f"{_SEVERAL_LINES}"
    )
