import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from table import FEATURES, frame

import optdist
from optdist.config import OptDistConfig
from optdist.data.fitting import fit_schema
from optdist.distributions.calibration import Calibration, fit_level
from optdist.errors import ConfigError, ModelError
from optdist.evaluation.metrics import normalized_gini
from optdist.layers import Embedding, StackedMLP
from optdist.models import build_model
from optdist.models.base import quantile_name
from optdist.serving.package import save_package
from optdist.serving.predictor import load_predictor

SMALL = OptDistConfig(num_sdns=3, sdn=[16, 8], dsm=[8], inference="hard")


@pytest.fixture(scope="module")
def fitted():
    raw = frame()
    schema = fit_schema(raw, FEATURES, "label")
    model = optdist.OptDist(schema, SMALL)
    model.compile(optimizer=keras.optimizers.Adam(5e-3))
    data = optdist.memory_dataset(raw, schema, label="label", batch_size=256)
    history = model.fit(data.shuffle(100, seed=1), epochs=6, verbose=0)
    return raw, schema, model, history


def test_a_notebook_can_build_fit_and_predict(fitted):
    raw, schema, model, history = fitted
    assert history.history["loss"][-1] < history.history["loss"][0]
    predicted = model.predict(optdist.memory_dataset(raw, schema), verbose=0)
    assert normalized_gini(raw["label"], predicted["predicted_cltv"]) > 0.55
    assert predicted["predicted_cltv"].sum() / raw["label"].sum() == pytest.approx(1, abs=0.15)


def test_a_known_distribution_is_learned(fitted):
    _, schema, model, _ = fitted
    rows = pd.DataFrame({"city": ["a", "b"], "spend": [20.0, 20.0]})
    found = model.predict(optdist.memory_dataset(rows, schema), verbose=0)
    np.testing.assert_allclose(found["p"], [0.8, 0.2], atol=0.1)
    np.testing.assert_allclose(found["mu"], np.array([3.0, 1.0]) + 0.3 * np.log1p(20), atol=0.3)


def test_routing_gives_what_all_sdns_would_give_at_the_selected_one(fitted):
    raw, schema, model, _ = fitted
    inputs = next(iter(optdist.memory_dataset(raw, schema, batch_size=500)))
    routed, every = model.predict_distribution(inputs), model(inputs)
    selected = tf.argmax(every.log_alpha, axis=-1)
    assert routed["selected_sdn"].numpy().tolist() == selected.numpy().tolist()
    for name in ("p", "mu", "sigma"):
        expected = tf.gather(getattr(every.sdns, name), selected, axis=1, batch_dims=1)
        np.testing.assert_allclose(routed[name], expected, rtol=2e-5, atol=1e-6)


def test_soft_inference_is_the_mean_of_the_mixture(fitted):
    raw, schema, model, _ = fitted
    inputs = next(iter(optdist.memory_dataset(raw, schema, batch_size=500)))
    soft = optdist.OptDist(schema, SMALL.model_copy(update={"inference": "soft"}))
    soft.build_variables()
    soft.set_weights(model.get_weights())
    found, every = soft.predict_distribution(inputs, (0.5,)), model(inputs)
    alpha = np.exp(every.log_alpha.numpy())
    p, mu, sigma = (x.numpy() for x in (every.sdns.p, every.sdns.mu, every.sdns.sigma))
    mean = (alpha * p * np.exp(mu + sigma**2 / 2)).sum(axis=1)
    np.testing.assert_allclose(found["predicted_cltv"], mean, rtol=1e-4)
    hard = model.predict_distribution(inputs)
    np.testing.assert_allclose(found["mu"], hard["mu"], rtol=2e-5, atol=1e-6)


