"""Settings of the splits: which samples a model is fitted on, chosen by and measured on."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from optdist.config.section import Positive, Section, Share
from optdist.config.source import SourceConfig

_OF_TIME = {"by", "newest", "gap_days"}


class SplitConfig(Section):
    """Shares of train, validation and test, and the seed of the hash (paper 4.1.1: 7:1:2).

    By time, the newest dates are held out of all three, to see how well a model predicts what
    comes after everything that it was trained on.
    """

    by: Literal["customer", "time"] = Field(
        default="customer",
        description="customer: a hash of `dataset.split_key` chooses a row's split. time: the same "
        "for earlier dates, and the newest dates are a fourth split, out_of_time; samples whose "
        "label window reaches into those dates are left out",
    )
    newest: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.1,
        description="With `by: time`: the newest dates that have at least this share of the "
        "samples are out of time [share]",
    )
    gap_days: Positive | None = Field(
        default=None,
        description="With `by: time`, for a table of samples, whose label's window is not known: "
        "its last day, counted from the sample's. Null: transactions have the horizon [days]",
    )
    train: Share = Field(default=0.7, description="Entities that the model is fitted on [share]")
    validation: Share = Field(
        default=0.1,
        description="Entities for stopping the training and calibrating intervals [share]",
    )
    test: Share = Field(
        default=0.2, description="Entities for the final metrics and the promotion rule [share]"
    )
    seed: int = Field(
        default=20240,
        description="Seed of the hash of `dataset.split_key` that chooses a row's split",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("train + validation + test must be 1")
        if not all((self.train, self.validation, self.test)):
            raise ValueError("train, validation and test must each be more than 0")
        return self

    @property
    def of_customers(self) -> dict[str, Any]:
        """The settings that decide which customers are whose: all there were before `by`."""
        return self.model_dump(exclude=_OF_TIME)

    @property
    def content(self) -> dict[str, Any]:
        """The settings that decide what is in each split."""
        return self.model_dump() if self.by == "time" else self.of_customers

    def explain_no_time(self, source: SourceConfig) -> str | None:
        """Why a source cannot be split by time, or None."""
        if source.known_before is None and source.cut is None:
            return (
                "split.by: time needs the day of each sample: set dataset.source.date to the "
                "column that has it, or split.by: customer"
            )
        if source.label_days is None and self.gap_days is None:
            return (
                "split.by: time must keep training labels out of the newest dates: set "
                "split.gap_days to the days after a sample's that its label is of"
            )
        if source.label_days is not None and self.gap_days is not None:
            return (
                "split.gap_days is for tables of samples: the label of transactions is of "
                "dataset.source.horizon_days"
            )
        return None
