"""Starts a model from the weights of another one, as far as both mean the same.

The other model was fitted on older rows, so vocabularies and quantiles have moved. An embedding's
row goes to the category of the same text. Input k of one model and input j of the other are the
same if both are one feature's embedding or z-score, or a bin whose edges moved by less than half of
its width. Whatever has no partner keeps its new initial value.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path

import keras
import numpy as np
from pydantic import BaseModel, ConfigDict

from optdist.data.schema import CategoricalFeature, FeatureSchema
from optdist.layers.numeric import PiecewiseLinear
from optdist.layers.representation import Embedding
from optdist.models.base import CltvModel
from optdist.serving.package import Package

_READS_H = {"kernel", "kernel_0"}  # first layers: of the bottom, of networks on h


class WarmStart(BaseModel):
    """The package whose weights a run starts from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str  # its folder, on storage that all ranks read
    version: str
    digest: str | None = None  # the registry's, of the package's checksums

    def load(self) -> CltvModel:
        """The model.

        Raises:
            ModelError: the package is damaged.
        """
        return Package(Path(self.package), self.digest).load_model()


class Carried(BaseModel):
    """What a run took over from another model: counts of both."""

    version: str
    categories: tuple[int, int]  # with a partner, all
    inputs: tuple[int, int]
    variables: tuple[int, int]
    parameters: tuple[int, int]

    def __str__(self) -> str:
        """A line."""
        share = self.parameters[0] / max(self.parameters[1], 1)
        return (
            f"warm start from version {self.version}: {self.categories[0]:,} of "
            f"{self.categories[1]:,} categories, {self.inputs[0]:,} of {self.inputs[1]:,} inputs, "
            f"{share:.1%} of the weights"
        )


def carry_weights(old: CltvModel, new: CltvModel, version: str) -> Carried:
    """Give a model the weights of another one of the same class and sizes.

    Args:
        old: the model to start from.
        new: the model to start, with its initial weights.
        version: what the old one is called.

    Returns:
        What was carried; nothing where the models have other layers.
    """
    categories = [_pairs_of(feature, old.schema) for feature in new.schema.categorical]
    found = sum(len(pairs) for pairs in categories)
    known = (found, sum(f.size for f in new.schema.categorical))
    before, after = _inputs(old), _inputs(new)
    at = {key: index for index, key in enumerate(before)}
    inputs = [(index, at[key]) for index, key in enumerate(after) if key in at]
    rows = _table_rows(old, new, categories)
    copied, weights = 0, 0
    pairs = _variable_pairs(old, new)
    for theirs, ours in pairs:
        value, count = _carried(np.array(theirs), np.array(ours), ours, rows, inputs, before, after)
        if count:
            ours.assign(value)
            copied, weights = copied + 1, weights + count
    total = sum(int(np.prod(v.shape)) for v in new.trainable_variables)
    if not pairs:
        known, inputs = (0, known[1]), []
    return Carried(
        version=version,
        categories=known,
        inputs=(len(inputs), len(after)),
        variables=(copied, len(new.trainable_variables)),
        parameters=(weights, total),
    )


def _variable_pairs(old: CltvModel, new: CltvModel) -> list[tuple[keras.Variable, keras.Variable]]:
    """The trainable variables of both, in their order; none where the models have other layers."""
    ours, theirs = new.trainable_variables, old.trainable_variables
    if [v.name for v in ours] != [v.name for v in theirs]:
        return []
    return list(zip(theirs, ours, strict=True))


