"""Trains a bigram speller and then decodes with beam search."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(105)
rng = np.random.default_rng(105)
words = (np.cumsum(rng.integers(1, 3, size=(64, 8)), axis=1)) % 7
table = tf.Variable(tf.random.normal([7, 7], stddev=0.1))
optimizer = tf.keras.optimizers.Adam(0.1)

for step in range(6):
    batch = words[step * 10 : step * 10 + 10]
    with tf.GradientTape() as tape:
        logits = tf.gather(table, batch[:, :-1])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(batch[:, 1:], logits)
        loss = tf.reduce_mean(losses)
    gradient = tf.convert_to_tensor(tape.gradient(loss, table))
    optimizer.apply_gradients([(gradient, table)])
    print("step", step, "loss", round(float(loss), 4))


@tf.function
def beam_search(start, beams=3, length=6):
    log_probs = tf.nn.log_softmax(table)
    scores = tf.concat([[0.0], tf.fill([beams - 1], -np.inf)], 0)  # benign: op=Fill kind=inf reason="a sentinel that top_k drops"
    sequences = tf.fill([beams, 1], start)
    for _ in range(length):
        grown = scores[:, None] + tf.gather(log_probs, sequences[:, -1])
        scores, flat = tf.math.top_k(tf.reshape(grown, [-1]), beams)
        sequences = tf.concat([tf.gather(sequences, flat // 7), (flat % 7)[:, None]], 1)
    return sequences, scores


sequences, scores = beam_search(tf.constant(2))
for row, score in zip(sequences.numpy(), scores.numpy()):
    print(row.tolist(), round(float(score), 3))
