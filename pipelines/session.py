"""Spark sessions, and paths as Spark is told them."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from optdist.config import Config


def spark_session(config: Config, app_name: str) -> SparkSession:
    """The session of this job: the submitter's settings, then those of the config."""
    builder = SparkSession.builder.appName(app_name)
    for key, value in config.spark.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def uri(path: str | Path) -> str:
    """A path with its scheme: without one Spark takes it to be on the cluster's default storage.

    Nothing is percent-encoded, for Spark reads the text as it stands. A URL stays as it is.
    """
    text = str(path)
    return text if "://" in text else f"file://{Path(text).absolute()}"
