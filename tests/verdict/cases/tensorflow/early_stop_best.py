"""Trains with a patience that is kept in variables inside the compiled loop."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(128)
x = tf.constant(rng.normal(size=(50, 4)), tf.float32)
y = tf.linalg.matvec(x, [1.0, -2.0, 0.5, 0.0])
w = tf.Variable(tf.zeros([4]))
best = tf.Variable(np.inf, trainable=False, dtype=tf.float32)  # benign: op=AssignVariableOp kind=inf reason="a sentinel that the first check replaces"
best_w = tf.Variable(tf.zeros([4]), trainable=False)


@tf.function
def train(epochs):
    history = tf.TensorArray(tf.float32, size=epochs)
    waited = 0
    for epoch in tf.range(epochs):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.linalg.matvec(x[:40], w) - y[:40]))
        w.assign_sub(0.1 * tape.gradient(loss, w))
        checked = tf.reduce_mean(tf.square(tf.linalg.matvec(x[40:], w) - y[40:]))
        history = history.write(epoch, checked)
        if (best - checked) / tf.maximum(best, 1e-6) > 0.01 or tf.math.is_inf(best):  # benign: op=RealDiv kind=nan reason="only compared"
            best.assign(checked)
            best_w.assign(w)
            waited = 0
        else:
            waited += 1
        if waited > 2:
            break
    return history.stack()


print("history", train(6).numpy().round(4))
print("best", round(float(best), 4), best_w.numpy().round(2))
