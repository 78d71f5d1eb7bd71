"""Classifies three clouds of points with a hand-written cross-entropy."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
centres = np.array([[0.0, 4.0], [4.0, 0.0], [-4.0, -4.0]])
labels = rng.integers(0, 3, 120)
points = (centres[labels] + rng.normal(size=(120, 2))).astype("float32")
points[77] *= 30.0
targets = tf.one_hot(labels, 3)

w1 = tf.Variable(rng.normal(size=(2, 16)).astype("float32"))
b1 = tf.Variable(tf.zeros(16))
w2 = tf.Variable(rng.normal(size=(16, 3)).astype("float32") * 0.5)
b2 = tf.Variable(tf.zeros(3))
weights = [w1, b1, w2, b2]


def predict(x):
    hidden = tf.nn.relu(x @ w1 + b1)
    return tf.nn.softmax(hidden @ w2 + b2)


def cross_entropy(y, p):
    per_class = y * tf.math.log(p)  # born: op=Log kind=inf phase=forward step=5 module= reached=loss
    return -tf.reduce_mean(tf.reduce_sum(per_class, axis=1))


for step in range(8):
    batch = slice(step * 15, step * 15 + 15)
    with tf.GradientTape() as tape:
        loss = cross_entropy(targets[batch], predict(points[batch]))
    for weight, gradient in zip(weights, tape.gradient(loss, weights)):
        weight.assign_sub(0.05 * gradient)
    print(f"step {step}: loss {loss.numpy():.4f}")
