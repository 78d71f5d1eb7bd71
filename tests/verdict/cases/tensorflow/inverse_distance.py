"""Interpolates station temperatures from clipped inverse distances."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(115)
stations = rng.uniform(size=(10, 2)).astype("float32")
places = np.vstack([stations[:4], rng.uniform(size=(12, 2))]).astype("float32")
temperature = np.sin(3 * places[:, 0]).astype("float32")
levels = tf.Variable(tf.zeros([10]))
sharpness = tf.Variable(1.0)
optimizer = tf.keras.optimizers.Adam(0.05)
gaps = tf.reduce_sum(tf.square(tf.constant(places)[:, None] - stations[None]), axis=-1)


def interpolated():
    closeness = tf.clip_by_value(1.0 / gaps, 0.0, 1e3)  # benign: op=RealDiv kind=inf reason="removed by clip_by_value"
    weights = tf.nn.softmax(sharpness * tf.math.log(closeness), axis=1)
    return tf.linalg.matvec(weights, levels)


for step in range(6):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(interpolated() - temperature))
    gradients = tape.gradient(loss, [levels, sharpness])
    optimizer.apply_gradients(zip(gradients, [levels, sharpness]))
    print("step", step, "loss", round(float(loss), 5))
