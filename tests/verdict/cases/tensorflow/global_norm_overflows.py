"""Trains a language model of bigrams, with gradients clipped by their global norm."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(21)
text = rng.integers(0, 12, size=200)
table = tf.Variable(rng.normal(size=(12, 12)).astype("float32") * 0.1)
scale = tf.Variable(1.0)
optimizer = tf.keras.optimizers.SGD(0.5)
weights = np.ones(200, "float32")
weights[120:140] = 1e22

for step in range(8):
    here = slice(20 * step, 20 * step + 20)
    now, after = text[here], text[20 * step + 1 : 20 * step + 21]
    with tf.GradientTape() as tape:
        logits = tf.gather(table, now) * scale
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(after, logits)
        loss = tf.reduce_mean(losses * weights[here])
    gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, [table, scale])]
    clipped, norm = tf.clip_by_global_norm(gradients, 1.0)  # born: op=L2Loss kind=inf phase=optimizer step=6 module= reached=parameter
    optimizer.apply_gradients(zip(clipped, [table, scale]))
    print(step, "loss", float(loss), "norm", float(norm))
