"""The source section of a data set: raw tables, and how their rows become samples.

Samples are rows of a table, or are made of transactions in one of two ways: at each entity's first
purchase, or of every known entity at each of several snapshot dates.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from optdist.config.section import Name, Positive, Section

Suffix = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]

FIRST_DAY, SNAPSHOT_DATE = "first_day", "snapshot_date"
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_DAYS = {"day": 1, "week": 7}


class TableConfig(Section):
    """One raw table: a file, or a folder of files of one format."""

    path: str  # a path, a URL, or `package:PACKAGE/file` for a file inside an installed package
    format: Literal["parquet", "csv"] = "parquet"
    options: dict[str, str] = {}  # passed on to Spark's reader

    @field_validator("options", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """`header: false` and `maxColumns: 30` are what one writes in YAML."""
        if not isinstance(value, dict):
            return value
        return {k: str(v).lower() if isinstance(v, bool | int) else v for k, v in value.items()}


class JoinConfig(Section):
    """A join of one more table to what has been joined so far."""

    table: str
    by: list[str]  # column names of both sides (`on` would be read as true by YAML)
    how: Literal["left", "inner"] = "left"
    aggregate: dict[Name, str] = {}  # name -> SQL aggregate; the table is first grouped by `by`


class FirstPurchaseConfig(Section):
    """One sample per entity, at its first event (paper 4.1.1, Kaggle).

    Features see the first day and what was before it; the label is the spend on days
    1..horizon_days after it.
    """

    start: dt.date  # first day inclusive
    end: dt.date | None = None  # last day inclusive; None: as far as label windows have ended

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        return self


class SnapshotsConfig(Section):
    """One sample per date and entity that had an event before the date.

    A snapshot is taken before the date's first event: features see days before the date, and the
    label is the spend on the date and the horizon_days - 1 days after it.
    """

    dates: list[dt.date] = []  # either a list, or a series:
    start: dt.date | None = None  # its first date
    end: dt.date | None = None  # no date is after it; None: as far as label windows have ended
    every: (
        Annotated[str, Field(pattern=r"^([1-9]\d* )?(day|week|month|quarter|year)s?$")] | None
    ) = None

    @model_validator(mode="after")
    def _list_or_series(self) -> Self:
        series = (self.start, self.end, self.every)
        whole = self.start is not None and self.every is not None
        if any(series) if self.dates else not whole:
            raise ValueError("give either dates, or start, every and, for a series that ends, end")
        if self.start and self.end and self.end < self.start:
            raise ValueError(f"end {self.end} is before start {self.start}")
        if self.start and self.start.day > 28 and self._step[1]:
            raise ValueError("a series of months starts on one of the days 1..28, which all have")
        return self

    @property
    def _step(self) -> tuple[int, int]:
        """Days and months from one date to the next."""
        *count, unit = (self.every or "").removesuffix("s").split()
        number = int(count[0]) if count else 1
        return number * _DAYS.get(unit, 0), number * _MONTHS.get(unit, 0)

    def days(self, last: dt.date) -> list[dt.date]:
        """The dates in order; a series without `end` goes on to `last`, but has its first date."""
        if self.start is None:
            return sorted(set(self.dates))
        end = self.end or max(self.start, last)
        days, months = self._step
        made = [self.start]
        while made[-1] <= end:
            month = self.start.month - 1 + len(made) * months
            moved = self.start.replace(year=self.start.year + month // 12, month=month % 12 + 1)
            made.append(moved + dt.timedelta(len(made) * days))
        return made[:-1]


class HistoryConfig(Section):
    """Aggregates over the events of `key` strictly before the sample's first day or snapshot date.

    Beside the events' columns they see `days_before`, counted back from that day, and
    `days_since_previous`: days between a day with events of the key and the one before it, on one
    event of each day and null on the others, so that its mean and deviation are those of the gaps.
    """

    key: list[str]
    features: dict[Name, str]  # name -> Spark SQL aggregate; the column is name_suffix
    # suffix -> days back; [first, last] days back, both inclusive; or null = everything
    windows: dict[Suffix, Positive | tuple[Positive, Positive] | None] = {"all": None}

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        wrong = [name for name, (low, high) in self.spans().items() if high and low > high]
        if wrong:
            raise ValueError(f"windows whose first day back is after the last: {', '.join(wrong)}")
        return self

    def spans(self) -> dict[str, tuple[int, int | None]]:
        """First and last day back of each window, both inclusive; None: no end."""
        return {
            suffix: span if isinstance(span, tuple) else (1, span)
            for suffix, span in self.windows.items()
        }


_OF_TRANSACTIONS = (
    "amount",
    "timestamp",
    "first_purchase",
    "snapshots",
    "horizon_days",
    "label_floor",
    "attributes",
    "history",
    "sample_columns",
)


class SourceConfig(Section):
    """Where raw rows come from and how they become samples."""

    kind: Literal["transactions", "samples"]
    # the first is the main table
    tables: Annotated[dict[str, TableConfig], Field(min_length=1)]
    joins: list[JoinConfig] = []
    columns: dict[str, str] = {}  # name -> Spark SQL expression, after the joins
    where: str | None = None  # a Spark SQL condition, after `columns`
    label: str | None = None  # samples: the label's column
    amount: str | None = None  # transactions: currency units
    timestamp: str | None = None  # transactions: a date or timestamp column
    first_purchase: FirstPurchaseConfig | None = None  # transactions: either this or `snapshots`
    snapshots: SnapshotsConfig | None = None
    horizon_days: Positive | None = None
    label_floor: float | None = None  # clip net spend from below, for tables with returns
    attributes: dict[Name, str] = {}  # name -> SQL aggregate over the entity's first day's events
    history: list[HistoryConfig] = []
    sample_columns: dict[Name, str] = {}  # name -> SQL expression over a finished sample

    @property
    def cut(self) -> str:
        """The column with the day that parts a sample's features from its label."""
        return FIRST_DAY if self.snapshots is None else SNAPSHOT_DATE

    @property
    def label_days(self) -> tuple[int, int]:
        """First and last day of the label's window, counted from the cut, both inclusive."""
        assert self.horizon_days is not None
        first = 1 if self.snapshots is None else 0
        return first, first + self.horizon_days - 1

    @model_validator(mode="after")
    def _complete(self) -> Self:
        of_kind = {
            "transactions": ["amount", "timestamp", "horizon_days"],
            "samples": ["label"],
        }
        missing = [name for name in of_kind[self.kind] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"kind: {self.kind} also needs {', '.join(missing)}")
        ignored = [name for name in _OF_TRANSACTIONS if getattr(self, name) not in (None, {}, [])]
        if self.kind == "samples" and ignored:
            raise ValueError(f"kind: samples has no use for {', '.join(ignored)}")
        names = [f"{n}_{s}" for h in self.history for s in h.windows for n in h.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"histories that make the same column: {', '.join(twice)}. Name their windows apart"
            )
        if self.kind == "transactions" and (self.first_purchase is None) == (
            self.snapshots is None
        ):
            raise ValueError("kind: transactions needs either first_purchase or snapshots")
        unknown = [join.table for join in self.joins if join.table not in self.tables]
        if unknown:
            raise ValueError(f"joins name tables that are not in tables: {', '.join(unknown)}")
        return self
