"""Every model is a whole Keras model: fit, evaluate, clone, save and load."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from table import FEATURES, frame

import optdist
from optdist.config import model_section
from optdist.config.model_choice import with_defaults
from optdist.data.fitting import fit_schema
from optdist.distributions.calibration import Calibration
from optdist.models import MODELS, build_model

SIZES = {"num_sdns": 3, "sdn": [16, 8], "dsm": [8], "tower": [16, 8]}
RAW = frame(1200).assign(weight=np.tile([0.0, 1.0, 3.0], 400))
SCHEMA = fit_schema(RAW, FEATURES, "label")


def make(name, rate=5e-3):
    model = build_model(SCHEMA, model_section(with_defaults({"name": name}, SIZES)), seed=3)
    model.compile(optimizer=keras.optimizers.Adam(rate))
    return model


def rows(frame, **settings):
    return optdist.memory_dataset(frame, SCHEMA, "label", 256, **settings)


def by_hand(model, frame, weights=None):
    """The weighted mean of the rows' losses, batch by batch with evaluation's noise."""
    losses = []
    for inputs, y in rows(frame):
        seed = tf.constant([model.noise_seed, 0])
        losses.append(model.row_losses(y, model(inputs), seed)["loss"].numpy())
    return np.average(np.concatenate(losses).astype(np.float64), weights=weights)


@pytest.fixture(params=MODELS)
def model(request):
    return make(request.param)


def test_evaluate_reports_the_mean_over_all_rows_and_the_parts(model):
    found = model.evaluate(rows(RAW), return_dict=True, verbose=0)
    assert found["loss"] == pytest.approx(by_hand(model, RAW), rel=1e-5)
    inputs, y = next(iter(rows(RAW)))
    assert set(found) == set(model.loss_terms(y, model(inputs), tf.constant([1, 1])))


def test_sample_weights_weight_the_losses_of_rows(model):
    data = rows(RAW, sample_weight="weight")
    found = model.evaluate(data, return_dict=True, verbose=0)
    assert found["loss"] == pytest.approx(by_hand(model, RAW, RAW["weight"]), rel=1e-5)
    inputs, y = next(iter(rows(RAW)))
    weights = RAW["weight"].to_numpy(np.float32)[:256]
    given = model.evaluate(
        inputs, y, sample_weight=weights, batch_size=256, return_dict=True, verbose=0
    )
    assert given["loss"] == pytest.approx(by_hand(model, RAW[:256], RAW["weight"][:256]), rel=1e-5)


def test_a_row_of_weight_zero_teaches_nothing():
    raw = RAW.assign(weight=np.where(RAW["label"] > 0, 1.0, 0.0))
    weighted, alone = make("ziln"), make("ziln")
    weighted.fit(rows(raw, sample_weight="weight"), epochs=1, steps_per_epoch=1, verbose=0)
    first = raw[:256]
    alone.fit(rows(first[first["label"] > 0]), epochs=1, verbose=0)
    for a, b in zip(weighted.trainable_variables, alone.trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-4)


def test_fit_reports_the_mean_of_the_epoch_and_of_validation(model):
    history = model.fit(rows(RAW[:900]), validation_data=rows(RAW[900:]), epochs=2, verbose=0)
    assert {"loss", "val_loss"} <= set(history.history)
    assert history.history["val_loss"][-1] == pytest.approx(by_hand(model, RAW[900:]), rel=1e-4)
    before = history.history["loss"][0]
    assert np.isfinite(before) and before > 0


def test_callbacks_follow_the_loss_of_validation(tmp_path):
    model = make("optdist", rate=0.3)  # so high that validation soon gets worse
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    keep = keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "val_loss", save_best_only=True)
    table = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    board = keras.callbacks.TensorBoard(tmp_path / "board")
    history = model.fit(
        rows(RAW[:900], shuffle=True, seed=1),
        validation_data=rows(RAW[900:]),
        epochs=60,
        callbacks=[stop, keep, table, board, keras.callbacks.TerminateOnNaN()],
        verbose=0,
    ).history["val_loss"]
    assert len(history) < 60
    best = keras.models.load_model(tmp_path / "best.keras")
    for kept in (model, best):
        loss = kept.evaluate(rows(RAW[900:]), return_dict=True, verbose=0)["loss"]
        assert loss == pytest.approx(min(history), rel=1e-5)
    assert "val_selected_nll" in (tmp_path / "log.csv").read_text()


def test_its_config_is_plain_json_and_makes_the_same_model(model):
    config = json.loads(json.dumps(model.get_config()))
    again = type(model).from_config(config)
    assert (again.schema, again.config) == (model.schema, model.config)
    for a, b in zip(model.variables, again.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())  # the same seed, before training


def test_a_clone_has_the_same_networks_and_learns_apart(model):
    before = [v.numpy() for v in model.variables]
    clone = keras.models.clone_model(model)
    clone.compile(optimizer=keras.optimizers.Adam(0.01))
    clone.fit(rows(RAW), epochs=1, verbose=0)
    assert [v.shape for v in clone.variables] == [v.shape for v in model.variables]
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_a_saved_model_comes_back_with_calibration_optimizer_and_predictions(model, tmp_path):
    model.fit(rows(RAW), epochs=1, verbose=0)
    model.calibrations["soft"] = model.calibrations["mean"] = Calibration(scale=1.5, level=0.8)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    data = optdist.memory_dataset(RAW, SCHEMA)
    expected, found = model.predict(data, verbose=0), again.predict(data, verbose=0)
    assert set(found) == set(expected)
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name])
    assert again.calibration() == model.calibration()
    for a in (model, again):  # training goes on alike: the optimizer and the noise came back
        a.fit(rows(RAW), epochs=1, verbose=0)
    for a, b in zip(model.variables, again.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


def test_the_weights_file_of_a_package_holds_no_metrics(tmp_path):
    model = make("optdist")
    model.fit(rows(RAW), epochs=1, verbose=0)
    model.save_weights(tmp_path / "a.weights.h5")
    build_model(SCHEMA, model.config).load_weights(tmp_path / "a.weights.h5")  # never compiled


def test_a_foreign_loss_or_metric_is_refused_and_not_ignored():
    model = make("ziln")
    with pytest.raises(ValueError, match="without `loss`"):
        model.compile("adam", "mse")
    with pytest.raises(ValueError, match="without `metrics`"):
        model.compile("adam", metrics=["mae"])


def test_training_without_labels_says_what_is_missing():
    with pytest.raises(ValueError, match="need labels"):
        make("ziln").evaluate(optdist.memory_dataset(RAW, SCHEMA), verbose=0)
