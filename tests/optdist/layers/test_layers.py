import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from scipy.special import softmax
from table import FEATURES, frame

from optdist.config import FeaturesConfig, OptDistConfig
from optdist.data.encoding import encode
from optdist.data.fitting import fit_schema
from optdist.layers import CrossNetwork, PiecewiseLinear, build_representation
from optdist.layers.autodis import AutoDis
from optdist.models import build_model

AUTODIS = "optdist.layers.autodis:AutoDisEmbedding"


def encoded_column(values, training, bins, log1p=False):
    """The piecewise-linear encoding of `values` under bins of `training`."""
    made = pd.DataFrame({"x": training, "label": 1.0})
    schema = fit_schema(made, FeaturesConfig(numeric={"x": {"log1p": log1p}}), "label")
    z = encode(pd.DataFrame({"x": values}), schema)["num_x"]
    return PiecewiseLinear(schema, bins)(z[:, None]).numpy()


def test_a_value_fills_the_bins_below_it_and_its_share_of_its_own():
    found = encoded_column([0.0, 2.5, 5.0, 7.5, 10.0], np.linspace(0, 10, 101), bins=4)
    expected = [[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(encoded_column([1.0], np.linspace(0, 10, 101), 4)[0, 0], 0.4, 1e-4)


def test_values_beyond_training_stay_at_the_ends():
    found = encoded_column([-99.0, 99.0], np.linspace(0, 10, 101), bins=2)
    np.testing.assert_array_equal(found, [[0, 0], [1, 1]])


def test_equal_quantiles_make_one_edge():
    mostly_zero = np.r_[np.zeros(90), np.arange(1, 11)]
    assert encoded_column([0.0, 10.0], mostly_zero, bins=4).shape == (2, 1)  # edges 0 and 10
    assert encoded_column([3.0], np.full(50, 3.0), bins=4).shape == (1, 0)  # a constant has no bin


def test_bins_follow_the_log1p():
    found = encoded_column([np.expm1(1.0)], np.expm1(np.linspace(0, 2, 201)), 2, log1p=True)
    np.testing.assert_allclose(found, [[1, 0]], atol=1e-4)


def test_a_column_without_a_value_in_training_has_no_bins():
    made = pd.DataFrame({"x": np.full(9, np.nan), "y": np.arange(9.0), "label": 1.0})
    schema = fit_schema(made, FeaturesConfig(numeric=["x", "y"]), "label")
    assert PiecewiseLinear(schema, 4)(np.zeros([2, 2], np.float32)).shape == (2, 4)


def test_autodis_mixes_meta_embeddings_as_its_paper_says():
    schema = fit_schema(frame(500), FEATURES, "label")
    layer, z = AutoDis(schema, count=4, dim=3, seed=1), np.array([[0.7], [-1.2]], np.float32)
    found = layer(z).numpy()
    first, shift, second, meta = (
        v.numpy()[0] for v in (layer.first, layer.shift, layer.second, layer.meta)
    )
    for row, value in zip(found, z[:, 0], strict=True):
        h = value * first + shift
        h = np.where(h > 0, h, 0.2 * h)
        weights = softmax(h @ second + h)
        np.testing.assert_allclose(row, weights @ meta, rtol=1e-5)


def test_a_cross_is_dcn_v2s_formula_and_starts_as_the_identity():
    h = tf.random.stateless_normal([3, 5], [1, 2])
    layer = CrossNetwork(layers=1, rank=2, seed=1)
    np.testing.assert_array_equal(layer(h), h)
    ((v, u, b),) = layer.crosses
    u.assign(np.full([2, 5], 0.5))
    b.assign(np.arange(5.0))
    expected = h.numpy() * (h.numpy() @ v.numpy() @ u.numpy() + b.numpy()) + h.numpy()
    np.testing.assert_allclose(layer(h), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [
        {"numeric": "zscore"},
        {"numeric": "piecewise", "numeric_bins": 8},
        {"cross_layers": 2},
        {"bottom": [16, 8]},
        {"representation": AUTODIS, "numeric_bins": 8},
    ],
    ids=str,
)
def test_every_representation_trains_all_of_its_weights(settings):
    raw = frame(500)
    schema = fit_schema(raw, FEATURES, "label")
    config = OptDistConfig(num_sdns=2, sdn=[8], dsm=[8], **settings)
    model = build_model(schema, config)
    layer = build_representation(schema, config, seed=1)
    inputs = {
        "categorical": np.stack([encode(raw, schema)[c] for c in schema.categorical_columns], 1),
        "numeric": np.stack([encode(raw, schema)[c] for c in schema.numeric_columns], 1),
    }
    h = layer(inputs)
    assert h.shape[0] == 500 and np.isfinite(h).all()
    model.compile(optimizer=keras.optimizers.Adam(1e-2))
    before = [w.numpy().copy() for w in model.trainable_variables]
    data = tf.data.Dataset.from_tensor_slices((inputs, raw["label"].to_numpy(np.float32)))
    model.fit(data.batch(100), epochs=2, verbose=0)
    moved = [
        np.abs(w.numpy() - b).max() for w, b in zip(model.trainable_variables, before, strict=True)
    ]
    assert min(moved) > 0


def test_the_papers_h_is_the_embeddings_beside_the_z_scores():
    raw = frame(50)
    schema = fit_schema(raw, FEATURES, "label")
    layer = build_representation(schema, OptDistConfig(numeric="zscore", embedding_dim=3), seed=1)
    columns = encode(raw, schema)
    h = layer(
        {"categorical": columns["cat_city"][:, None], "numeric": columns["num_spend"][:, None]}
    )
    expected = np.c_[layer.table.numpy()[columns["cat_city"]], columns["num_spend"]]
    np.testing.assert_array_equal(h, expected)
