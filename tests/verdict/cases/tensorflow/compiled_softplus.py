"""Trains a survival model whose step is compiled with XLA."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(27)
covariates = rng.normal(size=(48, 3)).astype("float32")
covariates[28] = [0.0, 310.0, 0.0]
times = rng.exponential(2.0, size=48).astype("float32")
beta = tf.Variable([0.4, 0.5, -0.2])
base = tf.Variable(0.1)
rate = tf.constant(0.01)


def hazard(x):
    raw = tf.linalg.matvec(x, beta) + base
    return tf.math.log(1.0 + tf.math.exp(raw))  # born: op=Exp kind=inf phase=forward step=3 module= reached=loss


@tf.function(jit_compile=True)
def step_once(x, t):
    with tf.GradientTape() as tape:
        h = hazard(x)
        loss = tf.reduce_mean(h * t - tf.math.log(h))
    gradients = tape.gradient(loss, [beta, base])
    beta.assign_sub(rate * gradients[0])
    base.assign_sub(rate * gradients[1])
    return loss


for step in range(6):
    rows = slice(step * 8, step * 8 + 8)
    loss = step_once(tf.constant(covariates[rows]), tf.constant(times[rows]))
    print(f"{step}: {loss.numpy()}")
