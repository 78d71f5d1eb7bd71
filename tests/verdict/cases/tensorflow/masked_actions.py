"""Trains a Q-network for a game in which some moves are illegal."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(111)
rng = np.random.default_rng(111)
q_network = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(4)], name="q")
target_network = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(4)], name="target")
q_network.build((None, 6))
target_network.build((None, 6))
target_network.set_weights(q_network.get_weights())
optimizer = keras.optimizers.Adam(1e-3)


def act(state, legal):
    values = tf.where(legal, q_network(state[None])[0], -np.inf)  # benign: op=SelectV2 kind=inf reason="a constant that argmax never takes"
    return int(tf.argmax(values))


@tf.function
def learn(now, action, reward, after, legal_after, done):
    best = tf.reduce_max(tf.where(legal_after, target_network(after), -np.inf), axis=1)  # benign: op=SelectV2 kind=inf reason="a sentinel that the maximum or where replaces"
    best = tf.where(done, 0.0, best)
    with tf.GradientTape() as tape:
        chosen = tf.gather(q_network(now), action, batch_dims=1)
        loss = tf.reduce_mean(keras.losses.huber(reward + 0.95 * best, chosen))
    gradients = tape.gradient(loss, q_network.trainable_variables)
    optimizer.apply_gradients(zip(gradients, q_network.trainable_variables))
    return loss


for step in range(5):
    states = rng.normal(size=(9, 6)).astype("float32")
    legal = rng.uniform(size=(9, 4)) < 0.6
    legal[:, 0] = True
    done = np.arange(8) % 4 == 3
    legal[1:][done] = False
    action = [act(state, np.maximum(ok, [True, False, False, False])) for state, ok in zip(states[:8], legal[:8])]
    reward = rng.normal(size=8).astype("float32")
    inputs = (states[:8], action, reward, states[1:], legal[1:], done)
    print("step", step, "loss", round(float(learn(*map(tf.constant, inputs))), 4))
