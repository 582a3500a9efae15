"""The ideas that `benchmarks/quality/ideas.py` measures do what they are named after."""

import _ideas
import numpy as np
import pytest
import tensorflow as tf
from ideas import IDEAS
from scipy.special import log_softmax
from sklearn.metrics import mean_tweedie_deviance
from table import FEATURES, frame

from optdist.config import OptDistConfig
from optdist.data.fitting import fit_schema
from optdist.distributions.mixture import ZilnMixture
from optdist.distributions.ziln import Ziln
from optdist.models.optdist import Outputs

RNG = np.random.default_rng(5)
Y = tf.constant([0.0, 3.0, 0.0, 250.0])
SEED = tf.constant([1, 2], tf.int32)


@pytest.fixture(scope="module")
def schema():
    return fit_schema(frame(500), FEATURES, "label")


def outputs():
    parts = RNG.normal(size=(4, 3)), RNG.normal(1, 1, (4, 3)), RNG.uniform(0.3, 1.5, (4, 3))
    sdns = Ziln(*(tf.constant(part, tf.float32) for part in parts))
    return Outputs(sdns, tf.constant(log_softmax(RNG.normal(size=(4, 3)), axis=1), tf.float32))


def mixture(found):
    return ZilnMixture(found.log_alpha, *found.sdns)


def make(model, schema, **settings):
    return model(schema, OptDistConfig(num_sdns=3, sdn=[8], dsm=[8], **settings), 1)


def test_the_mixtures_likelihood_is_that_of_soft_inference(schema):
    found = outputs()
    expected = float(tf.reduce_mean(mixture(found).nll(Y)))
    assert float(tf.reduce_mean(_ideas.mixture_nll(Y, found))) == pytest.approx(expected, rel=1e-5)


def test_the_tweedie_term_is_sklearns_deviance_but_for_a_constant(schema):
    model, typical = make(_ideas.TweedieMean, schema), schema.label.mean
    terms, deviances = [], []
    for _ in range(2):
        found = outputs()
        plain = super(_ideas.TweedieMean, model).row_losses(Y, found, SEED)["loss"]
        terms.append(float(tf.reduce_mean(model.row_losses(Y, found, SEED)["loss"] - plain)))
        mean = np.maximum(mixture(found).mean().numpy(), 1e-3 * typical)
        deviances.append(mean_tweedie_deviance(Y.numpy(), mean, power=1.5) / typical**0.5)
    assert terms[1] - terms[0] == pytest.approx(deviances[1] - deviances[0], rel=1e-3)


def test_schedules_begin_and_end_as_they_say(schema):
    annealed, warm = make(_ideas.Annealed, schema), make(_ideas.WarmStart, schema)
    temperatures = []
    for epoch in (0, 5, 11):
        annealed.at_epoch(epoch)
        temperatures.append(float(annealed.number.numpy()))
    assert temperatures == pytest.approx([2, 0.2, 0.2])
    log_alpha = outputs().log_alpha
    np.testing.assert_allclose(warm.selection(log_alpha, tf.zeros_like(log_alpha)), 1 / 3)
    warm.at_epoch(1)
    np.testing.assert_allclose(
        warm.selection(log_alpha, tf.zeros_like(log_alpha)), tf.exp(log_alpha), rtol=1e-5
    )


def test_pairs_of_embeddings_are_summed(schema):
    # one category alone has no pair
    layer = _ideas.FactorizationMachine(schema, OptDistConfig(), 1)
    row = {"categorical": tf.constant([[2]]), "numeric": tf.zeros([1, 1])}
    np.testing.assert_allclose(layer(row)[:, -5:], 0, atol=1e-7)
    layer.columns, layer.offsets = 3, np.array([0, 0, 0], np.int32)
    a, b, c = layer.table.numpy()[[1, 2, 3]]
    row = {"categorical": tf.constant([[1, 2, 3]]), "numeric": tf.zeros([1, 1])}
    np.testing.assert_allclose(layer(row)[0, -5:], a * b + a * c + b * c, atol=1e-7)


@pytest.mark.parametrize("name", IDEAS)
def test_every_idea_learns_with_all_of_its_weights(schema, name):
    idea = IDEAS[name]
    named = {"representation": idea.representation} if idea.representation else {}
    model = make(idea.model, schema, **named)
    row = {"categorical": tf.constant([[2], [3], [2], [4]]), "numeric": tf.random.normal([4, 1])}
    with tf.GradientTape() as tape:
        loss = model.loss_terms(Y, model(row, training=True), SEED)["loss"]
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    assert np.isfinite(float(loss)) and all(g is not None for g in gradients)
    assert np.isfinite(model.predict_distribution(row)["predicted_cltv"]).all()
