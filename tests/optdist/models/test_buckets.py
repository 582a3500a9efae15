import numpy as np
import pytest
import tensorflow as tf

from optdist.data.fitting import label_statistics
from optdist.errors import DataError
from optdist.models.buckets import bucket_edges, bucket_of, nested_buckets, position_in

SKEWED = np.random.default_rng(0).lognormal(2, 1.5, 20_000)


def counts(y, edges):
    y = y.astype(np.float32)
    return np.bincount(bucket_of(tf.constant(y), edges).numpy(), minlength=len(edges) - 1)


def test_buckets_hold_equal_shares_of_the_positive_labels():
    label = label_statistics(np.append(SKEWED, np.zeros(80_000)))
    shares = counts(SKEWED, bucket_edges(label, 8)) / len(SKEWED)
    np.testing.assert_allclose(shares, 1 / 8, atol=0.005)


def test_nested_buckets_are_the_same_ones_in_rows():
    label = label_statistics(SKEWED)
    nested = nested_buckets(label, 3, 4)
    np.testing.assert_array_equal(nested.edges, bucket_edges(label, 12))
    np.testing.assert_array_equal(nested.low.reshape(-1), nested.edges[:-1])
    np.testing.assert_array_equal(nested.low + nested.width, nested.edges[1:].reshape(3, 4))
    np.testing.assert_array_equal(nested.place, np.arange(12))


def test_the_mean_position_is_near_that_of_the_labels():
    nested = nested_buckets(label_statistics(SKEWED), 3, 4)
    bucket = bucket_of(tf.constant(SKEWED.astype(np.float32)), nested.edges).numpy()
    for i in range(11):  # in the last bucket, the largest label alone moves the trapezoid rule
        inside = (SKEWED[bucket == i].mean() - nested.edges[i]) / np.diff(nested.edges)[i]
        assert nested.mean.reshape(-1)[i] == pytest.approx(inside, abs=0.03)


def test_a_bucket_holds_its_upper_edge_and_the_first_its_lower_one_too():
    y = tf.constant([1.0, 2.0, 2.5, 3.0, 9.0, 0.0, 1e30])
    edges = np.array([1.0, 2.0, 3.0, 9.0], np.float32)
    assert bucket_of(y, edges).numpy().tolist() == [0, 0, 1, 1, 2, 0, 2]


def test_position_is_the_share_of_the_width_and_stays_within():
    found = position_in(tf.constant([3.0, 2.0, 6.0, 1e30, 0.0]), 2.0, 4.0)
    np.testing.assert_allclose(found, [0.25, 0, 1, 1, 0])
    assert position_in(tf.constant([5.0]), 5.0, 0.0).numpy() == [0.0]


def test_equal_edges_merge():
    # most labels are 10, so that the lower edges coincide: (5, 10] stays one bucket
    y = np.concatenate([np.full(70, 10.0), np.linspace(11, 40, 30), [5.0]])
    edges = bucket_edges(label_statistics(y), 4)
    assert edges.tolist() == sorted(set(edges.tolist())) and len(edges) < 5
    assert edges[[0, 1, -1]].tolist() == [5.0, 10.0, 40.0]
    assert counts(y, edges)[0] == 71


@pytest.mark.parametrize("values", [[7.0], [7.0] * 50, [7.0, 900.0], [1.0, 1.0, 1.0, 2.0]])
def test_few_values_give_fewer_buckets_and_every_label_has_one(values):
    y = np.array(values)
    nested = nested_buckets(label_statistics(y), 3, 4)
    place = nested.place[bucket_of(tf.constant(y, tf.float32), nested.edges).numpy()]
    low, width = nested.low.reshape(-1)[place], nested.width.reshape(-1)[place]
    position = position_in(tf.constant(y, tf.float32), low, width).numpy()
    np.testing.assert_allclose(low + position * width, y, rtol=1e-6)
    assert nested.real.reshape(-1)[place].all() and nested.real[:, 0].all()
    assert nested.real.sum() == len(nested.edges) - 1


def test_a_schema_without_label_quantiles_says_what_to_do():
    label = label_statistics(SKEWED).model_copy(update={"quantiles": []})
    with pytest.raises(DataError, match="Build the features again"):
        bucket_edges(label, 4)
