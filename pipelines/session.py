"""Spark sessions."""

from __future__ import annotations

from pyspark.sql import SparkSession

from optdist.config import Config


def spark_session(config: Config, app_name: str) -> SparkSession:
    """The session of this job: the submitter's settings, then those of the config."""
    builder = SparkSession.builder.appName(app_name)
    for key, value in config.spark.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()
