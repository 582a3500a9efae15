import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from table import FEATURES, frame, write_table

import optdist
from optdist.config import TrainingConfig, model_section
from optdist.config.model_choice import with_defaults
from optdist.config.models import SECTIONS
from optdist.data.fitting import fit_schema
from optdist.data.shards import Shard
from optdist.evaluation.metrics import normalized_gini
from optdist.models import MODELS, build_model
from optdist.models.base import prediction_columns
from optdist.serving.package import save_package
from optdist.serving.predictor import Predictor, load_predictor
from optdist.training import TrainingPlan, train

SIZES = {"num_sdns": 3, "sdn": [16, 8], "dsm": [8], "tower": [16, 8]}


def make(name, raw, **settings):
    config = model_section(with_defaults({"name": name} | settings, SIZES))
    return build_model(fit_schema(raw, FEATURES, "label"), config)


def learn(model, raw, epochs=8, rate=5e-3):
    model.compile(optimizer=keras.optimizers.Adam(rate))
    data = optdist.memory_dataset(raw, model.schema, label="label", batch_size=256)
    return model.fit(data.shuffle(100, seed=1), epochs=epochs, shuffle=False, verbose=0)


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    raw = frame()
    model = make(request.param, raw)
    return raw, model, learn(model, raw)


def test_a_notebook_can_fit_it_and_it_learns_a_known_distribution(fitted):
    raw, model, history = fitted
    assert history.history["loss"][-1] < history.history["loss"][0]
    found = model.predict(optdist.memory_dataset(raw, model.schema), verbose=0)
    assert normalized_gini(raw["label"], found["predicted_cltv"]) > 0.5
    rows = pd.DataFrame({"city": ["a", "b"], "spend": [20.0, 20.0]})
    rich, poor = model.predict(optdist.memory_dataset(rows, model.schema), verbose=0)[
        "predicted_cltv"
    ]
    assert rich > 3 * poor


def test_its_predictions_are_finite_and_not_negative(fitted):
    _, model, _ = fitted
    n = 7
    numbers = np.linspace(-50, 50, n, dtype=np.float32)[:, None]
    inputs = {"categorical": tf.zeros([n, 1], tf.int32), "numeric": tf.constant(numbers)}
    for inference in model.inferences:
        found = model.predict_distribution(inputs, inference=inference)
        assert set(found) == set(prediction_columns(type(model), ()))
        value = found["predicted_cltv"].numpy()
        assert np.isfinite(value).all() and (value >= 0).all() and value.shape == (n,)
        if model.has_conversion:
            assert ((found["p"].numpy() >= 0) & (found["p"].numpy() <= 1)).all()


def test_a_saved_model_predicts_the_same_to_the_last_bit(fitted, tmp_path):
    raw, model, _ = fitted
    save_package(model, tmp_path)
    before, after = Predictor(model).predict(raw), load_predictor(tmp_path).predict(raw)
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_a_calibrated_scale_multiplies_the_prediction_alone(fitted):
    raw, model, _ = fitted
    inputs = next(iter(optdist.memory_dataset(raw, model.schema, batch_size=50)))
    before = model.predict_distribution(inputs)
    model.calibrations[model.inference] = optdist.distributions.calibration.Calibration(scale=2.0)
    after = model.predict_distribution(inputs)
    model.calibrations.clear()
    np.testing.assert_allclose(after["predicted_cltv"], 2 * before["predicted_cltv"], rtol=1e-6)
    if "p" in before:
        np.testing.assert_array_equal(after["p"], before["p"])


def loss_and_gradients(model, inputs, y, step=0):
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        terms = model.loss_terms(tf.cast(y, tf.float32), outputs, tf.constant([1, step]))
    variables = [v.value for v in model.trainable_variables]
    gradients = tape.gradient(terms["loss"], variables, unconnected_gradients="zero")
    assert all(np.isfinite(term.numpy()) for term in terms.values())
    return terms["loss"].numpy(), [tf.convert_to_tensor(gradient) for gradient in gradients]


@pytest.mark.parametrize("y", [0.0, 1e-30, 1e15])
def test_loss_and_gradients_are_finite_at_zero_and_at_extremes(fitted, y):
    _, model, _ = fitted
    inputs = {"categorical": tf.zeros([2, 1], tf.int32), "numeric": tf.constant([[-40.0], [40.0]])}
    loss, gradients = loss_and_gradients(model, inputs, tf.constant([y, y]))
    assert np.isfinite(loss) and any(tf.reduce_any(gradient != 0) for gradient in gradients)
    assert all(np.isfinite(gradient.numpy()).all() for gradient in gradients)


def tied(raw):
    """Labels of three values alone, one of them most of the rows."""
    label = np.where(raw["label"] > 20, 50.0, np.where(raw["label"] > 0, 10.0, 0.0))
    return raw.assign(label=np.where(raw["label"] > 60, 70.0, label))


LABELS = {
    "ties": tied,
    "one value": lambda raw: raw.assign(label=np.where(raw["label"] > 0, 5.0, 0.0)),
    "one positive": lambda raw: raw.assign(label=np.where(np.arange(len(raw)) == 3, 7.0, 0.0)),
    "two positives": lambda raw: raw.assign(
        label=7.0 * (raw.index == 3) + 900.0 * (raw.index == 4)
    ),
    "no zeros": lambda raw: raw.assign(label=raw["label"] + 1.0),
}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", MODELS)
def test_it_survives_labels_of_an_odd_kind(name, labels):
    raw = LABELS[labels](frame(600))
    model = make(name, raw)
    data = optdist.memory_dataset(raw, model.schema, label="label", batch_size=600)
    inputs, y = next(iter(data))
    optimizer = keras.optimizers.Adam(0.01)
    for step in range(5):
        loss, gradients = loss_and_gradients(model, inputs, y, step)
        optimizer.apply(gradients, model.trainable_variables)
        assert np.isfinite(loss)
    for inference in model.inferences:
        found = model.predict_distribution(inputs, inference=inference)["predicted_cltv"].numpy()
        assert np.isfinite(found).all() and (found >= 0).all()


def test_the_config_names_every_model():
    assert set(MODELS) == set(SECTIONS)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("table"), rows=4000)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "optdist"])
def test_a_rank_trains_calibrates_and_evaluates_it(name, table, tmp_path):
    result = train(
        TrainingPlan(
            table=str(table.path),
            table_fingerprint="made",
            folder=str(tmp_path),
            model=with_defaults({"name": name}, SIZES),
            training=TrainingConfig(ranks=1, epochs=8, batch_size=128, learning_rate=5e-3),
        )
    )
    assert result.test_metrics["normalized_gini"] > 0.4
    assert set(result.calibration) == set(MODELS[name].inferences)
    model = load_predictor(tmp_path / "package").model
    actual = predicted = 0.0
    for split in ("train", "validation"):
        with Shard(table, split, 512).one_pass() as batches:
            for inputs, keys in batches:
                predicted += model.predict_distribution(inputs)["predicted_cltv"].numpy().sum()
                actual += keys["label"].numpy().sum()
    assert predicted == pytest.approx(actual, rel=1e-4)
