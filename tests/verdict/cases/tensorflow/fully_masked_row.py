"""Trains a small attention reader over padded sentences."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(6)
rng = np.random.default_rng(6)
lengths = np.array([5, 3, 6, 2, 4, 6, 0, 3])
words = rng.integers(1, 20, size=(8, 6))
words[np.arange(6) >= lengths[:, None]] = 0
answers = tf.constant(rng.integers(0, 2, 8))


class Reader(tf.Module):
    def __init__(self):
        super().__init__(name="reader")
        self.table = tf.Variable(tf.random.normal([20, 8], stddev=0.3))
        self.query = tf.Variable(tf.random.normal([8], stddev=0.3))
        self.head = tf.Variable(tf.random.normal([8, 2], stddev=0.3))

    def __call__(self, tokens):
        embedded = tf.gather(self.table, tokens)
        scores = tf.einsum("btd,d->bt", embedded, self.query)
        scores = tf.where(tokens > 0, scores, -np.inf)  # benign: op=SelectV2 kind=inf reason="a constant, removed by softmax"
        weights = tf.nn.softmax(scores, axis=-1)  # born: op=Softmax kind=nan phase=forward step=3 module= reached=loss
        return tf.einsum("bt,btd->bd", weights, embedded) @ self.head


reader = Reader()
optimizer = tf.keras.optimizers.Adam(1e-2)
for step in range(6):
    rows = [(2 * step) % 8, (2 * step + 1) % 8]
    with tf.GradientTape() as tape:
        logits = reader(tf.constant(words[rows]))
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(answers, rows), logits)
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, reader.trainable_variables)
    gradients = [tf.convert_to_tensor(g) for g in gradients]
    optimizer.apply_gradients(zip(gradients, reader.trainable_variables))
    print(f"{step} {loss:.4f}")
