import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cosine
from scipy.special import log_softmax, softmax
from table import FEATURES, frame

from optdist.config import MdanConfig
from optdist.data.fitting import fit_schema
from optdist.models import build_model
from optdist.models.mdan import Outputs, _similarity_of_channels, _similarity_of_rows

RNG = np.random.default_rng(0)
Y = np.array([0.0, 2.5, 40.0, 0.0, 9.0], np.float32)


@pytest.fixture(scope="module")
def schema():
    return fit_schema(frame(500), FEATURES, "label")


def make(schema, seed=1, **settings):
    return build_model(schema, MdanConfig(sdn=[8, 4], tower=[8], **settings), seed)


@pytest.mark.parametrize("similarity", ["rows", "channels"])
def test_loss_agrees_with_numpy_row_by_row(schema, similarity):
    model = make(schema, similarity=similarity, similarity_weight=0.5, mse_weight=2.0)
    rows, n = len(Y), model.count
    logs = log_softmax(RNG.normal(size=(rows, n)), axis=1)
    channels, fused = RNG.normal(size=(n, rows, 4)), RNG.normal(size=(rows, 4))
    value = RNG.exponential(10, rows)
    bucket = np.where(Y > 0, np.searchsorted(model.edges[1:-1], Y) + 1, 0)
    ce = -np.mean([logs[i, bucket[i]] for i in range(rows)])
    mse = np.mean(((value - Y) / schema.label.positive_mean) ** 2)
    if similarity == "rows":
        pairs = [(fused[i], fused[i - 1], abs(bucket[i] - bucket[i - 1])) for i in range(rows)]
    else:
        pairs = [
            (channels[a, i], channels[b, i], abs(a - b))
            for i in range(rows)
            for a in range(n)
            for b in range(n)
        ]
    apart = np.mean([(cosine(a, b) - distance / (n - 1)) ** 2 for a, b, distance in pairs])
    found = Outputs(*(tf.constant(x, tf.float32) for x in (logs, channels, fused, value)))
    expected = {"loss": ce + 2 * mse + 0.5 * apart, "ce": ce, "mse": mse, "similarity": apart}
    got = model.loss_terms(tf.constant(Y), found, None)
    assert {name: float(term) for name, term in got.items()} == pytest.approx(expected, rel=1e-4)


def test_similarity_of_rows_of_a_case_worked_by_hand():
    # two opposite directions of the same bucket: cosine -1 where 1 is wanted, (-2)^2
    fused = tf.constant([[2.0, 0.0], [-3.0, 0.0]])
    assert _similarity_of_rows(fused, tf.constant([0.5, 0.5])).numpy() == pytest.approx(4)
    # at right angles, and of the two farthest buckets: as wanted
    fused = tf.constant([[2.0, 0.0], [0.0, 5.0]])
    assert _similarity_of_rows(fused, tf.constant([0.0, 1.0])).numpy() == pytest.approx(0)


def test_similarity_of_channels_of_a_case_worked_by_hand():
    # two equal channels: of four pairs, the two of different channels miss 0 by 1
    channels = tf.ones([2, 3, 4])
    assert _similarity_of_channels(channels).numpy() == pytest.approx(0.5)


@pytest.mark.parametrize("similarity", ["rows", "channels"])
def test_the_gradient_at_an_embedding_of_zeros_is_finite(schema, similarity):
    model = make(schema, similarity=similarity)
    channels, fused = tf.zeros([model.count, 2, 4]), tf.zeros([2, 4])
    with tf.GradientTape() as tape:
        tape.watch([channels, fused])
        share = tf.math.log(tf.fill([2, model.count], 1 / model.count))
        found = Outputs(share, channels, fused, tf.ones(2))
        loss = model.loss_terms(tf.constant([0.0, 5.0]), found, None)["similarity"]
    gradients = [g for g in tape.gradient(loss, [channels, fused]) if g is not None]
    assert gradients and all(np.isfinite(g.numpy()).all() for g in gradients)


def test_channels_are_fused_by_the_buckets_probabilities(schema):
    model = make(schema)
    inputs = {
        "categorical": tf.ones([3, 1], tf.int32),
        "numeric": tf.constant([[0.0], [9.0], [-9.0]]),
    }
    found = model(inputs)
    share = softmax(model.classifier(model.representation(inputs)).numpy()[0], axis=1)
    channels = found.channels.numpy()
    expected = [sum(share[i, n] * channels[n, i] for n in range(model.count)) for i in range(3)]
    np.testing.assert_allclose(found.fused, expected, rtol=1e-4, atol=1e-6)
    p = model.predict_distribution(inputs)["p"]
    np.testing.assert_allclose(p, 1 - share[:, 0], rtol=1e-5)


def test_outputs_start_at_the_training_labels_statistics(schema):
    model = make(schema, seed=2)
    inputs = {"categorical": tf.zeros([1, 1], tf.int32), "numeric": tf.zeros([1, 1])}
    found = model.predict_distribution(inputs)
    assert float(found["p"][0]) == pytest.approx(schema.label.positive_share, abs=0.02)
    assert float(found["predicted_cltv"][0]) == pytest.approx(schema.label.mean, rel=0.1)
