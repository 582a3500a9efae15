"""Defines the feature schema: what encoding needs, learned from the training split alone."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from optdist.config.history import HistoryConfig
from optdist.errors import DataError

MISSING_ID = 0
UNKNOWN_ID = 1
FIRST_ID = 2  # the id of a vocabulary's first entry
# Steps of equal frequency between the quantiles kept; many numbers of bins or buckets divide them.
NUMERIC_STEPS, LABEL_STEPS = 48, 240


def encoded_name(prefix: str, name: str) -> str:
    """The encoded column of a raw one: Petastorm and TensorFlow take plain identifiers alone.

    Args:
        prefix: what the column holds: cat, num or missing.
        name: the raw column's name; a digest keeps `a.b` and `a b` apart.
    """
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    if plain != name:
        plain = f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"{prefix}_{plain}"


def _once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("a name is there twice")
    return names


def _ascending(values: list[float]) -> list[float]:
    if any(low > high for low, high in pairwise(values)):
        raise ValueError("quantiles must ascend")
    return values


Count = Annotated[int, Field(gt=0, lt=2**63)]
Names = Annotated[list[str], AfterValidator(_once)]
Quantiles = Annotated[list[float], AfterValidator(_ascending)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CategoricalFeature(_Frozen):
    """A categorical feature; ids are 0 missing, 1 out of vocabulary, 2.. the vocabulary."""

    name: str
    vocabulary: Names
    unknown_share: float | None = None  # of training's categories; None: not known
    calendar: bool = False  # the sample's day alone decides it: a new month is a new category

    @property
    def size(self) -> int:
        """The number of ids."""
        return len(self.vocabulary) + FIRST_ID


class NumericFeature(_Frozen):
    """A numeric feature; `mean` and `std` are of the values after the optional log1p."""

    name: str
    log1p: bool
    mean: float
    std: Annotated[float, Field(gt=0)]
    indicator: bool  # training had missing values, so a column says where they are
    quantiles: Quantiles = []  # NUMERIC_STEPS + 1 of the training values, after the log1p


class LabelStatistics(_Frozen):
    """The training labels (currency units) and the logarithms of the positive ones."""

    count: Count
    positives: Count
    total: float
    median: float
    log_mean: float
    log_std: Annotated[float, Field(ge=0)]
    log_min: float
    log_max: float
    quantiles: Quantiles = []  # LABEL_STEPS + 1 of the positive labels, currency

    @property
    def mean(self) -> float:
        """The mean label, zeros included."""
        return self.total / self.count

    @property
    def positive_mean(self) -> float:
        """The mean of the positive labels."""
        return self.total / self.positives

    @property
    def positive_share(self) -> float:
        """The share of positive labels."""
        return self.positives / self.count


class LearnedHistory(_Frozen):
    """What `history: auto` wrote from the training rows: the same blocks as by hand."""

    blocks: list[HistoryConfig]
    sample_columns: dict[str, str] = {}
    numeric: list[str] = []  # the features, after a log1p

    @property
    def columns(self) -> list[str]:
        """The names of all columns that are made."""
        return [name for block in self.blocks for name in block.columns] + [*self.sample_columns]

    @property
    def queries(self) -> dict[str, tuple[list[str], str, tuple[int, int | None]]]:
        """What each column of the blocks is made of: key, SQL, first and last day back."""
        return {
            f"{name}_{suffix}": (block.key, sql, span)
            for block in self.blocks
            for suffix, span in block.spans().items()
            for name, sql in block.features.items()
        }


class FeatureSchema(_Frozen):
    """How raw rows are encoded; it travels with the model, and scoring needs nothing else."""

    categorical: list[CategoricalFeature]
    numeric: list[NumericFeature]
    label: LabelStatistics
    # table -> column -> type that training read text as; None: of an older optdist, not known
    types: dict[str, dict[str, str]] | None = None
    history: LearnedHistory | None = None  # None: all of it is in the data set's settings

    @property
    def features(self) -> list[CategoricalFeature | NumericFeature]:
        """All features: categories, then numbers."""
        return [*self.categorical, *self.numeric]

    @property
    def raw_columns(self) -> list[str]:
        """The columns that are read from a sample row."""
        return [feature.name for feature in self.features]

    @property
    def categorical_columns(self) -> list[str]:
        """The encoded int32 columns."""
        return [encoded_name("cat", f.name) for f in self.categorical]

    @property
    def numeric_columns(self) -> list[str]:
        """The encoded float32 columns: z-scores, then missing indicators."""
        indicators = [encoded_name("missing", f.name) for f in self.numeric if f.indicator]
        return [encoded_name("num", f.name) for f in self.numeric] + indicators

    def save(self, path: str | Path) -> None:
        """Write as JSON."""
        Path(path).write_text(self.model_dump_json(indent=1))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or is not a feature schema.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        return cls.parse(content, path)

    @classmethod
    def parse(cls, content: bytes, path: str | Path) -> Self:
        """Read the content of what `save` wrote.

        Args:
            content: the file's.
            path: where it is, for messages.

        Raises:
            DataError: it is not a feature schema.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:  # whose text would quote categories
            reason = first_problem(error)
        raise _unreadable(path, reason)


def _unreadable(path: str | Path, reason: str) -> DataError:
    return DataError(f"{path} is not a readable feature schema: {reason}.")


def first_problem(error: Exception) -> str:
    """Where the first problem of a file is, and what it is, without the value there."""
    if not isinstance(error, ValidationError):
        return str(error)
    problem, *others = error.errors(include_url=False, include_context=False, include_input=False)
    place = " ".join(".".join(map(str, problem["loc"])).split())[:80]  # a key may be any text
    more = f" (and {len(others)} more problems)" if others else ""
    return f"{place or 'the file'}: {problem['msg']}{more}"
