"""Fits rates to event counts with a deviance that treats empty bins apart."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(2)
features = rng.normal(size=(40, 3)).astype("float32")
features[27] = [-20.0, -12.0, -7.0]
counts = tf.constant(rng.poisson(2.0, 40), tf.float32)
slope = tf.Variable(tf.fill([3, 1], 0.2))
offset = tf.Variable(3.0)
optimizer = tf.keras.optimizers.SGD(0.05)


def deviance(rate, count):
    log_count = tf.where(count > 0.0, tf.math.log(tf.maximum(count, 1.0)), 0.0)
    log_rate = tf.where(rate > 0.0, tf.math.log(rate), 0.0)  # born: op=Reciprocal kind=inf phase=backward step=3 module= reached=gradient forward=Log # benign: op=Log kind=inf reason="removed by where"
    return 2.0 * tf.reduce_mean(count * (log_count - log_rate) - (count - rate))


for step in range(5):
    rows = slice(8 * step, 8 * step + 8)
    with tf.GradientTape() as tape:
        rate = tf.nn.relu(tf.squeeze(features[rows] @ slope, 1) + offset)
        loss = deviance(rate, counts[rows])
    variables = [slope, offset]
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    print(step, loss.numpy())
