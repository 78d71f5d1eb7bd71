"""Learns which cells of a tissue slide are ill from labels of whole slides, in a session."""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
rng = np.random.default_rng(405)
cells = rng.normal(size=(12, 8, 4)).astype("float32")
ill = np.array([1, 0, 1] * 4)
cells[ill == 0, :, 0] = -np.abs(cells[ill == 0, :, 0]) - 1.0
cells[9, 5, 0] = 40.0

with tf.Graph().as_default() as graph:
    slides = v1.placeholder(tf.float32, [None, 8, 4], name="slides")
    positive = v1.placeholder(tf.int32, [None], name="positive")
    negative = v1.placeholder(tf.int32, [None], name="negative")
    weights = v1.get_variable("weights", initializer=tf.constant([[1.0], [0.0], [0.0], [0.0]]))
    bias = v1.get_variable("bias", initializer=tf.constant(-1.0))
    chance = tf.sigmoid(tf.squeeze(tf.tensordot(slides, weights, 1), -1) + bias)
    log_none = tf.reduce_sum(tf.math.log1p(-chance), axis=1)  # born: op=Reciprocal kind=inf phase=backward step=3 module= reached=gradient forward=Log1p # benign: op=Log1p kind=inf reason="removed by exp"
    log_some = tf.math.log(1.0 - tf.exp(tf.gather(log_none, positive)))
    loss = -tf.reduce_mean(log_some) - tf.reduce_mean(tf.gather(log_none, negative))
    train = v1.train.AdamOptimizer(0.02).minimize(loss)
    start = v1.global_variables_initializer()

with v1.Session(graph=graph) as session:
    session.run(start)
    for step in range(4):
        batch = slice(3 * step, 3 * step + 3)
        found = {positive: np.flatnonzero(ill[batch]), negative: np.flatnonzero(ill[batch] == 0)}
        _, value = session.run([train, loss], {slides: cells[batch], **found})
        print("step", step, "loss", value)
