"""Trains a character model and samples from the most likely characters only."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(120)
TEXT = "the cat sat on the mat and the rat sat on the cat "
letters = sorted(set(TEXT))
codes = np.array([letters.index(c) for c in TEXT * 3])
windows = np.lib.stride_tricks.sliding_window_view(codes, 6)
model = keras.Sequential(
    [keras.layers.Embedding(len(letters), 8), keras.layers.GRU(16), keras.layers.Dense(len(letters))], name="chars"
)
optimizer = keras.optimizers.Adam(1e-2)


@tf.function
def train_step(context, following):
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(following, model(context, training=True))
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


def sample(context, k=3):
    logits = model(context[None])[0]
    smallest = tf.math.top_k(logits, k).values[-1]
    logits = tf.where(logits >= smallest, logits, tf.fill(tf.shape(logits), -np.inf))  # benign: op=Fill kind=inf reason="a constant, never drawn by categorical"
    return int(tf.random.categorical(logits[None], 1)[0, 0])


for step in range(2):
    batch = windows[step * 32 : step * 32 + 32]
    loss = train_step(tf.constant(batch[:, :5]), tf.constant(batch[:, 5]))
    context = list(codes[:5])
    for _ in range(4):
        context.append(sample(tf.constant(context[-5:])))
    print(round(float(loss), 3), "".join(letters[i] for i in context).replace("n", "m"))
