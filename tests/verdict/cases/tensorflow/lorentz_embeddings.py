"""Embeds the nodes of a small tree on a hyperboloid so that their distances match those in the tree."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(402)
parents = [-1, 0, 0, 1, 1, 2, 2, 3]
hops = np.zeros((8, 8), "float32")
for node, parent in enumerate(parents):
    if parent >= 0:
        hops[node, :node] = hops[parent, :node] + 1.0
        hops[:node, node] = hops[node, :node]
points = tf.Variable(rng.normal(size=(8, 3)).astype("float32") * 0.3)
apart = tf.constant(1.0 - np.eye(8), tf.float32)
optimizer = tf.keras.optimizers.Adam(0.05)


@tf.function
def stress(space):
    time = tf.sqrt(1.0 + tf.reduce_sum(tf.square(space), axis=1, keepdims=True))
    product = tf.matmul(time, time, transpose_b=True) - tf.matmul(space, space, transpose_b=True)
    distance = tf.acosh(tf.maximum(product, 1.0))  # born: op=RealDiv kind=nan phase=backward step=0 module= reached=gradient forward=Acosh
    return tf.reduce_sum(apart * tf.square(distance - hops)) / tf.reduce_sum(apart)


for step in range(5):
    with tf.GradientTape() as tape:
        loss = stress(points)
    optimizer.apply_gradients([(tape.gradient(loss, points), points)])
    print(f"step {step} stress {loss.numpy():.4f}")
