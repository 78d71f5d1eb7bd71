"""Learn the edge weights of a graph that smooths noisy measurements by conjugate gradients."""

import numpy as np
import tensorflow as tf

NODES, ROUNDS = 10, 6
rng = np.random.default_rng(14)
clean = np.sin(np.linspace(0, 3, NODES)).astype("float32")
noisy = tf.constant(clean + rng.normal(0, 0.2, (5, NODES)).astype("float32"))
clean = tf.constant(clean)
edges = tf.constant([(i, i + 1) for i in range(NODES - 1)] + [(i, i + 2) for i in range(NODES - 2)])
weights = tf.Variable(tf.zeros([2 * NODES - 3]), name="edges")
optimizer = tf.keras.optimizers.SGD(0.5)


def system():
    """Identity plus Laplacian."""
    upper = tf.scatter_nd(edges, weights, [NODES, NODES])
    adjacency = upper + tf.transpose(upper)
    return tf.eye(NODES) + tf.linalg.diag(tf.reduce_sum(adjacency, axis=1)) - adjacency


def solve(matrix, b):
    x, r, p = tf.zeros_like(b), b, b
    rr = tf.reduce_sum(r * r)
    for _ in tf.range(ROUNDS):
        ap = tf.linalg.matvec(matrix, p)
        alpha = rr / tf.reduce_sum(p * ap)  # born: op=RealDiv kind=nan phase=forward step=0 module= iteration=1 reached=loss
        x = x + alpha * p
        r = r - alpha * ap
        rest = tf.reduce_sum(r * r)
        p = r + (rest / rr) * p
        rr = rest
    return x


@tf.function
def train_step(measured):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((solve(system(), measured) - clean) ** 2)
    optimizer.apply_gradients([(tape.gradient(loss, weights), weights)])
    return loss


for step in range(5):
    print("step", step, "mse", train_step(noisy[step]).numpy())
