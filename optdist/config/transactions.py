"""Settings of transactions, which become samples at first purchases or at snapshot dates."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from optdist.config.dates import FirstPurchaseConfig, SnapshotsConfig
from optdist.config.history import AutoHistoryConfig, Histories, HistoryConfig
from optdist.config.section import Name, Positive, repeated
from optdist.config.source import KIND, Expression, SourceConfig
from optdist.config.tables import JoinConfig

FIRST_DAY, SNAPSHOT_DATE = "first_day", "snapshot_date"


class TransactionsSourceConfig(SourceConfig):
    """A row of the main table is an event of an entity: its day, and an amount."""

    first_label_day: ClassVar[int]  # counted from the cut
    cut_column: ClassVar[str]

    kind: Literal["transactions"] = Field(description=KIND)
    amount: str = Field(description="The column with an event's value, in currency.")
    timestamp: str = Field(description="The column with an event's date or timestamp.")
    horizon_days: Positive = Field(description="The length of the label's window [days].")
    more_horizons: list[Positive] = Field(
        default=[],
        description="Lengths of more label windows: training makes a model for each, and scoring "
        "adds its predicted value as a column, such as `predicted_cltv_30d` for 30 "
        "(docs/operations.md) [days].",
    )
    label_floor: float | None = Field(
        default=None,
        description="Raise smaller labels to this, for tables with returns. Null: keep them, so "
        "that a negative label is quarantined [currency].",
    )
    days_incomplete: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Days at the end of the data that may still lack events, so that no label "
        "window may end in them. Null: the last day, if it looks cut short; 0: none [days].",
    )
    attributes: dict[Name, str] = Field(
        default={},
        description="Name -> Spark SQL aggregate over the events of the entity's first day.",
    )
    history: Histories = Field(
        default=[],
        description="Features that aggregate the events before the cut: blocks, or `auto`, or a "
        "list of `auto` and blocks of your own.",
    )
    sample_columns: dict[Name, str] = Field(
        default={}, description="Name -> Spark SQL expression over a finished sample."
    )

    @property
    def cut(self) -> str:
        """The column with the day that parts a sample's features from its label."""
        return self.cut_column

    @property
    def label_days(self) -> tuple[int, int]:
        """First and last day of the label's window, counted from the cut, both inclusive."""
        return self.first_label_day, self.first_label_day + self.horizon_days - 1

    @property
    def known_before(self) -> tuple[str, int]:
        """The first day of the label's window."""
        return self.cut, self.first_label_day

    @property
    def row_joins(self) -> list[JoinConfig]:
        """The joins to events: those of the table as it is now."""
        return [join for join in self.joins if not join.valid_from]

    @property
    def sample_joins(self) -> list[JoinConfig]:
        """The joins to samples: of what was known at their cuts."""
        return [join for join in self.joins if join.valid_from]

    @property
    def blocks(self) -> list[HistoryConfig]:
        """The blocks of history that are written out."""
        return [block for block in self.history if isinstance(block, HistoryConfig)]

    @property
    def auto_history(self) -> AutoHistoryConfig | None:
        """What to write blocks of history from; None: nothing is left to write."""
        return next((one for one in self.history if isinstance(one, AutoHistoryConfig)), None)

    @property
    def expressions(self) -> list[Expression]:
        """Those of every source, then attributes and history, then columns of samples."""
        before = super().expressions
        step = 1 + max((expression.step for expression in before), default=0)
        features = [
            Expression(f"attributes.{name}", sql, (name,), step)
            for name, sql in self.attributes.items()
        ]
        features += [
            Expression(
                f"history[].features.{name}",
                sql,
                tuple(f"{name}_{suffix}" for suffix in history.windows),
                step,
            )
            for history in self.blocks
            for name, sql in history.features.items()
        ]
        if self.auto_history:
            features += [
                Expression("history[].values", f"sum({name})", (), step)
                for name in self.auto_history.values
            ]
        last = [
            Expression(f"sample_columns.{name}", sql, (name,), step + after)
            for after, (name, sql) in enumerate(self.sample_columns.items(), 1)
        ]
        return before + features + last

    @model_validator(mode="after")
    def _horizons_differ(self) -> Self:
        twice = repeated([str(days) for days in (self.horizon_days, *self.more_horizons)])
        if twice:
            raise ValueError(
                f"horizon_days and more_horizons name {', '.join(twice)} days twice: each horizon "
                f"is a model of its own"
            )
        if self.more_horizons and self.auto_history and self.auto_history.is_learned:
            raise ValueError(
                "more_horizons needs features that are the same for each horizon, and history: "
                "auto chooses them by the samples, which differ: name its windows, its categories "
                "(column -> texts, {} for none) and its attributes ([] for none)"
            )
        return self

    @model_validator(mode="after")
    def _histories_differ(self) -> Self:
        if len(self.history) - len(self.blocks) > 1:
            raise ValueError("history has auto twice: one is enough, with one set of windows")
        names = [name for history in self.blocks for name in history.columns]
        twice = repeated(names)
        if twice:
            raise ValueError(
                f"histories that make the same column: {', '.join(twice)}. "
                f"Give their windows different names"
            )
        return self


class FirstPurchaseSourceConfig(TransactionsSourceConfig):
    """Transactions with one sample per entity, at its first event."""

    chooser: ClassVar[str | None] = "first_purchase"
    of_delivery: ClassVar[frozenset[str]] = frozenset({"first_purchase", "days_incomplete"})
    first_label_day: ClassVar[int] = 1
    cut_column: ClassVar[str] = FIRST_DAY

    first_purchase: FirstPurchaseConfig = Field(
        description="Take a sample at each entity's first purchase between these days."
    )


class SnapshotSourceConfig(TransactionsSourceConfig):
    """Transactions with one sample per snapshot date and entity known at it."""

    chooser: ClassVar[str | None] = "snapshots"
    of_delivery: ClassVar[frozenset[str]] = frozenset({"snapshots", "days_incomplete"})
    first_label_day: ClassVar[int] = 0
    cut_column: ClassVar[str] = SNAPSHOT_DATE

    snapshots: SnapshotsConfig = Field(
        description="Take a sample of every entity known at each of these dates."
    )

    @property
    def key_dates(self) -> list[str]:
        """An entity has a sample per date."""
        return [SNAPSHOT_DATE]
