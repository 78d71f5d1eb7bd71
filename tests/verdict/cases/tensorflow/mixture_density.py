"""Trains a mixture density network on an inverse problem."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(36)
rng = np.random.default_rng(36)
t = rng.uniform(0, 1, size=(60, 1))
x = (t + 0.3 * np.sin(2 * np.pi * t) + 0.05 * rng.normal(size=(60, 1))).astype("float32")
y = t.astype("float32")
y[45] = 31.0

body = keras.layers.Dense(12, activation="tanh")
means, widths, weights = keras.layers.Dense(3), keras.layers.Dense(3), keras.layers.Dense(3)
net_in = keras.Input((1,))
hidden = body(net_in)
network = keras.Model(net_in, [means(hidden), widths(hidden), weights(hidden)], name="mdn")
optimizer = keras.optimizers.RMSprop(1e-2)


def density(value, mu, log_sigma):
    sigma = tf.exp(log_sigma)
    z = (value - mu) / sigma
    return tf.exp(-0.5 * z * z) / (sigma * np.sqrt(2 * np.pi))


for step in range(6):
    part = slice(10 * step, 10 * step + 10)
    with tf.GradientTape() as tape:
        mu, log_sigma, logits = network(x[part])
        likelihood = tf.reduce_sum(tf.nn.softmax(logits) * density(y[part], mu, log_sigma), axis=1)
        loss = -tf.reduce_mean(tf.math.log(likelihood))  # born: op=Log kind=inf phase=forward step=4 module= reached=loss
    if tf.math.is_inf(loss):
        raise FloatingPointError(f"stopped at step {step}: loss {loss.numpy()}")
    gradients = tape.gradient(loss, network.trainable_variables)
    optimizer.apply_gradients(zip(gradients, network.trainable_variables))
    print(step, loss.numpy())
