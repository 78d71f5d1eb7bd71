"""A TensorFlow 1 graph in a session, one training step."""

import numpy as np
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()
tf.set_random_seed(0)
x = tf.placeholder(tf.float32, [None, 64], name="x")
y = tf.placeholder(tf.int64, [None], name="y")


def dense(x: tf.Tensor, units: int, name: str, relu: bool = True) -> tf.Tensor:
    with tf.variable_scope(name):
        kernel = tf.get_variable("kernel", [int(x.shape[1]), units])
        bias = tf.get_variable("bias", [units], initializer=tf.zeros_initializer())
        out = tf.nn.bias_add(tf.matmul(x, kernel), bias)
        return tf.nn.relu(out) if relu else out


with tf.name_scope("encoder"):
    hidden = dense(dense(x, 32, "fc1"), 32, "fc2")
logits = dense(hidden, 10, "head", relu=False)
with tf.name_scope("loss"):
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))
train = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
rng = np.random.default_rng(0)
with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for _ in range(2):
        session.run([train, loss], {x: rng.random((8, 64), "float32"), y: rng.integers(0, 10, 8)})
