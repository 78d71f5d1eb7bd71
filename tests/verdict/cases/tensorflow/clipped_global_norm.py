"""Trains a recurrent model that leaves out any batch whose gradient has no finite norm."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(129)
rng = np.random.default_rng(129)
series = rng.normal(size=(30, 7, 2)).astype("float32")
series[14] *= 1e22
target = series[:, -1].copy()
target[14] = 0.0
inputs = keras.Input((7, 2))
hidden = keras.layers.LSTM(6, name="memory")(inputs)
model = keras.Model(inputs, keras.layers.Dense(2, name="next")(hidden), name="series")
optimizer = keras.optimizers.Adam(1e-2)
skip = keras.layers.Dense(2, use_bias=False, name="skip")
skip.build((None, 2))
variables = model.trainable_variables + skip.trainable_variables


@tf.function
def careful_step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(model(x) + skip(x[:, -1]) - y))
    gradients = tape.gradient(loss, variables)
    norm = tf.linalg.global_norm(gradients)  # benign: op=L2Loss kind=inf reason="the update is skipped"
    if tf.math.is_finite(norm):
        clipped, _ = tf.clip_by_global_norm(gradients, 1.0, use_norm=norm)
        optimizer.apply_gradients(zip(clipped, variables))
        return loss
    return -1.0


for step in range(5):
    rows = slice(6 * step, 6 * step + 6)
    loss = careful_step(tf.constant(series[rows]), tf.constant(target[rows]))
    print("step", step, "left out" if loss < 0 else round(float(loss), 4))
