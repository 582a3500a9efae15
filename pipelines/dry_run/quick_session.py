"""Starts the Spark session of a dry run."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pyspark.sql import SparkSession

from pipelines.session import spark_session

_OPTIONS = "SPARK_SUBMIT_OPTS"  # of the Java that spark-submit starts
_ONE_COMPILER = "-XX:TieredStopAtLevel=1"


def quick_session(settings: Mapping[str, str], app_name: str) -> SparkSession:
    """A session whose Java, if it is not running yet, does without the slower of its compilers.

    That one optimises what runs for minutes; a dry run is over before.

    Args:
        settings: Spark's settings, the section `spark`.
        app_name: the job's name in Spark's lists.
    """
    given = os.environ.get(_OPTIONS)
    os.environ[_OPTIONS] = f"{_ONE_COMPILER} {given or ''}".strip()
    try:
        return spark_session(settings, app_name)
    finally:
        if given is None:
            del os.environ[_OPTIONS]
        else:
            os.environ[_OPTIONS] = given
