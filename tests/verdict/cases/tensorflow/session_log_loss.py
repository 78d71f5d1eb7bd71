"""Trains softmax regression in a session, the way TensorFlow 1 tutorials do."""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
rng = np.random.default_rng(25)
digits = rng.integers(0, 5, size=100)
pixels = (np.eye(5)[digits] * 2.0 + rng.normal(size=(100, 5)) * 0.3).astype("float32")
pixels[66] = 900.0 * np.eye(5)[(digits[66] + 1) % 5]
one_hot = np.eye(5, dtype="float32")[digits]

graph = tf.Graph()
with graph.as_default():
    v1.set_random_seed(25)
    x = v1.placeholder(tf.float32, [None, 5], name="x")
    y_ = v1.placeholder(tf.float32, [None, 5], name="y_")
    W = v1.get_variable("W", [5, 5], initializer=tf.zeros_initializer())
    b = v1.get_variable("b", [5], initializer=tf.zeros_initializer())
    y = tf.nn.softmax(tf.matmul(x, W) + b)
    log_y = tf.math.log(y)  # born: op=Log kind=inf phase=forward step=6 module= reached=loss
    cross_entropy = tf.reduce_mean(-tf.reduce_sum(y_ * log_y, axis=1))
    train_step = v1.train.GradientDescentOptimizer(0.5).minimize(cross_entropy)
    init = v1.global_variables_initializer()

with v1.Session(graph=graph) as sess:
    sess.run(init)
    for i in range(10):
        feed = {x: pixels[i * 10 : i * 10 + 10], y_: one_hot[i * 10 : i * 10 + 10]}
        _, loss = sess.run([train_step, cross_entropy], feed_dict=feed)
        print("iteration", i, "cross entropy", loss)
