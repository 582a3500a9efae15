"""Defines the settings of features that aggregate the events before a sample's cut."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from optdist.config.section import Name, Positive, Section

Suffix = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
Windows = dict[Suffix, Positive | tuple[Positive, Positive] | None]
_WINDOWS = (
    "Suffix -> window before the cut: a number of days, the first and last day back, both "
    "inclusive, or null for everything [days]."
)


def _listed(value: Any) -> Any:
    return {name: [] for name in value} if isinstance(value, list) else value


class HistoryConfig(Section):
    """Aggregates over the events of `key` strictly before the sample's first day or snapshot date.

    Next to the events' columns they can use `days_before`, counted back from that day, and
    `days_since_previous`: days between a day with events of the key and the one before it, on one
    event of each day and null on the others, so that its mean and deviation are those of the gaps.
    """

    model_config = ConfigDict(title="own block")

    key: list[str] = Field(
        description="The columns whose events are aggregated together: often the id, or part of it."
    )
    features: dict[Name, str] = Field(
        description="Name -> Spark SQL aggregate over the events of a window; the column is "
        "`name_suffix`."
    )
    windows: Windows = Field(default={"all": None}, description=_WINDOWS)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        wrong = [name for name, (low, high) in self.spans().items() if high and low > high]
        if wrong:
            raise ValueError(f"windows whose first day back is after the last: {', '.join(wrong)}")
        return self

    @property
    def columns(self) -> list[str]:
        """The names of the columns that this history adds."""
        return [f"{name}_{suffix}" for suffix in self.windows for name in self.features]

    def spans(self) -> dict[str, tuple[int, int | None]]:
        """First and last day back of each window, both inclusive; None: no end."""
        return {
            suffix: span if isinstance(span, tuple) else (1, span)
            for suffix, span in self.windows.items()
        }


class AutoHistoryConfig(Section):
    """Blocks that the feature job writes itself, from the columns that the events have.

    Counts, sums, means, maxima, deviations, recency, spacing, trend and tenure; sums and counts of
    the most frequent categories; and those of the category that the sample itself has. What is
    learned of training rows, such as the categories, is kept with the model.
    """

    kind: Literal["auto"] = Field(
        description="Write the blocks of features from the events' columns; `auto` is the same."
    )
    key: Annotated[list[Name], Field(min_length=1)] | None = Field(
        default=None,
        description="With auto: null for the id; of first purchases, before which the id has no "
        "event, for the split_key if it is a part of the id.",
    )
    windows: Annotated[Windows, Field(min_length=1)] | None = Field(
        default=None,
        description="With auto: null for everything, and those of 30, 90 and 365 days that the "
        "data reach back before three quarters of the samples; where none does, the two longest "
        "of 1, 3, 7 and 14 days [days].",
    )
    values: list[Name] = Field(
        default=[],
        description="With auto: more columns to sum next to `amount`, such as a quantity.",
    )
    categories: Annotated[dict[Name, list[str]] | None, BeforeValidator(_listed)] = Field(
        default=None,
        description="With auto: columns of events, a list, or column -> categories whose sums and "
        "counts are features; without categories the most frequent ones of training rows. Null: up "
        "to three columns of text with few categories, of which a key has several.",
    )
    top: Positive = Field(
        default=5,
        description="With auto: how many of its most frequent categories a column has.",
    )
    attributes: list[Name] | None = Field(
        default=None,
        description="With auto: attributes named like a column of events, to aggregate the events "
        "that have the sample's own value. Null: those that are categorical features and of which "
        "a key has several values.",
    )

    @property
    def is_learned(self) -> bool:
        """Whether something is chosen by the training samples, and not named here."""
        chosen = (self.windows, self.categories, self.attributes)
        return None in chosen or not all((self.categories or {}).values())


def _kind(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return "own block" if kind is None else "auto"


def _spelled_out(value: Any) -> Any:
    """`auto`, alone or in a list, as what it is short for."""
    items = [value] if value == "auto" or isinstance(value, dict) else value
    if not isinstance(items, list):
        return items
    return [{"kind": "auto"} if item == "auto" else item for item in items]


AnyHistory = Annotated[
    Annotated[HistoryConfig, Tag("own block")] | Annotated[AutoHistoryConfig, Tag("auto")],
    Discriminator(_kind),
]
Histories = Annotated[list[AnyHistory], BeforeValidator(_spelled_out)]
