"""Formats whose tables are a file or a folder of files: CSV, Parquet, JSON lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession

from optdist.config.tables import TableConfig
from optdist.errors import DataError
from optdist.files import uri
from pipelines.sources.formats.messages import first_line
from pipelines.sources.formats.paths import files_fingerprint, resolve_path


class FileFormat:
    """Files that one of Spark's readers reads."""

    reader: ClassVar[str]
    defaults: ClassVar[Mapping[str, str]] = {}  # options, which the table's own override

    def read(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Read a file or folder with Spark's reader."""
        path = resolve_path(table.path)
        reader = spark.read.format(self.reader).options(**{**self.defaults, **table.options})
        try:
            return reader.load(uri(path))
        except AnalysisException as error:
            raise DataError(
                f"The table {name} cannot be read from {path}: {first_line(error)} "
                f"Set dataset.source.tables.{name}.path."
            ) from error

    def fingerprint(self, table: TableConfig) -> list[Any]:
        """Names, sizes and times of the files."""
        return files_fingerprint(table.path)

    def explain(self, error: Exception) -> str | None:
        """Nothing is known of this format's errors."""
        return None


class Parquet(FileFormat):
    """Parquet files."""

    reader = "parquet"


class JsonLines(FileFormat):
    """JSON, one object a line."""

    reader = "json"


class Csv(FileFormat):
    """CSV with a header; values stay text until a column's use decides their type."""

    reader = "csv"
    # enforceSchema=false: files of a folder whose headers differ are an error, not a mix-up
    defaults: ClassVar[Mapping[str, str]] = {
        "header": "true",
        "escape": '"',
        "enforceSchema": "false",
    }
    _OTHER_HEADER = re.compile(r"CSV header does not|Number of column in CSV header is not equal")

    def explain(self, error: Exception) -> str | None:
        """Files whose headers differ."""
        text = str(error)
        if not self._OTHER_HEADER.search(text):
            return None
        file = re.search(r"CSV file: (\S+)", text)
        return (
            f"The header of {file[1] if file else 'a CSV file'} differs from that of another file "
            f"of its folder. All files of a table need the same columns in the same order."
        )
