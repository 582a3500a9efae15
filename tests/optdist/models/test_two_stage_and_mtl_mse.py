import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from table import FEATURES, frame

from optdist.config import model_section
from optdist.data.fitting import fit_schema
from optdist.models import build_model
from optdist.models.conversion import ConversionValue, conversion_ce, squared_error

Y = np.array([0.0, 3.0, 250.0, 0.0], np.float32)
P_LOGIT = np.array([-1.0, 0.5, 2.0, -30.0], np.float32)
VALUE = np.array([4.0, 5.0, 100.0, 1.0], np.float32)
OUTPUTS = ConversionValue(tf.constant(P_LOGIT), tf.constant(VALUE))


@pytest.fixture(scope="module")
def schema():
    return fit_schema(frame(500), FEATURES, "label")


def make(schema, name, **settings):
    return build_model(
        schema, model_section({"name": name, "tower": [8], "numeric": "zscore"} | settings)
    )


def terms(model, y=Y, outputs=OUTPUTS):
    return {k: float(v) for k, v in model.loss_terms(tf.constant(y), outputs, None).items()}


def oracle_ce():
    p = expit(P_LOGIT.astype(np.float64))
    return np.mean(np.where(Y > 0, -np.log(p), -np.log1p(-p)))


def test_cross_entropy_and_squared_error_of_a_case_worked_by_hand():
    # p = 1/2 says log 2 of either outcome; 12 predicted for 6 in units of 3 is two units off
    assert conversion_ce(tf.constant([0.0, 9.0]), tf.zeros(2)).numpy() == pytest.approx(np.log(2))
    assert squared_error(tf.constant([6.0]), tf.constant([12.0]), 3.0).numpy() == [4.0]


@pytest.mark.parametrize("rows", ["converted", "weighted", "all"])
def test_two_stage_loss_agrees_with_numpy(schema, rows):
    model = make(schema, "two_stage", rows=rows)
    weight = {"converted": Y > 0, "weighted": expit(P_LOGIT), "all": np.ones(4)}[rows]
    unit = schema.label.positive_mean
    mse = np.mean(weight * ((VALUE - Y) / unit) ** 2)
    assert terms(model) == pytest.approx({"loss": oracle_ce() + mse, "ce": oracle_ce(), "mse": mse})


@pytest.mark.parametrize("error", ["product", "value"])
def test_mtl_mse_loss_agrees_with_numpy(schema, error):
    model = make(schema, "mtl_mse", error=error, mse_weight=0.5)
    unit = schema.label.positive_mean
    squares = {
        "product": ((expit(P_LOGIT) * VALUE - Y) / unit) ** 2,
        "value": (Y > 0) * ((VALUE - Y) / unit) ** 2,
    }[error]
    mse = np.mean(squares)
    expected = {"loss": oracle_ce() + 0.5 * mse, "ce": oracle_ce(), "mse": mse}
    assert terms(model) == pytest.approx(expected)


def gradients_of(model, term):
    """The variables that a term of the loss moves, by identity."""
    inputs = {"categorical": tf.ones([4, 1], tf.int32), "numeric": tf.ones([4, 1])}
    with tf.GradientTape() as tape:
        loss = model.loss_terms(tf.constant(Y), model(inputs), None)[term]
    variables = model.trainable_variables
    found = tape.gradient(loss, [v.value for v in variables])
    return {id(v) for v, g in zip(variables, found, strict=True) if g is not None}


@pytest.mark.parametrize("rows", ["converted", "weighted", "all"])
def test_the_stages_share_no_parameter(schema, rows):
    model = make(schema, "two_stage", rows=rows)
    first, second = gradients_of(model, "ce"), gradients_of(model, "mse")
    assert first and second and not first & second
    assert len(first | second) == len(model.trainable_variables)


def test_the_stages_share_the_embeddings_where_the_setting_says_so(schema):
    model = make(schema, "two_stage", shared_representation=True)
    assert gradients_of(model, "ce") & gradients_of(model, "mse") == {
        id(model.representation.table)
    }


@pytest.mark.parametrize("shared", ["representation", "tower"])
def test_the_tasks_of_mtl_mse_share_what_the_setting_says(schema, shared):
    model = make(schema, "mtl_mse", shared=shared, error="value")
    towers, shapes = model.towers, [tuple(k.shape) for k in model.towers.kernels]
    width = 1 + model.config.embedding_dim
    assert (
        shapes
        == {
            "representation": [(2, width, 8), (2, 8, 1)],
            "tower": [(1, width, 8), (1, 8, 2)],
        }[shared]
    )
    assert {id(v) for v in (model.representation.table, *towers.kernels)} <= gradients_of(
        model, "loss"
    )


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("two_stage", {}),
        ("two_stage", {"rows": "all"}),
        ("mtl_mse", {}),
        ("mtl_mse", {"shared": "tower"}),
    ],
)
def test_outputs_start_at_the_training_labels_statistics(schema, name, settings):
    model = make(schema, name, **settings)
    found = model({"categorical": tf.zeros([1, 1], tf.int32), "numeric": tf.zeros([1, 1])})
    label = schema.label
    value = label.mean if settings.get("rows") == "all" else label.positive_mean
    assert expit(found.p_logit.numpy())[0] == pytest.approx(label.positive_share, abs=0.02)
    assert found.value.numpy()[0] == pytest.approx(value, rel=0.1)
