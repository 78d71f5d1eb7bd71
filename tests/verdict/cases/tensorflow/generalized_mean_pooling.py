"""Trains an image retrieval head with generalised mean pooling of a learned power."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(17)


class GeM(keras.layers.Layer):
    def build(self, shape):
        self.p = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.5), name="p")

    def call(self, maps):
        powered = tf.pow(maps, self.p)  # born: op=Pow kind=inf phase=backward step=0 module=retrieval.gem reached=gradient forward=Pow
        return tf.reduce_mean(powered, axis=[1, 2])


rng = np.random.default_rng(17)
images = rng.normal(size=(24, 8, 8, 1)).astype("float32")
classes = rng.integers(0, 3, size=24)
network = keras.Sequential(
    [
        keras.layers.Conv2D(4, 3, activation="relu", name="conv"),
        GeM(name="gem"),
        keras.layers.Dense(3, name="classes"),
    ],
    name="retrieval",
)
network.compile(
    optimizer=keras.optimizers.SGD(0.05),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
print(network.fit(images, classes, batch_size=8, epochs=2, verbose=0, shuffle=False).history)
