"""The data set: where samples come from, what identifies them, what the model reads of them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from optdist.config.section import Name, Positive, Section, named
from optdist.config.source import SourceConfig

# columns that the pipeline makes beside a sample's own
_RESERVED = {"label", "reason", "stage", "split", "row_key", "group_key"}
Keys = Annotated[list[Name], Field(min_length=1)]


class NumericConfig(Section):
    """How one numeric feature is encoded."""

    log1p: bool = False  # sign(x) * log(1 + |x|) before the z-score


class FeaturesConfig(Section):
    """The sample table's columns that the model reads."""

    categorical: list[Name] = []
    numeric: Annotated[dict[Name, NumericConfig], BeforeValidator(named)] = {}
    min_frequency: Positive = 5  # rarer categories become out-of-vocabulary
    max_vocabulary: Positive = 100_000  # most frequent categories kept, per feature

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.categorical and not self.numeric:
            raise ValueError("at least one categorical or numeric feature is needed")
        both = set(self.categorical) & set(self.numeric)
        if both:
            raise ValueError(f"features named twice: {', '.join(sorted(both))}")
        return self


class DatasetConfig(Section):
    """A data set: source, identity, features (`conf/datasets/*.yaml`)."""

    name: Name
    description: str = ""
    id: Keys  # one sample each (with snapshots: one per date); in transactions, the entity
    split_key: Keys  # rows that agree in it fall in one split
    source: SourceConfig
    features: FeaturesConfig

    @property
    def sample_id(self) -> list[str]:
        """The columns that name one sample: the id, with snapshots also the date."""
        return self.id if self.source.snapshots is None else [*self.id, self.source.cut]

    @model_validator(mode="after")
    def _own_columns(self) -> Self:
        features = {*self.features.categorical, *self.features.numeric}
        if self.source.kind == "samples" and self.source.label in features:
            raise ValueError(f"the label, {self.source.label}, cannot be a feature too")
        taken = sorted(_RESERVED & {*features, *self.id, *self.split_key})
        if taken:
            raise ValueError(
                f"these names of id, split_key or features are the pipeline's own: "
                f"{', '.join(taken)}. Rename them in source.columns"
            )
        return self

    @model_validator(mode="after")
    def _one_split_per_entity(self) -> Self:
        others = sorted(set(self.split_key) - set(self.id))
        if self.source.snapshots is not None and others:
            raise ValueError(
                "an entity's snapshots must fall in one split, so split_key may only name columns "
                f"of id, not {', '.join(others)}"
            )
        return self
