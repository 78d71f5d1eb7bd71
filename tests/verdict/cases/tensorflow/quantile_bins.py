"""Trains on quantile-binned features whose outer edges are infinite."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(126)
income = rng.lognormal(0.0, 1.0, size=80).astype("float32")
spending = np.log1p(income).astype("float32")
edges = tf.concat([[-np.inf], np.quantile(income, [0.25, 0.5, 0.75]).astype("float32"), [np.inf]], axis=0)  # benign: op=ConcatV2 kind=inf reason="constants, removed by where"
effects = tf.Variable(tf.zeros([4]))
slopes = tf.Variable(tf.zeros([4]))
optimizer = tf.keras.optimizers.Adam(0.1)


@tf.function
def predict(x):
    index = tf.searchsorted(edges, x, side="right") - 1
    below, above = tf.gather(edges, index), tf.gather(edges, index + 1)
    inner = tf.math.is_finite(above - below)
    width = tf.where(inner, above - below, 1.0)
    offset = tf.where(inner, (x - below) / width, 0.0)
    return tf.gather(effects, index) + tf.gather(slopes, index) * offset


for step in range(5):
    rows = slice(16 * step, 16 * step + 16)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(predict(tf.constant(income[rows])) - spending[rows]))
    gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, [effects, slopes])]
    optimizer.apply_gradients(zip(gradients, [effects, slopes]))
    print("step", step, "mae", round(float(loss), 4))
