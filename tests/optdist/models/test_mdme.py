import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, log_softmax, softmax
from table import FEATURES, frame

from optdist.config import MdmeConfig
from optdist.data.fitting import fit_schema, label_statistics
from optdist.models import build_model
from optdist.models.mdme import Outputs

RNG = np.random.default_rng(0)
SIZES = {"sub_distributions": 3, "buckets": 4}


@pytest.fixture(scope="module")
def schema():
    return fit_schema(frame(500), FEATURES, "label")


def make(schema, seed=1, **settings):
    return build_model(schema, MdmeConfig(sdn=[8, 4], **SIZES | settings), seed)


def outputs(model, rows):
    d, k = model.buckets.real.shape
    shapes = [(1 + d,), (1 + d,), (d, k), (d, k), (d, k)]
    made = [RNG.normal(size=(rows, *shape)) for shape in shapes]
    made[2] = np.where(model.buckets.real, made[2], -1e9)
    made[4] = expit(made[4])
    return Outputs(*(tf.constant(x, tf.float32) for x in made))


def terms(model, y, found):
    return {k: float(v) for k, v in model.loss_terms(tf.constant(y), found, None).items()}


def tower_terms(logits, ordinal, index):
    """Cross-entropy, ordinal cross-entropy and divergence of one tower and one row."""
    n = len(logits)
    above = expit(ordinal)
    answer = np.arange(n) < index
    kl_label = np.maximum(-np.diff(np.concatenate([[1], above[: n - 1], [0]])), 0)
    kl_label = kl_label / kl_label.sum()
    logs = log_softmax(logits)
    divergence = sum(q * (np.log(q) - p) for q, p in zip(kl_label, logs, strict=True) if q > 0)
    return np.array([-logs[index], -np.log(np.where(answer, above, 1 - above)).sum(), divergence])


def oracle(model, y, found):
    """The loss, row by row, in float64."""
    b = model.buckets
    found = [np.asarray(x, np.float64) for x in found]
    total, mse = np.zeros(3), 0.0
    for i, value in enumerate(y):
        place = [(d, k) for d in range(len(b.low)) for k in range(b.real[d].sum())]
        own = [(d, k) for d, k in place if b.low[d, k] < value <= b.low[d, k] + b.width[d, k]]
        total += tower_terms(found[0][i], found[1][i], 1 + own[0][0] if own else 0)
        if own:
            ((d, k),) = own
            real = b.real[d]
            total += tower_terms(found[2][i, d][real], found[3][i, d][real], k)
            # the ordinal tower is asked of merged buckets too: the answer is always no
            total[1] += -np.log(1 - expit(found[3][i, d][~real])).sum()
            mse += (found[4][i, d, k] - (value - b.low[d, k]) / b.width[d, k]) ** 2
    ce, ordinal, distillation = total / len(y)
    return {"ce": ce, "ordinal": ordinal, "distillation": distillation, "mse": mse / len(y)}


def test_loss_agrees_with_numpy_row_by_row(schema):
    model = make(schema, ordinal_weight=0.5, distillation_weight=2.0, position_weight=3.0)
    y = np.array([0.0, 2.5, 9.0, 40.0, 0.0, 17.0], np.float32)
    found = outputs(model, len(y))
    expected = oracle(model, y, found)
    expected["loss"] = (
        expected["ce"]
        + 0.5 * expected["ordinal"]
        + 2 * expected["distillation"]
        + 3 * expected["mse"]
    )
    assert terms(model, y, found) == pytest.approx(expected, rel=1e-4)


def test_loss_agrees_with_numpy_where_buckets_merged():
    raw = frame(500)
    raw["label"] = np.where(raw["label"] > 0, np.minimum(np.ceil(raw["label"] / 20), 4), 0)
    model = make(fit_schema(raw, FEATURES, "label"))
    assert not model.buckets.real.all()
    y = np.array([0.0, 2.0, 3.0, 4.0], np.float32)
    found = outputs(model, len(y))
    got, expected = terms(model, y, found), oracle(model, y, found)
    assert {name: got[name] for name in expected} == pytest.approx(expected, rel=1e-4)


@pytest.fixture
def by_hand():
    """Two sub-distributions (0, 10], (10, 30] of two buckets: widths 4, 6, 10 and 10."""
    raw = frame(500)
    schema = fit_schema(raw, FEATURES, "label")
    q = np.interp(np.arange(241), [0, 60, 120, 180, 240], [0.0, 4.0, 10.0, 20.0, 30.0])
    label = label_statistics(raw["label"].to_numpy()).model_copy(update={"quantiles": q.tolist()})
    return make(schema.model_copy(update={"label": label}), sub_distributions=2, buckets=2)


