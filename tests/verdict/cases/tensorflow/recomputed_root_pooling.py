"""Trains bilinear features with square roots inside a recomputed block."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(31)
rng = np.random.default_rng(31)
maps = rng.normal(size=(24, 6, 4)).astype("float32")
labels = rng.integers(0, 3, size=24)
maps[13, :, 2] = 0.0
mix = tf.Variable(np.eye(4, dtype="float32") * 0.5)
head = tf.Variable(rng.normal(size=(16, 3)).astype("float32") * 0.2)
optimizer = keras.optimizers.Adam(1e-3)


@tf.recompute_grad
def bilinear(x):
    mixed = x * tf.linalg.diag_part(mix)
    outer = tf.einsum("nsi,nsj->nij", mixed, mixed)
    pooled = tf.reshape(outer, [-1, 16])
    return tf.sqrt(tf.abs(pooled))  # born: op=SqrtGrad kind=inf phase=backward step=2 module= reached=gradient forward=Sqrt


for step in range(4):
    rows = slice(6 * step, 6 * step + 6)
    with tf.GradientTape() as tape:
        logits = bilinear(tf.constant(maps[rows])) @ head
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels[rows], logits))
    gradients = tape.gradient(loss, [mix, head])
    optimizer.apply_gradients(zip(gradients, [mix, head]))
    print(step, loss.numpy())
