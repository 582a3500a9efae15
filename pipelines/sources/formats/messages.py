"""Spark's errors: which there are, and what their messages say in one line."""

from __future__ import annotations

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

SPARK_ERRORS = (Py4JJavaError, PySparkException)


def first_line(error: Exception) -> str:
    """The first line of what Spark says, without its guesses, as a sentence.

    Of an error of Java, which prints its stack, it is the last cause's.
    """
    lines = str(error).strip().splitlines()
    causes = [line.strip() for line in lines if line.strip().startswith("Caused by: ")]
    if causes:
        line = causes[-1].removeprefix("Caused by: ")
    elif len(lines) > 1 and lines[1].startswith(": "):  # of py4j
        line = lines[1].removeprefix(": ")
    else:
        line = lines[0]
    return line.split(" Did you mean")[0].rstrip(".") + "."
