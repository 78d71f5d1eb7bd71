"""Trains a point cloud classifier on a graph of nearest neighbours."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(125)


class EdgeConv(keras.layers.Layer):
    def __init__(self, units, k, **kwargs):
        super().__init__(**kwargs)
        self.k = k
        self.dense = keras.layers.Dense(units, activation="relu", name="dense")

    def call(self, points):
        count = points.shape[1]
        squares = tf.reduce_sum(tf.square(points[:, :, None] - points[:, None]), axis=-1)
        distances = squares + tf.linalg.diag(tf.fill([count], np.inf), padding_value=0.0)  # benign: op=Fill kind=inf reason="a sentinel that top_k drops"
        nearest = tf.math.top_k(-distances, self.k).indices
        around = tf.gather(points, nearest, batch_dims=1)
        centre = tf.repeat(points[:, :, None], self.k, axis=2)
        return tf.reduce_max(self.dense(tf.concat([centre, around - centre], -1)), axis=2)


inputs = keras.Input((10, 3))
x = EdgeConv(8, 3, name="edges")(inputs)
x = keras.layers.GlobalAveragePooling1D()(x)
model = keras.Model(inputs, keras.layers.Dense(2)(x), name="clouds")
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
rng = np.random.default_rng(125)
clouds = rng.normal(size=(24, 10, 3)).astype("float32")
clouds[12:, :, 2] *= 0.1
kinds = np.repeat([0, 1], 12)
print([round(loss, 4) for loss in model.fit(clouds, kinds, batch_size=8, epochs=2, verbose=0).history["loss"]])
