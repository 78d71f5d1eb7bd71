"""Trains a pointer network whose mask is multiplied by minus infinity."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(44)


class Pointer(keras.layers.Layer):
    def build(self, shape):
        self.key = self.add_weight(shape=(shape[-1], 6), name="key")
        self.query = self.add_weight(shape=(6,), name="query")

    def call(self, cities, visited):
        scores = tf.linalg.matvec(tf.tanh(cities @ self.key), self.query)
        scores = scores + visited * -np.inf  # born: op=Mul kind=nan phase=forward step=0 module=pointer reached=loss
        return tf.nn.softmax(scores)


rng = np.random.default_rng(44)
cities = tf.constant(rng.uniform(size=(8, 5, 2)), tf.float32)
visited = tf.constant(rng.uniform(size=(8, 5)) < 0.3, tf.float32)
following = tf.argmin(visited, axis=1)
pointer = Pointer(name="pointer")
optimizer = keras.optimizers.Adam(1e-2)
for _ in range(3):
    with tf.GradientTape() as tape:
        chances = pointer(cities, visited)
        picked = tf.gather(chances, following, batch_dims=1)
        loss = -tf.reduce_mean(tf.math.log(picked + 1e-9))
    gradients = tape.gradient(loss, pointer.trainable_variables)
    optimizer.apply_gradients(zip(gradients, pointer.trainable_variables))
    print("tour loss", float(loss))
