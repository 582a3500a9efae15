"""Formats whose tables are a file or a folder of files: what they share, and CSV."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from optdist.config.tables import TableConfig
from optdist.files import uri
from pipelines.sources.formats.base import RAGGED
from pipelines.sources.formats.content import explain_damage
from pipelines.sources.formats.folders import refuse_remote_table_formats, table_files
from pipelines.sources.formats.headers import column_names, has_blanks, read_header
from pipelines.sources.formats.messages import first_line
from pipelines.sources.formats.options import require_csv_options
from pipelines.sources.formats.partitions import AS_TEXT, spark_settings, typed_partitions
from pipelines.sources.formats.paths import files_fingerprint, lower_keys, resolve_path
from pipelines.sources.formats.suffixes import suffix

Options = Mapping[str, str]


class FileFormat:
    """Files that one of Spark's readers reads."""

    reader: ClassVar[str]
    defaults: ClassVar[Options] = {}  # options, which the table's own override

    def read(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Read a file or folder with Spark's reader, after a look at its files."""
        path = resolve_path(table.path)
        if "://" in path:
            refuse_remote_table_formats(spark, path)
            files = []
        else:
            files = table_files(name, path, table.options)
        options = {**self.defaults, **table.options}
        with spark_settings(spark, AS_TEXT):
            rows = self.load(spark, path, files, options)
        return typed_partitions(rows, partition_files(rows, path, files))

    def load(
        self, spark: SparkSession, path: str, files: list[Path], options: Options
    ) -> DataFrame:
        """Let Spark read what has been looked at.

        Args:
            spark: the session.
            path: a path of this machine, or a URL.
            files: the files at a path of this machine; none for a URL.
            options: options of Spark's reader.

        Raises:
            DataError: a file is not what the format needs.
        """
        return load(spark, self.reader, path, options)

    def fingerprint(self, table: TableConfig) -> list[Any]:
        """Names, sizes and times of the files."""
        return files_fingerprint(table.path, table.options)

    def explain(self, error: Exception) -> str | None:
        """Files that end early or have wrong bytes, and encodings that Java does not know."""
        text = str(error)
        file = _FILE.search(text)
        if _DAMAGED.search(text):
            if file:
                return explain_damage(file[1])
            return (
                "A compressed file is damaged or cut short: it cannot be read to its end. Find it "
                "with gzip -t or bzip2 -t, and get it again."
            )
        encoding = re.search(r"Unsupported(?:Encoding|Charset)Exception: (.*)", text)
        if encoding:
            return f"There is no encoding {encoding[1]}. Change the option encoding."
        return f"{file[1]} cannot be read: {first_line(error)}" if file else None


_FILE = re.compile(r"error while reading file (\S+?)\.?\s")
_DAMAGED = re.compile(
    r"[Uu]nexpected end of (?:input stream|stream|ZLIB)|ZipException|not a gzip file|"
    r"incorrect (?:data|header) check|invalid (?:stored )?block|bad block header|crc error|"
    r"invalid (?:distance|code|bit length)"
)


def load(
    spark: SparkSession,
    reader: str,
    path: str | list[Path],
    options: Options,
    schema: StructType | None = None,
) -> DataFrame:
    """Read a path or URL with one of Spark's readers.

    Args:
        spark: the session.
        reader: the reader's name.
        path: a path of this machine, taken as it stands, several, or a URL, which may have a
            pattern.
        options: the reader's options.
        schema: the columns; None: as the reader finds them.
    """
    frames = spark.read.format(reader).options(**options)
    paths = [path] if isinstance(path, str) else [str(file) for file in path]
    if "://" not in paths[0]:  # [ and * are letters of a file's name
        frames = frames.option("__globPaths__", "false")
    return (frames if schema is None else frames.schema(schema)).load([uri(p) for p in paths])


def partition_files(rows: DataFrame, path: str, files: list[Path]) -> list[str]:
    """The paths of a table's files below its own path.

    Args:
        rows: the table.
        path: a path of this machine, or a URL.
        files: the files at a path of this machine; none for a URL.
    """
    listed = [str(file) for file in files] or rows.inputFiles()
    return [file.removeprefix(path) for file in listed]


_PARTITION = re.compile(r"/[^/=]+=[^/]*/")


def _texts(names: list[str]) -> StructType:
    return StructType([StructField(name, StringType()) for name in names])


class Csv(FileFormat):
    """CSV with a header; values stay text until a column's use decides their type."""

    reader = "csv"
    # enforceSchema=false: headers of a folder's files that were not compared here must be the same
    defaults: ClassVar[Options] = {"header": "true", "escape": '"', "enforceSchema": "false"}
    _OTHER_HEADER = re.compile(r"CSV header does not|Number of column in CSV header is not equal")

    def read(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Read the columns of the file."""
        return self.read_marked(spark, name, table).drop(RAGGED)

    def read_marked(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Read with a column that has the line of each row of more or fewer fields, else null.

        Spark fills or cuts such rows without a word. A table with a `mode` of its own has no marks.
        """
        return super().read(spark, name, table)

    def load(
        self, spark: SparkSession, path: str, files: list[Path], options: Options
    ) -> DataFrame:
        """Read text columns, named by the header that was read here, and mark ragged rows."""
        require_csv_options(options)
        if files and all(suffix(file) in {".tsv", ".tab"} for file in files):
            options = {"sep": "\t", **options}
        header = read_header(files, options) if files else None
        if header is None:
            rows = load(spark, self.reader, path, options)
            if any(_PARTITION.search(file) for file in rows.inputFiles()):
                return rows  # which columns are of the file is not known
            return self._load_marked(spark, path, options, rows.columns) or rows
        options = {**options, "enforceSchema": "true"}
        if has_blanks(header):
            blanks = ("ignoreLeadingWhiteSpace", "ignoreTrailingWhiteSpace")
            options = {**dict.fromkeys(blanks, "true"), **options}
        names = column_names(header)
        if lower_keys(options).get("inferschema", "false").lower() == "true":
            rows = load(spark, self.reader, path, options)
            return rows.toDF(*names, *rows.columns[len(names) :])
        marked = self._load_marked(spark, path, options, names)
        return marked or load(spark, self.reader, path, options, _texts(names))

    def _load_marked(
        self, spark: SparkSession, path: str, options: Options, names: list[str]
    ) -> DataFrame | None:
        """The rows with the mark; None where the options decide what happens to ragged rows."""
        own = lower_keys(options)
        if own.keys() & {"mode", "columnnameofcorruptrecord"} or "inferschema" in own:
            return None
        # columns that nothing reads are parsed too, for they decide how many fields there are
        marking = {"columnNameOfCorruptRecord": RAGGED, "columnPruning": "false"}
        rows = load(spark, self.reader, path, {**options, **marking}, _texts([*names, RAGGED]))
        sep = own.get("sep", own.get("delimiter", ","))
        return rows.withMetadata(RAGGED, {"columns": names, "sep": sep})

    def explain(self, error: Exception) -> str | None:
        """Files whose headers differ, and lines that are too long."""
        text = str(error)
        if "TextParsingException" in text:
            return (
                "A line of a CSV table has more fields, or a field more letters, than Spark takes. "
                "Raise the options maxColumns or maxCharsPerColumn, or look for a quote that does "
                "not end."
            )
        if not self._OTHER_HEADER.search(text):
            return super().explain(error)
        file = re.search(r"CSV file: (\S+)", text)
        return (
            f"The header of {file[1] if file else 'a CSV file'} has doubled or unnamed columns, or "
            f"differs from that of another file of its folder. All files of a table need the same "
            f"columns in the same order."
        )
