"""Fits a left-to-right hidden Markov model in log space with forbidden transitions."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(104)
allowed = np.array([[0.7, 0.3, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]], "float32")
observed = np.concatenate([rng.normal(0, 1, 5), rng.normal(3, 1, 6), rng.normal(-2, 1, 5)]).astype("float32")
means = tf.Variable([0.3, 2.0, -1.0])
optimizer = tf.keras.optimizers.Adam(0.1)


@tf.function
def log_likelihood(sequence):
    log_transition = tf.math.log(tf.constant(allowed))  # benign: op=Log kind=inf reason="the logarithm of a probability of 0, removed by logsumexp"
    start = tf.math.log(tf.constant([1.0, 0.0, 0.0]))  # benign: op=Log kind=inf reason="the logarithm of a probability of 0, removed by logsumexp"

    def forward(alpha, value):
        emission = -0.5 * tf.square(value - means) - 0.9189
        moved = tf.reduce_logsumexp(alpha[:, None] + log_transition, axis=0)  # benign: op=Log kind=inf reason="a state that cannot be reached yet"
        return moved + emission

    alphas = tf.scan(forward, sequence, initializer=start)
    return tf.reduce_logsumexp(alphas[-1])


for step in range(4):
    with tf.GradientTape() as tape:
        loss = -log_likelihood(tf.constant(observed)) / len(observed)
    gradient = tape.gradient(loss, means)
    optimizer.apply_gradients([(gradient, means)])
    print(step, "nll", round(float(loss), 4))
print("means", means.numpy().round(3))