def say(model, sub, bucket, position):
    """Make the towers say the same of every row."""
    for stack, last in (
        (model.sub, np.log(sub)[None]),
        (model.bucket, np.log(bucket)),
        (model.position, np.log(position) - np.log1p(-np.array(position))),
    ):
        stack.kernels[-1].assign(tf.zeros_like(stack.kernels[-1]))
        stack.biases[-1].assign(np.reshape(last, stack.biases[-1].shape))


def test_inference_of_a_case_worked_by_hand(by_hand):
    inputs = {"categorical": tf.zeros([3, 1], tf.int32), "numeric": tf.zeros([3, 1])}
    say(by_hand, [0.2, 0.3, 0.5], [[0.5, 0.5], [0.4, 0.6]], [0.25, 0.5, 0.1, 0.9])
    hard, soft = (by_hand.predict_distribution(inputs, inference=r) for r in ("hard", "soft"))
    # hard: the second sub-distribution's second bucket, 20 + 0.9 x 10
    np.testing.assert_allclose(hard["predicted_cltv"], [29.0] * 3, rtol=1e-6)
    # soft: buckets say 1, 7, 11 and 29, so 0.3 x (1 + 7) / 2 + 0.5 x (0.4 x 11 + 0.6 x 29)
    np.testing.assert_allclose(soft["predicted_cltv"], [1.2 + 10.9] * 3, rtol=1e-6)
    np.testing.assert_allclose(soft["p"], [0.8] * 3, rtol=1e-6)


def test_hard_inference_says_zero_where_zero_is_likeliest(by_hand):
    inputs = {"categorical": tf.zeros([1, 1], tf.int32), "numeric": tf.zeros([1, 1])}
    say(by_hand, [0.4, 0.3, 0.3], [[0.5, 0.5], [0.4, 0.6]], [0.25, 0.5, 0.1, 0.9])
    assert by_hand.predict_distribution(inputs, inference="hard")["predicted_cltv"].numpy() == [0.0]


def test_routing_gives_what_all_towers_would_give_at_the_likeliest_bucket(schema):
    model = make(schema, seed=2)
    model.sub.biases[-1].assign(tf.zeros_like(model.sub.biases[-1]))
    n = 64
    numeric = tf.constant(RNG.normal(0, 30, (n, 1)), tf.float32)
    inputs = {"categorical": tf.constant(RNG.integers(0, 3, (n, 1)), tf.int32), "numeric": numeric}
    sub, _, bucket, _, position = (x.numpy() for x in model(inputs))
    d = np.maximum(sub.argmax(axis=1) - 1, 0)
    k = bucket[np.arange(n), d].argmax(axis=1)
    value = model.buckets.low[d, k] + position[np.arange(n), d, k] * model.buckets.width[d, k]
    expected = np.where(sub.argmax(axis=1) > 0, value, 0)
    assert len(np.unique(k)) > 1 and 0 < (expected > 0).mean() < 1
    found = model.predict_distribution(inputs, inference="hard")["predicted_cltv"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_ordinal_towers_learn_from_labels_alone(schema):
    model = make(schema)
    inputs = {"categorical": tf.ones([3, 1], tf.int32), "numeric": tf.ones([3, 1])}
    towers = model.sub_ordinal, model.bucket_ordinal
    kernels = [kernel.value for tower in towers for kernel in tower.kernels]
    for term, moved in (("distillation", False), ("ordinal", True)):
        with tf.GradientTape() as tape:
            loss = model.loss_terms(tf.constant([0.0, 3.0, 30.0]), model(inputs), None)[term]
        assert all((g is not None) == moved for g in tape.gradient(loss, kernels))


def test_outputs_start_at_the_training_labels_statistics(schema):
    inputs = {"categorical": tf.zeros([1, 1], tf.int32), "numeric": tf.zeros([1, 1])}
    model = make(schema)
    found = model.predict_distribution(inputs, inference="soft")
    share = softmax(model(inputs).sub.numpy()[0])[0]
    assert share == pytest.approx(1 - schema.label.positive_share, abs=0.02)
    assert float(found["predicted_cltv"][0]) == pytest.approx(schema.label.mean, rel=0.2)
