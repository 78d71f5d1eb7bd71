"""Trains a topic model in a session with word frequencies that may be zero."""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
rng = np.random.default_rng(118)
counts = rng.poisson(0.7, size=(40, 8)).astype("float32")
counts[:, 0] += 1.0

with tf.Graph().as_default():
    v1.set_random_seed(118)
    words = v1.placeholder(tf.float32, [None, 8], name="words")
    frequency = words / tf.reduce_sum(words, axis=1, keepdims=True)
    tf_idf = tf.where(words > 0.0, tf.math.log(frequency), tf.zeros_like(words))  # benign: op=Log kind=inf reason="removed by where, and nothing is differentiated through it"
    encode = v1.get_variable("encode", [8, 2], initializer=v1.glorot_uniform_initializer())
    decode = v1.get_variable("decode", [2, 8], initializer=v1.glorot_uniform_initializer())
    logits = tf.matmul(tf.nn.sigmoid(tf.matmul(tf_idf, encode)), decode)
    per_word = tf.nn.log_softmax(logits) * frequency
    loss = -tf.reduce_mean(tf.reduce_sum(per_word, axis=1))
    train_op = v1.train.AdamOptimizer(0.05).minimize(loss)
    with v1.Session() as sess:
        sess.run(v1.global_variables_initializer())
        for step in range(5):
            value, _ = sess.run([loss, train_op], feed_dict={words: counts[8 * step : 8 * step + 8]})
            print("step", step, "perplexity", round(float(np.exp(value)), 3))
