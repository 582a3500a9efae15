"""The data set: where samples come from, what identifies them, what the model reads of them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from optdist.config.section import Name, Positive, Section, named
from optdist.config.source import Source


class Numeric(Section):
    """How one numeric feature is encoded."""

    log1p: bool = False  # sign(x) * log(1 + |x|) before the z-score


class Features(Section):
    """The sample table's columns that the model reads."""

    categorical: list[Name] = []
    numeric: Annotated[dict[Name, Numeric], BeforeValidator(named)] = {}
    min_frequency: Positive = 5  # rarer categories become out-of-vocabulary
    max_vocabulary: Positive = 100_000

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.categorical and not self.numeric:
            raise ValueError("at least one categorical or numeric feature is needed")
        both = set(self.categorical) & set(self.numeric)
        if both:
            raise ValueError(f"features named twice: {', '.join(sorted(both))}")
        return self


class Dataset(Section):
    """A data set: source, identity, features (`conf/datasets/*.yaml`)."""

    name: Name
    description: str = ""
    id: list[Name]  # one sample each (with snapshots: one per date); in transactions, the entity
    split_key: list[Name]  # rows that agree in it fall in one split
    source: Source
    features: Features

    @property
    def sample_id(self) -> list[str]:
        """The columns that name one sample: the id, with snapshots also the date."""
        return self.id if self.source.snapshots is None else [*self.id, self.source.cut]

    @model_validator(mode="after")
    def _one_split_per_entity(self) -> Self:
        others = sorted(set(self.split_key) - set(self.id))
        if self.source.snapshots is not None and others:
            raise ValueError(
                "an entity's snapshots must fall in one split, so split_key may only name columns "
                f"of id, not {', '.join(others)}"
            )
        return self
