"""Trains a next-word model and reports a capped perplexity."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(123)
rng = np.random.default_rng(123)
text = rng.integers(0, 9, size=121)
words = keras.layers.Embedding(9, 6, name="words")
following = keras.layers.Dense(9, kernel_initializer=keras.initializers.Constant(60.0), name="following")
optimizer = keras.optimizers.Adam(0.5)
perplexities = keras.metrics.Mean(name="perplexity")


def perplexity(loss):
    return tf.minimum(tf.exp(loss), 1e4)  # benign: op=Exp kind=inf reason="removed by minimum"


for step in range(6):
    now, after = text[20 * step : 20 * step + 20], text[20 * step + 1 : 20 * step + 21]
    with tf.GradientTape() as tape:
        logits = following(words(now)) * tf.constant(np.linspace(-1, 1, 9) * 100.0, tf.float32)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(after, logits))
    variables = words.trainable_variables + following.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    perplexities.update_state(perplexity(loss))
    print(f"step {step} loss {loss:.2f} perplexity {perplexities.result():.1f}")
