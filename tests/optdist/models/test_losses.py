"""The losses of OptDist and ZILN against NumPy and scipy, term by term."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.special import log_softmax, logit, softmax
from table import FEATURES, frame

from optdist.config import OptDistConfig, ZilnConfig
from optdist.data.fitting import fit_schema
from optdist.distributions.ziln import Ziln
from optdist.models import build_model
from optdist.models.optdist import Outputs
from optdist.objectives.gumbel import gumbel_noise

RNG = np.random.default_rng(3)
Y = np.array([0.0, 2.5, 40.0, 0.0, 9.0])
B, L = len(Y), 3
P = RNG.uniform(0.1, 0.9, (B, L))
MU, SIGMA = RNG.normal(1, 1, (B, L)), RNG.uniform(0.3, 2, (B, L))
LOG_ALPHA = log_softmax(RNG.normal(size=(B, L)), axis=1)
SEED = tf.constant([4, 2], tf.int32)


@pytest.fixture(scope="module")
def schema():
    return fit_schema(frame(500), FEATURES, "label")


def nll(p, mu, sigma, y):
    """Eq. 5: -log of the mass at zero, or of p times the lognormal density."""
    return -np.log(1 - p) if y == 0 else -np.log(p * stats.lognorm.pdf(y, sigma, scale=np.exp(mu)))


def ziln(p, mu, sigma):
    return Ziln(*(tf.constant(x, tf.float32) for x in (logit(p), mu, sigma)))


SDN_NLL = np.array(
    [[nll(P[i, j], MU[i, j], SIGMA[i, j], Y[i]) for j in range(L)] for i in range(B)]
)


@pytest.mark.parametrize("gumbel", ["soft", "hard", "none"])
def test_optdists_loss_is_that_of_the_equations(schema, gumbel):
    settings = {"temperature": 0.7, "ce_weight": 0.3, "kl_weight": 2.0, "focal_exponent": 1.5}
    model = build_model(
        schema, OptDistConfig(num_sdns=L, sdn=[8], dsm=[8], gumbel=gumbel, **settings)
    )
    alpha = np.exp(LOG_ALPHA)
    noise = gumbel_noise(tf.constant([B, L]), SEED).numpy()
    pi = {
        "soft": softmax((LOG_ALPHA + noise) / 0.7, axis=1),  # Eq. 9
        "hard": np.eye(L)[np.argmax(LOG_ALPHA + noise, axis=1)],
        "none": alpha,
    }[gumbel]
    selected, ce, kl = 0.0, 0.0, 0.0
    for i in range(B):
        selected += sum(pi[i, j] * SDN_NLL[i, j] for j in range(L)) / B  # Eq. 6
        best = int(np.argmin(SDN_NLL[i]))  # Eq. 10
        ce -= (1 - alpha[i, best]) ** 1.5 * LOG_ALPHA[i, best] / B  # Eq. 11
        omega = np.exp(-SDN_NLL[i]) / np.exp(-SDN_NLL[i]).sum()  # Eq. 12-13
        kl += stats.entropy(omega, alpha[i]) / B  # Eq. 14
    outputs = Outputs(ziln(P, MU, SIGMA), tf.constant(LOG_ALPHA, tf.float32))
    found = model.loss_terms(tf.constant(Y, tf.float32), outputs, SEED)
    expected = {"selected_nll": selected, "ce": ce, "kl": kl}
    expected["loss"] = selected + 0.3 * ce + 2.0 * kl  # Eq. 15
    assert {k: float(v) for k, v in found.items()} == pytest.approx(expected, rel=1e-4)


def test_alignment_trains_the_selection_and_never_an_sdn(schema):
    model = build_model(schema, OptDistConfig(num_sdns=L, sdn=[8], dsm=[8], gumbel="none"))
    sdns, log_alpha = ziln(P, MU, SIGMA), tf.constant(LOG_ALPHA, tf.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([*sdns, log_alpha])
        terms = model.loss_terms(tf.constant(Y, tf.float32), Outputs(sdns, log_alpha), SEED)
        aligned = terms["ce"] + terms["kl"]
    assert tape.gradient(aligned, list(sdns)) == [None] * 3
    assert np.abs(tape.gradient(aligned, log_alpha)).max() > 0


def test_zilns_loss_is_the_mean_of_the_likelihoods(schema):
    model = build_model(schema, ZilnConfig(tower=[8]))
    found = model.loss_terms(tf.constant(Y, tf.float32), ziln(P[:, 0], MU[:, 0], SIGMA[:, 0]), SEED)
    assert float(found["loss"]) == pytest.approx(SDN_NLL[:, 0].mean(), rel=1e-5)


@pytest.mark.parametrize("logit", [-40.0, -17.0, 17.0, 40.0])
@pytest.mark.parametrize(
    "config",
    [ZilnConfig(tower=[8]), OptDistConfig(sdn=[8], num_sdns=1, dsm=[8], gumbel="none")],
    ids=lambda config: config.name,
)
def test_the_loss_of_training_and_the_reported_likelihood_agree_at_extremes(schema, config, logit):
    model = build_model(schema, config)
    stack = model.network if config.name == "ziln" else model.dlm
    stack.biases[-1].assign([[[logit, 1.0, 0.5]]])
    y = tf.constant([0.0, 3.0])
    inputs = {"categorical": tf.ones([2, 1], tf.int32), "numeric": tf.zeros([2, 1])}
    trained = model.row_losses(y, model(inputs), SEED)
    trained = trained.get("selected_nll", trained["loss"])
    reported = model.mixture(inputs)[0].nll(y)
    np.testing.assert_allclose(reported, trained, rtol=1e-5, atol=1e-7)
    assert abs(logit) - 5 < float(tf.reduce_max(reported)) < abs(logit) + 5
