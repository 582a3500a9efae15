"""A model whose prediction for a row is the number of rows that it was predicted with."""

import tensorflow as tf

from optdist.models import CltvModel


class BatchRows(CltvModel):
    """Needs no training."""

    def call(self, inputs, training=False):
        """Build the layers that every model has."""
        return self.representation(inputs)

    def predict_distribution(self, inputs, quantiles=(), inference=None):
        """Count the rows."""
        rows = tf.shape(inputs["numeric"])[0]
        return {"predicted_cltv": tf.fill([rows], tf.cast(rows, tf.float32))}
