"""Tables that one of Spark's other data sources reads, and those of its catalog."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyspark
from pyspark.sql import DataFrame, SparkSession

from optdist.config.tables import TableConfig
from optdist.files import uri
from pipelines.sources.formats.base import NotPinnedError, PinnedTable
from pipelines.sources.formats.files import FileFormat
from pipelines.sources.formats.kept_rows import keep_rows
from pipelines.sources.formats.paths import resolve_path

# data source -> the package that brings it, for the Spark that is locked
_PACKAGES = {
    "avro": f"org.apache.spark:spark-avro_2.12:{pyspark.__version__}",
    "delta": "io.delta:delta-spark_2.12:3.3.2",
    "hudi": "org.apache.hudi:hudi-spark3.5-bundle_2.12:1.0.2",
    "iceberg": "org.apache.iceberg:iceberg-spark-runtime-3.5_2.12:1.9.2",
}
_NO_ORC = re.compile(
    r"(?:Malformed ORC file|Could not read footer for file:) *(?:file:/*)?(/?\S+?)[.;]*(?:\s|$)"
)


class Orc(FileFormat):
    """ORC files."""

    reader = "orc"

    def explain(self, error: Exception) -> str | None:
        """Files that are not ORC."""
        file = _NO_ORC.search(str(error))
        if file:
            return f"/{file[1].lstrip('/')} is not an ORC file, or is damaged. Get it again."
        return super().explain(error)


class Avro(FileFormat):
    """Avro files, for which Spark needs a package of its own."""

    reader = "avro"

    def explain(self, error: Exception) -> str | None:
        """A missing package."""
        return explain_missing_source(error) or super().explain(error)


class SparkSource:
    """A data source of Spark's, with the options as they are written.

    What Spark reads there may change at any time, so a job reads such a table once.
    """

    def __init__(self, source: str) -> None:
        """Remember the source's name.

        Args:
            source: its short name, such as `iceberg`, or its class.
        """
        self.source = source

    def read(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Read with Spark's reader of the source; a path is passed on where there is one."""
        reader = spark.read.format(self.source).options(**table.options)
        return reader.load(_location(table.path)) if table.path else reader.load()

    def pin(self, spark: SparkSession, name: str, table: TableConfig) -> TableConfig:
        """Read all rows once."""
        return keep_rows(self.read(spark, name, table), table)

    def fingerprint(self, table: TableConfig) -> list[Any]:
        """A hash of the rows that the job keeps."""
        if isinstance(table, PinnedTable):
            return table.content
        raise NotPinnedError(f"What {self.source} has is not known before it is read.")

    def explain(self, error: Exception) -> str | None:
        """A missing package."""
        return explain_missing_source(error)


class CatalogTable(SparkSource):
    """A table or view of Spark's catalog, by its name."""

    def __init__(self) -> None:
        """A table has no source to name."""
        super().__init__("table")

    def read(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Read a table of a catalog that the session knows."""
        return spark.read.options(**table.options).table(table.path)

    def explain(self, error: Exception) -> str | None:
        """Names that the catalog does not have, or that are none."""
        text = str(error)
        if "TABLE_OR_VIEW_NOT_FOUND" in text or "SCHEMA_NOT_FOUND" in text:
            return (
                "Spark's catalog has no such table or view. Write its whole name, such as "
                "database.table; a metastore is connected by spark-submit's "
                "--conf spark.sql.catalogImplementation=hive and its hive-site.xml."
            )
        if "PARSE_SYNTAX_ERROR" in text or "INVALID_IDENTIFIER" in text:
            return "This is not a table's name. Write backticks around a part with other signs."
        return super().explain(error)


def explain_missing_source(error: Exception) -> str | None:
    """Which package to pass where Spark does not have a data source; None: another error."""
    missing = re.search(r"[Ff]ailed to find (?:the )?data source: ([\w.]+?)\.?\s", f"{error} ")
    if not missing:
        return None
    source = missing[1]
    package = _PACKAGES.get(source, "the package that has it")
    return (
        f"This Spark has no data source {source}. Pass it to spark-submit.sh: "
        f"--packages {package}, or its jar with --jars."
    )


def _location(path: str) -> str:
    """A path of this machine in full, where there is such a file; a name or URL as it is."""
    resolved = resolve_path(path)
    return uri(resolved) if "://" in resolved or Path(resolved).exists() else path
