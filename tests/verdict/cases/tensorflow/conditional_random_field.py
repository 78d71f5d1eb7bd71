"""Trains a conditional random field with forbidden tag transitions and decodes by Viterbi."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(122)
features = tf.constant(rng.normal(size=(6, 8, 5)), tf.float32)
tags = tf.constant([[0, 1, 2, 0, 1, 1, 2, 0]] * 6)
allowed = tf.constant([[True, True, False], [False, True, True], [True, False, True]])
emit = tf.Variable(rng.normal(size=(5, 3)).astype("float32") * 0.1)
move = tf.Variable(tf.zeros([3, 3]))
optimizer = tf.keras.optimizers.Adam(0.05)


@tf.function
def sentence_loss(x, y):
    scores = x @ emit
    moves = tf.where(allowed, move, -1e4)
    alpha = scores[0]
    for t in tf.range(1, tf.shape(x)[0]):
        alpha = tf.reduce_logsumexp(alpha[:, None] + moves, axis=0) + scores[t]
    path = tf.reduce_sum(tf.gather(scores, y, batch_dims=1))
    path += tf.reduce_sum(tf.gather_nd(moves, tf.stack([y[:-1], y[1:]], axis=1)))
    return tf.reduce_logsumexp(alpha) - path


@tf.function
def viterbi(x):
    moves = tf.where(allowed, move, -np.inf)  # benign: op=SelectV2 kind=inf reason="a forbidden transition, removed by the maximum"
    best = tf.linalg.matvec(emit, x[0], transpose_a=True)
    back = tf.TensorArray(tf.int64, size=7)
    for t in tf.range(1, 8):
        options = best[:, None] + moves
        back = back.write(t - 1, tf.argmax(options, axis=0))
        best = tf.reduce_max(options, axis=0) + tf.linalg.matvec(emit, x[t], transpose_a=True)
    return tf.argmax(best), back.stack(), tf.reduce_max(best)


for step in range(3):
    with tf.GradientTape() as tape:
        loss = tf.add_n([sentence_loss(features[i], tags[i]) for i in (2 * step, 2 * step + 1)]) / 2.0
    optimizer.apply_gradients(zip(tape.gradient(loss, [emit, move]), [emit, move]))
    last, _, score = viterbi(features[step])
    print("step", step, "loss", round(float(loss), 3), "best score", round(float(score), 3), "ends in", int(last))
