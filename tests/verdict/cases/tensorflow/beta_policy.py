"""Trains a policy with actions from a beta distribution."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(48)
rng = np.random.default_rng(48)
observations = rng.normal(size=(40, 3)).astype("float32")
observations[27] = [-90.0, -90.0, -90.0]
actions = rng.uniform(0.1, 0.9, size=40).astype("float32")
advantages = rng.normal(size=40).astype("float32")

policy = keras.Sequential(
    [keras.layers.Dense(2, activation="softplus", kernel_initializer="ones", name="shape")], name="policy"
)
optimizer = keras.optimizers.Adam(1e-3)


def log_prob(action, a, b):
    normaliser = tf.math.lgamma(a) + tf.math.lgamma(b) - tf.math.lgamma(a + b)  # born: op=Lgamma kind=inf phase=forward step=3 module= reached=loss
    return (a - 1.0) * tf.math.log(action) + (b - 1.0) * tf.math.log1p(-action) - normaliser


@tf.function
def update(obs, act, adv):
    with tf.GradientTape() as tape:
        a, b = tf.unstack(policy(obs), axis=1)
        loss = -tf.reduce_mean(adv * log_prob(act, a, b))
    gradients = tape.gradient(loss, policy.trainable_variables)
    optimizer.apply_gradients(zip(gradients, policy.trainable_variables))
    return loss


for step in range(5):
    s = slice(8 * step, 8 * step + 8)
    print(step, update(tf.constant(observations[s]), tf.constant(actions[s]), tf.constant(advantages[s])).numpy())
