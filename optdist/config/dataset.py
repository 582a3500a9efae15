"""Settings of a data set: where samples come from, what names them, what the model reads."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from optdist.config.kinds import SOURCE_KINDS, parse_source
from optdist.config.section import ColumnName, Name, Positive, Section, as_mapping
from optdist.config.source import SourceConfig
from optdist.config.transactions import FIRST_DAY, SNAPSHOT_DATE, TransactionsSourceConfig

# columns that the pipeline adds to a sample's own
_RESERVED = {"label", "reason", "stage", "split", "row_key", "group_key"}
# a class of the user's own passes too, so the kinds that are known are for the reference alone
Source = Annotated[
    SerializeAsAny[SourceConfig],
    BeforeValidator(parse_source, json_schema_input_type=reduce(or_, SOURCE_KINDS)),
]
Keys = Annotated[list[ColumnName], Field(min_length=1)]


class NumericConfig(Section):
    """How one numeric feature is encoded."""

    log1p: bool = Field(
        default=False, description="Take sign(x) * log(1 + |x|) before the z-score."
    )


class FeaturesConfig(Section):
    """The sample table's columns that the model reads."""

    categorical: list[ColumnName] = Field(
        default=[], description="Columns that are read as categories."
    )
    numeric: Annotated[dict[ColumnName, NumericConfig], BeforeValidator(as_mapping)] = Field(
        default={}, description="Column -> how it is encoded as a number; a list takes defaults."
    )
    min_frequency: Positive = Field(
        default=5,
        description="Rarer categories become out-of-vocabulary [training rows].",
    )
    max_vocabulary: Positive = Field(
        default=100_000,
        description="How many of its most frequent categories a feature keeps [categories].",
    )

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        both = set(self.categorical) & set(self.numeric)
        if both:
            raise ValueError(f"features named twice: {', '.join(sorted(both))}")
        return self


class DatasetConfig(Section):
    """A data set: source, identity, features (`conf/datasets/*.yaml`)."""

    name: Name = Field(description="The data set's name, which folders and models get.")
    description: str = Field(default="", description="What the label is, in words, for reports.")
    id: Keys = Field(
        description="The columns that name a sample (with snapshots: one per date); in "
        "transactions, the entity."
    )
    split_key: Keys = Field(description="Rows that agree in these columns fall in one split.")
    source: Source = Field(description="Raw tables, and how their rows become samples.")
    features: FeaturesConfig = Field(description="The columns that the model reads.")

    @property
    def sample_id(self) -> list[str]:
        """The columns that name one sample: the id, with snapshots also the date."""
        return [*self.id, *self.source.key_dates]

    @model_validator(mode="after")
    def _some_feature(self) -> Self:
        source = self.source
        is_auto = isinstance(source, TransactionsSourceConfig) and source.auto_history
        if not (self.features.categorical or self.features.numeric or is_auto):
            raise ValueError("at least one categorical or numeric feature is needed")
        return self

    @model_validator(mode="after")
    def _own_columns(self) -> Self:
        features = {*self.features.categorical, *self.features.numeric}
        labels = [name for name in self.source.label_columns if name in features]
        if labels:
            raise ValueError(f"the label, {', '.join(labels)}, cannot be a feature too")
        taken = sorted(_RESERVED & {*features, *self.id, *self.split_key})
        if taken:
            raise ValueError(
                f"these names of id, split_key or features are the pipeline's own: "
                f"{', '.join(taken)}. Rename them in source.columns"
            )
        return self

    @model_validator(mode="after")
    def _new_columns(self) -> Self:
        source = self.source
        if not isinstance(source, TransactionsSourceConfig):
            return self
        features = [name for history in source.blocks for name in history.columns]
        taken = {*self.id, *_RESERVED, FIRST_DAY, SNAPSHOT_DATE}
        names = [*source.attributes, *features, *source.sample_columns]
        wrong = sorted({name for name in names if name in taken})
        wrong += sorted(set(source.attributes) & set(features))
        if wrong:
            raise ValueError(
                f"attributes, history and sample_columns make columns that samples have already: "
                f"{', '.join(wrong)}. Give them other names"
            )
        return self

    @model_validator(mode="after")
    def _one_split_per_entity(self) -> Self:
        others = sorted(set(self.split_key) - set(self.id))
        if self.source.key_dates and others:
            raise ValueError(
                "an entity's snapshots must fall in one split, so split_key may only name columns "
                f"of id, not {', '.join(others)}"
            )
        return self
