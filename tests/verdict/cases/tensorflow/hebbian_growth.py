"""Finds the main direction of sensor data with Hebb's rule."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(53)
axis = np.array([[3.0, 1.0, -2.0, 0.5]])
readings = (rng.normal(size=(400, 1)) @ axis + 0.3 * rng.normal(size=(400, 4))).astype("float32")
weights = tf.Variable(rng.normal(size=(4, 1)).astype("float32") * 0.1)
rate = 0.1


@tf.function
def hebb(batch):
    activity = batch @ weights
    change = tf.matmul(batch, activity, transpose_a=True)  # born: op=MatMul kind=inf phase=forward step=104 module= reached=parameter growth=yes
    weights.assign_add(rate * change / 8.0)
    return tf.reduce_mean(tf.abs(activity))


for step in range(150):
    rows = rng.integers(0, 400, size=8)
    strength = hebb(tf.constant(readings[rows]))
    if step % 25 == 0:
        print("step", step, "activity", float(strength))
direction = weights / tf.norm(weights)
print("direction", direction.numpy().ravel())
