"""Trains a model of forces between particles with a guarded distance."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(109)
places = rng.uniform(0.0, 3.0, size=(9, 2)).astype("float32")
charge = tf.Variable(tf.ones([9]))
position = tf.Variable(places)
optimizer = tf.keras.optimizers.SGD(0.01)


@tf.function
def energy():
    gap = position[:, None] - position[None]
    squared = tf.reduce_sum(gap * gap, axis=-1)
    apart = squared > 0.0
    safe = tf.where(apart, squared, 1.0)
    inverse = tf.where(apart, tf.math.rsqrt(safe), 0.0)
    naive = tf.where(apart, tf.math.rsqrt(tf.stop_gradient(squared)), 0.0)  # benign: op=Rsqrt kind=inf reason="removed by where, and nothing is differentiated through it"
    near = tf.reduce_max(naive)
    pairs = charge[:, None] * charge[None] * inverse
    return 0.5 * tf.reduce_sum(pairs), near


for step in range(5):
    with tf.GradientTape() as tape:
        potential, near = energy()
        loss = potential + 0.1 * tf.reduce_sum(tf.square(position))
    gradients = tape.gradient(loss, [charge, position])
    optimizer.apply_gradients(zip(gradients, [charge, position]))
    print(f"{step} energy {potential:.4f} closest pair {1.0 / near:.4f}")