def _carried(
    theirs: np.ndarray,
    ours: np.ndarray,
    variable: keras.Variable,
    rows: Sequence[tuple[int, int]],
    inputs: Sequence[tuple[int, int]],
    before: Sequence[Hashable],
    after: Sequence[Hashable],
) -> tuple[np.ndarray, int]:
    """A variable's new value, and how many of its numbers come from the other model.

    Args:
        theirs: the other model's value.
        ours: the initial value.
        variable: the variable itself, which has a name.
        rows: pairs of rows of the embedding's table, new and old.
        inputs: pairs of inputs of the first layers, new and old.
        before: the keys of the other model's inputs.
        after: those of this model's.
    """
    axis: int | None = None
    if variable.name == "table":
        axis, chosen = 0, rows
    elif variable.name in _READS_H and ours.ndim > 1 and before != after:
        ends = (theirs.shape[-2], ours.shape[-2]) == (len(before), len(after))
        axis, chosen = (ours.ndim - 2, inputs) if ends else (None, rows)
    if axis is None:
        return (theirs, theirs.size) if theirs.shape == ours.shape else (ours, 0)
    rest = [size for i, size in enumerate(ours.shape) if i != axis]
    if rest != [size for i, size in enumerate(theirs.shape) if i != axis] or not chosen:
        return ours, 0
    to, source = map(list, zip(*chosen, strict=True))
    value = np.moveaxis(ours.copy(), axis, 0)
    value[to] = np.moveaxis(theirs, axis, 0)[source]
    return np.moveaxis(value, 0, axis), len(to) * int(np.prod(rest))


def _pairs_of(feature: CategoricalFeature, old: FeatureSchema) -> list[tuple[int, int]]:
    """The ids of a feature's categories, new and old, that both schemas have by the same text."""
    same = next((f for f in old.categorical if f.name == feature.name), None)
    if same is None:
        return []
    ids = {text: number for number, text in enumerate(same.vocabulary, 2)}
    own = [(n, ids[text]) for n, text in enumerate(feature.vocabulary, 2) if text in ids]
    return [(0, 0), (1, 1), *own]


def _table_rows(
    old: CltvModel, new: CltvModel, categories: Sequence[Sequence[tuple[int, int]]]
) -> list[tuple[int, int]]:
    """The rows of the table of all features, new and old, of categories that both have."""
    ours, theirs = new.representation, old.representation
    if not (isinstance(ours, Embedding) and isinstance(theirs, Embedding)):
        return []
    starts = dict(zip((f.name for f in old.schema.categorical), theirs.offsets, strict=True))
    return [
        (int(start) + a, int(starts[feature.name]) + b)
        for feature, start, pairs in zip(
            new.schema.categorical, ours.offsets, categories, strict=True
        )
        for a, b in pairs
    ]


def _inputs(model: CltvModel) -> list[Hashable]:
    """A key for each column of h before the bottom; columns of one key mean the same."""
    schema, layer = model.schema, model.representation
    if not isinstance(layer, Embedding):
        return []
    keys: list[Hashable] = [
        ("category", feature.name, i) for feature in schema.categorical for i in range(layer.dim)
    ]
    keys += [("number", name) for name in schema.numeric_columns]
    if isinstance(layer.encoding, PiecewiseLinear):
        keys += _bins(layer.encoding)
    elif layer.encoding is not None:  # of a subclass: equal features, equal columns
        names = tuple(feature.name for feature in schema.numeric)
        keys += [("encoding", names, i) for i in range(len(names) * layer.dim)]
    return keys


class _Bin:
    """A bin of a feature; equal to one whose edges lie within half of its width."""

    def __init__(self, feature: str, number: int, low: float, width: float) -> None:
        self.name, self.low, self.width = (feature, number), low, width

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Bin) or self.name != other.name:
            return False
        limit = min(self.width, other.width) / 2
        high, others = self.low + self.width, other.low + other.width
        return abs(self.low - other.low) < limit and abs(high - others) < limit


def _bins(encoding: PiecewiseLinear) -> list[Hashable]:
    features = [encoding.schema.numeric[i].name for i in encoding.feature]
    first = {name: features.index(name) for name in dict.fromkeys(features)}
    return [
        _Bin(name, index - first[name], float(low), float(width))
        for index, (name, low, width) in enumerate(
            zip(features, encoding.low[:, 0], encoding.width[:, 0], strict=True)
        )
    ]
