"""Trains on inputs that are scaled by the range seen so far."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(116)


class RunningRange(keras.layers.Layer):
    def build(self, shape):
        self.low = tf.Variable(tf.fill([shape[-1]], np.inf), trainable=False)  # benign: op=Fill kind=inf reason="a sentinel that the minimum replaces"
        self.high = tf.Variable(tf.fill([shape[-1]], -np.inf), trainable=False)  # benign: op=Fill kind=inf reason="a sentinel that the maximum replaces"

    def call(self, x, training=False):
        if training:
            self.low.assign(tf.minimum(self.low, tf.reduce_min(x, axis=0)))
            self.high.assign(tf.maximum(self.high, tf.reduce_max(x, axis=0)))
        return tf.math.divide_no_nan(x - self.low, self.high - self.low)


rng = np.random.default_rng(116)
x = rng.normal(loc=50.0, scale=20.0, size=(40, 3)).astype("float32")
y = (x.sum(axis=1, keepdims=True) / 150.0).astype("float32")
model = keras.Sequential([RunningRange(name="range"), keras.layers.Dense(1, name="line")], name="scaled")
optimizer = keras.optimizers.SGD(0.1)
for step in range(5):
    rows = slice(8 * step, 8 * step + 8)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x[rows], training=True) - y[rows]))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    print(step, round(float(loss), 4))
