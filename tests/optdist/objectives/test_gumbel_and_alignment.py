import math

import numpy as np
import pytest
import tensorflow as tf

from optdist.objectives.alignment import alignment_ce, alignment_kl, hard_label, soft_label
from optdist.objectives.gumbel import gumbel_noise, selection_weights

LOG_ALPHA = tf.math.log([[0.1, 0.2, 0.7], [0.6, 0.3, 0.1]])


def test_gumbel_noise_has_the_distributions_mean_and_variance():
    noise = gumbel_noise(tf.constant([200_000]), tf.constant([1, 2])).numpy()
    assert noise.mean() == pytest.approx(0.5772, abs=0.01)
    assert noise.var() == pytest.approx(math.pi**2 / 6, rel=0.02)


def test_gumbel_max_draws_with_the_probabilities_alpha():
    noise = gumbel_noise(tf.constant([100_000, 3]), tf.constant([3, 4]))
    pi = selection_weights(tf.repeat(LOG_ALPHA[:1], 100_000, axis=0), noise, 1.0, "hard")
    np.testing.assert_allclose(tf.reduce_mean(pi, axis=0), [0.1, 0.2, 0.7], atol=0.01)


def test_weights_without_noise_at_temperature_one_are_alpha():
    pi = selection_weights(LOG_ALPHA, tf.zeros_like(LOG_ALPHA), 1.0, "soft")
    np.testing.assert_allclose(pi, tf.exp(LOG_ALPHA), rtol=1e-6)
    assert selection_weights(LOG_ALPHA, tf.ones_like(LOG_ALPHA), 9.0, "none").numpy().tolist() == (
        tf.exp(LOG_ALPHA).numpy().tolist()
    )


def test_a_low_temperature_makes_weights_one_hot():
    pi = selection_weights(LOG_ALPHA, tf.zeros_like(LOG_ALPHA), 0.01, "soft")
    np.testing.assert_allclose(pi, [[0, 0, 1], [1, 0, 0]], atol=1e-6)


def test_hard_weights_carry_the_soft_gradient():
    gradients = []
    for kind in ("soft", "hard"):
        x = tf.Variable(LOG_ALPHA)
        with tf.GradientTape() as tape:
            pi = selection_weights(x, tf.zeros_like(LOG_ALPHA), 0.5, kind)
            loss = tf.reduce_sum(pi * [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
        gradients.append(tape.gradient(loss, x).numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-6)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="must be > 0"):
        selection_weights(LOG_ALPHA, LOG_ALPHA, 0.0, "soft")


def test_labels_are_those_of_equations_10_to_13():
    nll = tf.constant([[math.log(2.0), 0.0, math.log(4.0)]])
    assert hard_label(nll).numpy().tolist() == [[0.0, 1.0, 0.0]]
    np.testing.assert_allclose(soft_label(nll), [[2 / 7, 4 / 7, 1 / 7]], rtol=1e-6)


def test_cross_entropy_is_focal_as_in_equation_11():
    label = tf.constant([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    expected = [-(0.3**2) * math.log(0.7), -(0.7**2) * math.log(0.3)]
    np.testing.assert_allclose(alignment_ce(LOG_ALPHA, label), expected, rtol=1e-5)


def test_divergence_is_that_of_equation_14_and_zero_at_equality():
    omega = np.array([[0.5, 0.5, 0.0]], np.float32)
    expected = 0.5 * math.log(0.5 / 0.1) + 0.5 * math.log(0.5 / 0.2)
    np.testing.assert_allclose(alignment_kl(LOG_ALPHA[:1], omega), [expected], rtol=1e-5)
    np.testing.assert_allclose(alignment_kl(LOG_ALPHA, tf.exp(LOG_ALPHA)), [0.0, 0.0], atol=1e-6)


def test_alignment_trains_the_selection_and_never_the_sdns():
    nll, log_alpha = tf.Variable([[1.0, 2.0, 3.0]]), tf.Variable(LOG_ALPHA[:1])
    with tf.GradientTape() as tape:
        loss = alignment_ce(log_alpha, hard_label(nll)) + alignment_kl(log_alpha, soft_label(nll))
    of_nll, of_alpha = tape.gradient(loss, [nll, log_alpha])
    assert of_nll is None
    assert np.abs(of_alpha.numpy()).max() > 0


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("logit", [0.0, 5.0, 12.0, 20.0, 60.0, 200.0])
def test_the_gradient_of_the_cross_entropy_is_that_of_the_formula_where_alpha_saturates(
    exponent, logit
):
    logits, label = tf.Variable([[logit, 0.0], [0.0, logit]]), tf.constant([[1.0, 0.0]] * 2)
    with tf.GradientTape() as tape:
        log_alpha = tf.nn.log_softmax(logits, axis=-1)
        tape.watch(log_alpha)
        ce = alignment_ce(log_alpha, label, exponent)
    found, of_logits = tape.gradient(ce, [log_alpha, logits])
    exact = -np.logaddexp(0.0, np.array([-logit, logit], np.float64))  # log alpha of the label
    rest = -np.expm1(exact)  # 1 - alpha; 0 once float64 cannot tell
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = exponent * rest ** (exponent - 1) * np.exp(exact) * exact - rest**exponent
    slope = np.where(rest > 0, slope, -(0.0**exponent))
    np.testing.assert_allclose(found[:, 0], slope, rtol=1e-3, atol=3e-4)
    np.testing.assert_array_equal(found[:, 1], 0)
    np.testing.assert_allclose(ce, -(rest**exponent) * exact, rtol=1e-4, atol=1e-6)
    assert np.isfinite(of_logits.numpy()).all()
