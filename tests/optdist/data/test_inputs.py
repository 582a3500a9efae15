"""Frames in memory as batches of the models' inputs."""

import numpy as np
import pytest
from table import FEATURES, frame

import optdist
from optdist.data.fitting import fit_schema

RAW = frame(300).assign(order=np.arange(300.0), weight=np.linspace(0, 2, 300))
SCHEMA = fit_schema(RAW, FEATURES, "label")


def order_of(data):
    return np.concatenate([batch[1].numpy() for batch in data])


def test_shuffling_permutes_all_rows_on_each_pass_and_not_finished_batches():
    data = optdist.memory_dataset(RAW, SCHEMA, "order", 50, shuffle=True, seed=1)
    first, second = order_of(data), order_of(data)
    assert sorted(first) == sorted(second) == list(range(300))
    assert (first != second).any()
    for rows in (first, second):  # a first batch holds rows of the whole frame
        assert rows[:50].min() < 50 and rows[:50].max() > 250


def test_a_seed_repeats_the_orders_and_another_one_does_not():
    def orders(seed):
        data = optdist.memory_dataset(RAW, SCHEMA, "order", 64, shuffle=True, seed=seed)
        return [order_of(data).tolist() for _ in range(2)]

    assert orders(3) == orders(3) != orders(4)


def test_without_shuffling_rows_keep_the_order_of_the_frame():
    data = optdist.memory_dataset(RAW, SCHEMA, "order", 64)
    assert order_of(data).tolist() == list(range(300))


def test_inputs_labels_and_weights_of_a_row_stay_together():
    plain = next(iter(optdist.memory_dataset(RAW, SCHEMA, batch_size=300)))
    data = optdist.memory_dataset(
        RAW, SCHEMA, "order", 300, shuffle=True, seed=1, sample_weight="weight"
    )
    inputs, y, weight = next(iter(data))
    rows = y.numpy().astype(int)
    np.testing.assert_allclose(weight, RAW["weight"].to_numpy()[rows], rtol=1e-6)
    for name, values in inputs.items():
        np.testing.assert_array_equal(values, plain[name].numpy()[rows])


def test_weights_without_labels_are_refused():
    with pytest.raises(ValueError, match="Set `label` too"):
        optdist.memory_dataset(RAW, SCHEMA, sample_weight="weight")


def test_a_frame_without_rows_gives_no_batch():
    assert list(optdist.memory_dataset(RAW[:0], SCHEMA, "order", shuffle=True)) == []
