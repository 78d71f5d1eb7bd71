"""Trains a model whose weights are kept in half precision."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(22)
rng = np.random.default_rng(22)
x = tf.constant(rng.normal(size=(64, 6)) * [1, 1, 1, 1, 1, 0], tf.float16)
y = tf.constant(rng.normal(size=(64, 1)) * 0.1, tf.float16)

layer = keras.layers.Dense(1, dtype="float16", name="half")
layer.build((None, 6))
optimizer = keras.optimizers.Adam(learning_rate=1e-3, epsilon=1e-8)


@tf.function
def train(batch, target):
    with tf.GradientTape() as tape:
        error = layer(batch) - target
        loss = tf.reduce_mean(tf.square(error))
    gradients = tape.gradient(loss, layer.trainable_variables)
    optimizer.apply_gradients(zip(gradients, layer.trainable_variables))  # born: op=RealDiv kind=nan phase=optimizer step=0 module= reached=parameter
    return loss


for step in range(5):
    rows = slice(step * 12, step * 12 + 12)
    print("loss", train(x[rows], y[rows]).numpy())
print("kernel", layer.kernel.numpy().ravel())
