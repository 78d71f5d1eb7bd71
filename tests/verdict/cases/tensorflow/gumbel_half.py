"""Trains a discrete choice with Gumbel noise drawn in half precision."""

import numpy as np
import tensorflow as tf

logits = tf.Variable(tf.zeros([32, 64], tf.float16))
values = tf.constant(np.random.default_rng(110).normal(size=(32, 64)), tf.float16)
rate = tf.constant(1.0, tf.float16)


def gumbel_softmax(scores, seed, temperature=1.0):
    uniform = tf.random.stateless_uniform(scores.shape, seed=[7, seed], dtype=tf.float16)
    noise = -tf.math.log(-tf.math.log(uniform))  # benign: op=Log kind=inf reason="noise of a choice that is never taken, removed by softmax"
    return tf.nn.softmax((scores + noise) / temperature)  # benign: op=Mul kind=nan reason="gradient of a constant that nobody asks for"


for step in range(4):
    with tf.GradientTape() as tape:
        weights = gumbel_softmax(logits, step)
        reward = tf.reduce_mean(tf.reduce_sum(weights * values, axis=1))
        loss = -reward
    gradient = tape.gradient(loss, logits)
    logits.assign_sub(rate * gradient)
    print("step", step, "reward", round(float(reward), 4))
