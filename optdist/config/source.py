"""The source section of a data set: raw tables, and how their rows become samples.

Every kind of source has tables, joins, derived columns and a condition. Rows of a table can be
samples already (here), or transactions (`transactions.py`); `kinds.py` finds the class of a kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from optdist.config.section import Section, repeated
from optdist.config.tables import JoinConfig, TableConfig

KIND = (
    "What a row of the main table is: samples, or transactions, which need first_purchase or "
    "snapshots; or a class of your own as `package.module:Class`."
)


@dataclass(frozen=True)
class Expression:
    """A Spark SQL expression of a source, and what it defines."""

    setting: str  # for messages
    sql: str
    names: tuple[str, ...] = ()  # the columns that it defines
    step: int = 0  # those of one step see the columns of steps before
    table: str | None = None  # the joined table whose rows it aggregates; None: the joined rows


class SourceConfig(Section):
    """Where raw rows come from and how they become samples; each kind is a subclass.

    A subclass for a new kind sets what differs below, and a class of `pipelines.features` makes
    its samples.
    """

    # the setting that chooses the samples' days, and tells kinds of the same name apart
    chooser: ClassVar[str | None] = None
    # settings that may change with each delivery of data without changing what a sample means
    of_delivery: ClassVar[frozenset[str]] = frozenset()
    _missing_day: ClassVar[str] = "let the source's class have `known_before`"

    kind: str = Field(description=KIND)
    tables: Annotated[dict[str, TableConfig], Field(min_length=1)] = Field(
        description="Name -> raw table; the first is the main table."
    )
    joins: list[JoinConfig] = Field(
        default=[], description="Tables to join to the main table, in this order."
    )
    columns: dict[str, str] = Field(
        default={}, description="New column -> Spark SQL expression, computed after the joins."
    )
    where: str | None = Field(
        default=None,
        description="A Spark SQL condition that rows must meet, after `columns`. Null: all rows.",
    )

    @property
    def cut(self) -> str | None:
        """The column with the day that parts a sample's features from its label; None: no day."""
        return None

    @property
    def label_days(self) -> tuple[int, int] | None:
        """First and last day of the label's window, counted from the cut, both inclusive."""
        return None

    @property
    def known_before(self) -> tuple[str, int] | None:
        """A column of a sample's day, and days to add: features know what was before that day.

        None: samples have no day, so that no table can be joined as of what was known.
        """
        return None

    @property
    def row_joins(self) -> list[JoinConfig]:
        """The joins to the main table's rows, before samples are made of them."""
        return self.joins

    @property
    def key_dates(self) -> list[str]:
        """The date columns that name a sample together with the id: none if an id has one."""
        return []

    @property
    def carried(self) -> list[str]:
        """The columns that scores carry next to the id."""
        return [self.cut] if self.cut else []

    @property
    def label_columns(self) -> list[str]:
        """Raw columns that give the label away, so that none of them can be a feature."""
        return []

    @property
    def expressions(self) -> list[Expression]:
        """All SQL expressions over raw columns, which decide what type a column of text gets."""
        aggregates = [
            Expression(f"joins[].aggregate.{name}", sql, (name,), 0, join.table)
            for join in self.joins
            for name, sql in join.aggregate.items()
        ]
        columns = [
            Expression(f"columns.{name}", sql, (name,), step)
            for step, (name, sql) in enumerate(self.columns.items(), 1)
        ]
        where = [Expression("where", self.where, (), len(columns) + 1)] if self.where else []
        return aggregates + columns + where

    @model_validator(mode="after")
    def _joins_name_tables(self) -> Self:
        unknown = [join.table for join in self.joins if join.table not in self.tables]
        if unknown:
            raise ValueError(f"joins name tables that are not in tables: {', '.join(unknown)}")
        return self

    @model_validator(mode="after")
    def _aggregates_differ(self) -> Self:
        names = [name.lower() for join in self.joins for name in join.aggregate]
        twice = repeated(names)
        if twice:
            raise ValueError(
                f"joins whose aggregates make the same column: {', '.join(twice)}. Give them "
                f"different names"
            )
        return self

    @model_validator(mode="after")
    def _samples_have_a_day(self) -> Self:
        dated = [join.table for join in self.joins if join.valid_from]
        if dated and self.known_before is None:
            raise ValueError(
                f"the join with {dated[0]} has valid_from, which needs the day of each sample: "
                f"{self._missing_day}"
            )
        return self


class SamplesSourceConfig(SourceConfig):
    """A row of the main table is a sample, and a column has its label."""

    kind: Literal["samples"] = Field(description=KIND)
    label: str = Field(description="The column with the label, in currency units, at least 0.")
    date: str | None = Field(
        default=None,
        description="The column with the day or moment of a sample, before which its features are "
        "known: joins with `valid_from` need it. Null: samples have no day.",
    )

    _missing_day: ClassVar[str] = "set source.date to the main table's column that has it"

    @property
    def known_before(self) -> tuple[str, int] | None:
        """The sample's day."""
        return (self.date, 0) if self.date else None

    @property
    def label_columns(self) -> list[str]:
        """The label's column."""
        return [self.label]
