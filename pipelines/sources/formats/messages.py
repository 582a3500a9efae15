"""Shortens Spark's messages."""

from __future__ import annotations

from pyspark.errors import AnalysisException


def first_line(error: AnalysisException) -> str:
    """The first line of Spark's message, without its guesses, as a sentence."""
    return str(error).strip().splitlines()[0].split(" Did you mean")[0].rstrip(".") + "."
