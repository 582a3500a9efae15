import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit, logit

from optdist.objectives.ordinal import ordinal_ce, ordinal_share


def test_cross_entropy_agrees_with_numpy():
    logits = np.random.default_rng(0).normal(size=(4, 3))
    index = np.array([0, 1, 2, 1])
    p = expit(logits)
    expected = [
        -sum(np.log(p[b, k]) if index[b] > k else np.log(1 - p[b, k]) for k in range(3))
        for b in range(4)
    ]
    np.testing.assert_allclose(ordinal_ce(logits, tf.constant(index)), expected, rtol=1e-6)


def share(above, real=(True, True, True)):
    logits = tf.constant([[*logit(np.array(above)), 9.0]])  # the last answer is never asked
    return ordinal_share(logits, tf.constant(real)).numpy()[0]


def test_shares_are_the_differences_of_the_answers():
    # P(class > 0) = 0.7 and P(class > 1) = 0.2
    np.testing.assert_allclose(share([0.7, 0.2]), [0.3, 0.5, 0.2], rtol=1e-6)


def test_an_answer_that_rises_gives_its_class_nothing():
    # differences 0.8, -0.2 and 0.4: the second counts as 0
    np.testing.assert_allclose(share([0.2, 0.4]), [0.8 / 1.2, 0, 0.4 / 1.2], rtol=1e-6)


def test_a_class_that_is_not_there_gets_nothing():
    np.testing.assert_allclose(share([0.7, 0.99], (True, True, False)), [0.3, 0.7, 0], rtol=1e-6)
    np.testing.assert_allclose(share([0.7, 0.99], (True, False, False)), [1, 0, 0])


def test_shares_carry_no_gradient():
    logits = tf.Variable([[1.0, 2.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(ordinal_share(logits, tf.constant([True])) ** 2)
    assert tape.gradient(loss, logits) is None


@pytest.mark.parametrize("extreme", [-1e4, 1e4])
def test_shares_of_extreme_answers_sum_to_one(extreme):
    found = ordinal_share(tf.constant([[extreme, -extreme, extreme]]), tf.constant([True]))
    assert found.numpy().sum() == pytest.approx(1)
