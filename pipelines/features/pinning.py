"""Gives a job tables that stay as they are while it reads them several times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from optdist.config import Config, SourceConfig
from pipelines.sources.formats.registry import pinned_tables


@contextmanager
def pinned_config(spark: SparkSession, config: Config) -> Iterator[Config]:
    """The configuration with tables that stay as they are now while the block runs.

    Args:
        spark: the session.
        config: the configuration.

    Raises:
        DataError: a table cannot be read.
    """
    with pinned_tables(spark, config.dataset.source) as source:
        dataset = config.dataset.model_copy(update={"source": source})
        yield config.model_copy(update={"dataset": dataset})


def table_versions(source: SourceConfig) -> dict[str, int]:
    """The versions of pinned tables that have one."""
    return {n: t.version for n, t in source.tables.items() if isinstance(t.version, int)}
