"""A layer comes back from its configuration, which is plain JSON."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from table import FEATURES, frame

from optdist.config import OptDistConfig
from optdist.data.encoding import encode
from optdist.data.fitting import fit_schema
from optdist.data.inputs import stack_inputs
from optdist.layers import CrossNetwork, Embedding, PiecewiseLinear, StackedMLP
from optdist.layers.autodis import AutoDis, AutoDisEmbedding

RAW = frame(500)
SCHEMA = fit_schema(RAW, FEATURES, "label")
CONFIG = OptDistConfig(cross_layers=1, bottom=[4], numeric_bins=4)
INPUTS = stack_inputs({k: tf.constant(v) for k, v in encode(RAW, SCHEMA).items()}, SCHEMA, 500)
NUMBERS = INPUTS["numeric"]
LAYERS = {
    "cross": (lambda: CrossNetwork(2, 3, seed=1, name="twice"), NUMBERS),
    "stack": (lambda: StackedMLP(2, [4, 3], 1, np.array([[1, 2, 3], [4, 5, 6]])), NUMBERS),
    "stack without a start": (lambda: StackedMLP(2, [4, 3], 1), NUMBERS),
    "piecewise": (lambda: PiecewiseLinear(SCHEMA, 4), NUMBERS),
    "embedding": (lambda: Embedding(SCHEMA, CONFIG, 1), INPUTS),
    "autodis": (lambda: AutoDis(SCHEMA, 4, 3, 1), NUMBERS),
    "autodis embedding": (lambda: AutoDisEmbedding(SCHEMA, CONFIG, 1), INPUTS),
}


@pytest.mark.parametrize("name", LAYERS)
def test_it_computes_the_same_again(name):
    make, inputs = LAYERS[name]
    layer = make()
    expected = layer(inputs).numpy()
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(layer) and again.name == layer.name
    np.testing.assert_array_equal(again(inputs).numpy(), expected)
    assert again.get_config() == layer.get_config()


def test_dtype_and_trainable_are_kept():
    layer = StackedMLP(1, [2], 1, trainable=False)
    assert StackedMLP.from_config(layer.get_config()).trainable is False
