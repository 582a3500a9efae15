"""Settings of one raw table, and of a join."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from optdist.config.section import Name, Section, Share

# a registered name, or a class of one's own
FormatName = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$|^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


ColumnType = Literal["string", "int", "bigint", "double", "boolean", "date", "timestamp"]


class TableConfig(Section):
    """One raw table: a file, or a folder of files of one format."""

    path: str = Field(
        description="A path of a file or folder, taken as it stands (`*` is not expanded: see "
        "the option `pathGlobFilter`), a URL, or `package:PACKAGE/file` for a file inside an "
        "installed package."
    )
    format: FormatName = Field(
        default="parquet",
        description="The table's format: parquet, csv or json (one object a line), or a class of "
        "your own as `package.module:Class`. Files with names such as .csv, .tsv or .jsonl need "
        "none.",
    )
    options: dict[str, str] = Field(
        default={}, description="Options for Spark's reader, such as `sep` or `header`."
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
