"""Trains on log-scaled prices that an input pipeline prepares."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(10)
prices = rng.lognormal(2.0, 1.0, size=(48, 3)).astype("float32")
prices[29, 1] = 0.0
sold = (rng.uniform(size=48) < 0.5).astype("float32")


def prepare(row, label):
    scaled = tf.math.log(row)  # born: op=Log kind=inf phase=data step=3 module= reached=loss
    return scaled - 2.0, label


dataset = tf.data.Dataset.from_tensor_slices((prices, sold)).map(prepare).batch(8).prefetch(1)
w = tf.Variable(tf.zeros([3, 1]))
b = tf.Variable(0.0)
optimizer = tf.keras.optimizers.Adagrad(0.1)
seen = 0
for _ in range(2):
    for rows, labels in dataset:
        with tf.GradientTape() as tape:
            logits = tf.squeeze(rows @ w, 1) + b
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
        optimizer.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b]))
        seen += 1
    print(f"after {seen} batches: {loss.numpy():.3f}")
