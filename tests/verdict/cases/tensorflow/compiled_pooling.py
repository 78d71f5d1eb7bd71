"""Trains a set classifier by maximum pooling inside a compiled step."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(121)
sets = tf.constant(rng.normal(size=(24, 5, 3)), tf.float32)
sizes = tf.constant(rng.integers(0, 6, size=24))
labels = tf.constant(rng.integers(0, 2, size=24), tf.float32)
inner = tf.Variable(rng.normal(size=(3, 6)).astype("float32") * 0.5)
outer = tf.Variable(rng.normal(size=(6,)).astype("float32") * 0.5)


@tf.function(jit_compile=True)
def step(x, count, y):
    with tf.GradientTape() as tape:
        hidden = tf.nn.relu(tf.einsum("nsd,dh->nsh", x, inner))
        inside = tf.range(5)[None] < tf.cast(count, tf.int32)[:, None]
        pooled = tf.reduce_max(tf.where(inside[..., None], hidden, -np.inf), axis=1)  # benign: op=SelectV2 kind=inf reason="a sentinel that the maximum or where replaces"
        pooled = tf.where(count[:, None] > 0, pooled, 0.0)
        logits = tf.linalg.matvec(pooled, outer)
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(y, logits))
    d_inner, d_outer = tape.gradient(loss, [inner, outer])
    inner.assign_sub(0.1 * d_inner)
    outer.assign_sub(0.1 * d_outer)
    return loss


for i in range(4):
    rows = slice(6 * i, 6 * i + 6)
    print("step", i, "loss", round(float(step(sets[rows], sizes[rows], labels[rows])), 4))
