"""Settings of one raw table, and of a join."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from optdist.config.section import Name, Section, Share

# a registered name, a data source of Spark's by its class, or a class of one's own
FormatName = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*(:[A-Za-z_]\w*)?$")]
FILE_FORMATS = frozenset({"avro", "csv", "delta", "json", "orc", "parquet"})  # these need a path


ColumnType = Literal["string", "int", "bigint", "double", "boolean", "date", "timestamp"]


class TableConfig(Section):
    """One raw table: a file, a folder of files of one format, or what Spark reads elsewhere."""

    path: str = Field(
        default="",
        description="A path of a file or folder, taken as it stands (`*` is not expanded: see "
        "the option `pathGlobFilter`), a URL, or `package:PACKAGE/file` for a file inside an "
        "installed package; with `format: table` the name of a table in Spark's catalog, and with "
        "`format: jdbc` that of a table in the database.",
    )
    format: FormatName = Field(
        default="parquet",
        description="The table's format: parquet, csv, json (one object a line), orc, avro, delta, "
        "iceberg, hudi, jdbc, or table (one of Spark's catalog); another data source of Spark's by "
        "its class, such as `com.crealytics.spark.excel`; or a class of your own as "
        "`package.module:Class`. Files with names such as .csv, .tsv or .jsonl need none.",
    )
    options: dict[str, str] = Field(
        default={},
        description="Options for Spark's reader, such as `sep` or `header`, or `url`, `user` and "
        "`password` of a database. Write secrets as `${env:NAME}`.",
    )
    version: int | str | None = Field(
        default=None,
        description="Which version of a Delta table to read: its number, or a time "
        "(`2024-06-30T12:00:00Z`) for the one that was the newest then. Null: the newest; each run "
        "records which one that was.",
    )
    types: dict[str, ColumnType] = Field(
        default={},
        description="Column -> its type, for columns that are text in the file: string, int, "
        "bigint, double, boolean, date or timestamp. A row whose value cannot be read as that is "
        "quarantined as `unparsable COLUMN`; a blank is null. Text columns that are not named here "
        "get a number's type where an SQL expression needs one and every value is a number.",
    )

    @field_validator("options", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """`header: false` and `maxColumns: 30` are what one writes in YAML."""
        if not isinstance(value, dict):
            return value
        return {k: str(v).lower() if isinstance(v, bool | int) else v for k, v in value.items()}

    @model_validator(mode="after")
    def _has_a_path(self) -> Self:
        if not self.path and self.format in {*FILE_FORMATS, "table"}:
            raise ValueError(f"format: {self.format} needs a path")
        return self


class JoinConfig(Section):
    """A join of one more table to what has been joined so far."""

    table: str = Field(description="The name of the table to join, one of `source.tables`.")
    # `on` would be read as true by YAML
    by: list[str] = Field(description="The columns of both sides that must be equal.")
    how: Literal["left", "inner"] = Field(
        default="left", description="left: keep rows without a match; inner: drop them."
    )
    min_matched: Share = Field(
        default=0,
        description="The least share of rows with a match; below it, and without any, the job "
        "stops.",
    )
    aggregate: dict[Name, str] = Field(
        default={},
        description="New column -> Spark SQL aggregate: the table is first grouped by `by`. Empty: "
        "the table has at most one row per key.",
    )
    valid_from: str | None = Field(
        default=None,
        description="The joined table's column, or a Spark SQL expression over it, with the day or "
        "moment since which a row is valid. Each sample gets the latest row of its key from before "
        "its cut: before a snapshot date, until the end of a first day, before `date`. "
        "`aggregate` then sees all rows from before the cut. Null: the table as it is now.",
    )
    valid_to: str | None = Field(
        default=None,
        description="The same for the last day on which a row is valid, null where it still is. "
        "Null: a row is valid until the next one of its key.",
    )

    @model_validator(mode="after")
    def _from_and_to(self) -> Self:
        if self.valid_to and not self.valid_from:
            raise ValueError("valid_to needs valid_from")
        return self
