"""Trains face embeddings with an angular loss against fixed class directions."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(16)
directions = tf.constant(np.eye(4), tf.float32)
photos = rng.normal(size=(32, 4)).astype("float32")
people = rng.integers(0, 4, 32)
photos[3] = 0.0
photos[3, people[3]] = 1.0
projection = tf.Variable(tf.eye(4))
optimizer = tf.keras.optimizers.SGD(0.05)


@tf.function
def angle_loss(x, who):
    embedded = tf.math.l2_normalize(x @ projection, axis=1)
    cosine = tf.reduce_sum(embedded * tf.gather(directions, who), axis=1)
    angle = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))  # born: op=Reciprocal kind=inf phase=backward step=0 module= reached=gradient forward=Acos
    return tf.reduce_mean(angle)


for step in range(6):
    rows = np.arange(step * 5, step * 5 + 5)
    with tf.GradientTape() as tape:
        loss = angle_loss(tf.constant(photos[rows]), tf.constant(people[rows]))
    gradient = tape.gradient(loss, projection)
    optimizer.apply_gradients([(gradient, projection)])
    print(step, "mean angle", np.degrees(loss.numpy()))