def test_top2_inference_is_the_mixture_of_the_two_likeliest_sdns(fitted):
    raw, schema, model, _ = fitted
    inputs = next(iter(optdist.memory_dataset(raw, schema, batch_size=500)))
    found, every = model.predict_distribution(inputs, inference="top2"), model(inputs)
    alpha = np.exp(every.log_alpha.numpy())
    means = every.sdns.p * np.exp(every.sdns.mu + every.sdns.sigma**2 / 2)
    two = np.argsort(-alpha, axis=1)[:, :2]
    weights, parts = np.take_along_axis(alpha, two, 1), np.take_along_axis(means.numpy(), two, 1)
    expected = (weights * parts).sum(axis=1) / weights.sum(axis=1)
    np.testing.assert_allclose(found["predicted_cltv"], expected, rtol=1e-4)
    np.testing.assert_array_equal(found["selected_sdn"], two[:, 0])


def test_the_interval_holds_the_share_that_calibration_fitted(fitted):
    raw, schema, model, _ = fitted
    rows = optdist.memory_dataset(raw, schema, batch_size=len(raw))
    inputs = next(iter(rows))
    y = raw["label"].to_numpy()
    mixture, _ = model.mixture(inputs, "soft")
    level = fit_level(
        0.8, y, mixture.cdf(y.astype(np.float32)).numpy(), mixture.zero_mass().numpy()
    )
    model.calibrations["soft"] = Calibration(coverage=0.8, level=level)
    found = model.predict_distribution(inputs, (0.5,), "soft")
    model.calibrations.clear()
    inside = (y >= found["interval_low"]) & (y <= found["interval_high"])
    assert np.mean(inside) == pytest.approx(0.8, abs=0.01)


def test_a_saved_model_predicts_the_same_to_the_last_bit(fitted, tmp_path):
    raw, schema, model, _ = fitted
    save_package(model, tmp_path)
    before = model.predict(optdist.memory_dataset(raw, schema), verbose=0)
    after = load_predictor(tmp_path, batch_rows=2048).predict(raw, [0.05, 0.95])
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])
    inside = (raw["label"] <= after["q95"]).mean()
    assert inside == pytest.approx(0.95, abs=0.03)


def test_a_damaged_package_is_refused(fitted, tmp_path):
    save_package(fitted[2], tmp_path)
    (tmp_path / "model.weights.h5").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="not a readable model package"):
        load_predictor(tmp_path)


def test_each_sdn_starts_from_a_seed_of_its_own():
    stack = StackedMLP(3, [4, 2], seed=7)
    x = tf.random.stateless_normal([5, 6], [1, 2])
    every = stack(x)
    assert not np.allclose(stack.kernels[0][0], stack.kernels[0][1])
    for i in range(3):
        np.testing.assert_allclose(stack.one(x, i), every[i], rtol=1e-5, atol=1e-6)


def test_outputs_start_at_the_training_labels_statistics(fitted):
    schema = fitted[1]
    fresh = build_model(schema, OptDistConfig(num_sdns=1))
    out = fresh(
        {"categorical": np.zeros([1, 1], np.int32), "numeric": np.zeros([1, 1], np.float32)}
    )
    assert float(out.sdns.p[0, 0]) == pytest.approx(schema.label.positive_share, abs=0.02)
    assert float(out.sdns.mu[0, 0]) == pytest.approx(schema.label.log_mean, abs=0.1)
    assert float(out.sdns.sigma[0, 0]) == pytest.approx(schema.label.log_std, abs=0.1)


class Widened(Embedding):
    """A plugged-in representation."""

    def call(self, inputs):
        h = super().call(inputs)
        return tf.concat([h, h**2], axis=-1)


def test_a_representation_plugs_in_by_its_name(fitted):
    plugged = build_model(
        fitted[1], SMALL.model_copy(update={"representation": f"{__name__}:Widened"})
    )
    plain = build_model(fitted[1], SMALL)
    assert plugged.dlm.kernels[0].shape[1] == 2 * plain.dlm.kernels[0].shape[1]


@pytest.mark.parametrize("name", ["no_such", "optdist.layers:Nothing", "no.such.module:Class"])
def test_an_unknown_representation_is_named(fitted, name):
    with pytest.raises(ConfigError, match="Received"):
        build_model(fitted[1], SMALL.model_copy(update={"representation": name}))


def test_quantile_columns_are_named_by_their_percent():
    assert [quantile_name(q) for q in (0.05, 0.5, 0.95, 0.995)] == ["q05", "q50", "q95", "q99_5"]
