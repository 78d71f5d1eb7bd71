"""Fits a mixture of topics to the word shares of documents, most of which lack some word."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(407)
topics = rng.dirichlet(np.full(12, 0.4), size=3)
counts = np.stack([rng.multinomial(15, rng.dirichlet(np.ones(3)) @ topics) for _ in range(40)])
shares = tf.constant(counts / counts.sum(1, keepdims=True), tf.float32)
topic_logits = tf.Variable(rng.normal(size=(3, 12)).astype("float32"))
document_logits = tf.Variable(tf.zeros([40, 3]))
optimizer = tf.keras.optimizers.Adam(0.1)


def divergence(observed, log_modelled):
    log_ratio = tf.math.log(observed) - log_modelled  # benign: op=Log kind=inf reason="words that a document lacks, removed by multiply_no_nan"
    return tf.reduce_sum(tf.math.multiply_no_nan(log_ratio, observed), axis=1)


@tf.function
def train():
    with tf.GradientTape() as tape:
        mixed = tf.matmul(tf.nn.softmax(document_logits), tf.nn.softmax(topic_logits))
        loss = tf.reduce_mean(divergence(shares, tf.math.log(mixed)))
    variables = [topic_logits, document_logits]
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


for step in range(12):
    loss = train()
    if step % 3 == 0:
        print(f"step {step}: divergence {loss.numpy():.4f}")
