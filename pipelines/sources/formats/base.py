"""What a table format must know."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from pyspark.sql import DataFrame, SparkSession

from optdist.config.tables import TableConfig
from optdist.errors import DataError

RAGGED = "_ragged_line"  # the whole line of a row that has more or fewer fields than the header
# column -> its text, of the columns whose text is not of their type; null where all are
UNPARSED = "_unparsed"
MARKS = (RAGGED, UNPARSED)  # columns that say why a row cannot be used, next to those of the tables


def not_a_mark(name: str) -> str:
    """The name of a table's own column, which is another one where marks have that name."""
    return f"{name} (of the table)" if name.lower() in MARKS else name


@runtime_checkable
class TableFormat(Protocol):
    """Reads one format of raw tables; `source.tables.NAME.format` names it.

    A format of one's own is a class with these methods and no constructor arguments, named in the
    data set's YAML as `package.module:Class`.
    """

    def read(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Read a table, lazily.

        Args:
            spark: the session.
            name: the table's name in `source.tables`, for errors.
            table: where the table is, and the reader's options.

        Raises:
            DataError: the table cannot be read, saying what to do.
        """

    def fingerprint(self, table: TableConfig) -> list[Any]:
        """What changes when the table's content does, as JSON, without secrets.

        Raises:
            DataError: there is no such table.
            NotPinnedError: only a table that has been read can tell.
        """

    def explain(self, error: Exception) -> str | None:
        """What an error of Spark, raised while rows are read, means; None: not known."""


@runtime_checkable
class MarksRows(Protocol):
    """A format that can tell which rows its reader has cut or filled."""

    def read_marked(self, spark: SparkSession, name: str, table: TableConfig) -> DataFrame:
        """Read a table with a column `_ragged_line`: such a row's text, else null.

        Args:
            spark: the session.
            name: the table's name in `source.tables`, for errors.
            table: where the table is, and the reader's options.
        """


@runtime_checkable
class Pins(Protocol):
    """A format whose tables may change while a job reads them several times."""

    def pin(self, spark: SparkSession, name: str, table: TableConfig) -> TableConfig:
        """The table as it is now: what reads this reads the same rows, however often.

        Args:
            spark: the session.
            name: the table's name in `source.tables`, for errors.
            table: where the table is, and the reader's options.

        Raises:
            DataError: the table cannot be read, saying what to do.
        """


class PinnedTable(TableConfig):
    """A table whose rows a job has read and keeps while it runs."""

    view: str  # Spark's temporary view of the rows
    content: list[Any]  # a fingerprint of the rows


class NotPinnedError(DataError):
    """A table's content is not known before it has been read."""
