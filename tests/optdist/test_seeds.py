"""Runs of neighbouring seeds share no random number."""

import numpy as np
import pytest
from table import FEATURES, frame, write_table

from optdist.config import model_section
from optdist.config.model_choice import with_defaults
from optdist.config.models import SECTIONS
from optdist.data.fitting import fit_schema
from optdist.data.shards import Shard
from optdist.layers import StackedMLP
from optdist.models import build_model
from optdist.seeds import derive

SIZES = {"num_sdns": 3, "sdn": [8, 8], "dsm": [8], "tower": [8, 8], "buckets": 3}
SHARED = {"bottom": [8, 8], "cross_layers": 2}
AUTODIS = "optdist.layers.autodis:AutoDisEmbedding"


def test_a_derived_seed_depends_on_every_part_of_its_place_and_on_their_order():
    places = [(), (0,), (0, 0), (1,), (0, 1), (1, 0), ("rows", 1), ("rows", 11), ("rows", 1, 1)]
    seeds = [derive(seed, *place) for seed in (1, 2, 11) for place in places]
    assert len(set(seeds)) == len(seeds)
    assert all(1 <= seed < 2**31 for seed in seeds)
    assert derive(1, "rows", 1) == derive(1, "rows", 1)


def test_no_perceptron_of_a_seed_starts_as_one_of_the_next_seed():
    stacks = [StackedMLP(4, [6, 2], seed=seed) for seed in (1, 2, 3)]
    for stack in stacks:
        stack.build((None, 5))
    kernels = [k.numpy()[i] for stack in stacks for k in stack.kernels[:1] for i in range(4)]
    assert len({kernel.tobytes() for kernel in kernels}) == 3 * 4


def pieces(model):
    """The model's random initial tensors, each stack's perceptrons apart."""
    for weight in model.trainable_variables:
        value = weight.numpy()
        for piece in value if value.ndim == 3 else [value]:
            if np.unique(piece).size > 3:  # not zeros, nor biases at the label's statistics
                yield weight.path, piece


@pytest.mark.parametrize("representation", ["embedding", AUTODIS])
@pytest.mark.parametrize("name", SECTIONS)
def test_no_initial_tensor_of_a_seed_is_one_of_another_place_or_seed(name, representation):
    settings = {"name": name, "representation": representation} | SHARED
    config = model_section(with_defaults(settings, SIZES))
    schema = fit_schema(frame(500), FEATURES, "label")
    first, *rest = [list(pieces(build_model(schema, config, seed))) for seed in (1, 2, 3)]
    assert len(first) > 5
    seen = [piece for tensors in (first, *rest) for _, piece in tensors]
    # scaled copies count as equal: the last layer's kernels start ten times smaller
    directions = {np.round(p / np.abs(p).max(), 5).tobytes() for p in seen}
    assert len(directions) == len(seen)


def test_the_row_orders_of_neighbouring_seeds_differ_in_every_epoch(tmp_path):
    table = write_table(tmp_path, rows=1500)
    orders = []
    with Shard(table, "train", 2000, keys=["label"]).passes(
        derive(seed, "rows", epoch) for seed in (1, 2) for epoch in (1, 2)
    ) as passes:
        orders = [np.concatenate([k["label"] for _, k in one]).tobytes() for one in passes]
    assert len(set(orders)) == 4
