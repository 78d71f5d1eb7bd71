"""Learn action values from a replay memory that is drawn from by priority."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(23)
rng = np.random.default_rng(23)
SLOTS, BATCH, GAMMA = 64, 16, 0.9

states = rng.normal(size=(SLOTS, 3)).astype("float32")
actions = rng.integers(0, 2, SLOTS)
rewards = (states[:, 0] * (2 * actions - 1)).astype("float32")
following = rng.normal(size=(SLOTS, 3)).astype("float32")
priorities = tf.Variable(tf.concat([tf.ones([48]), tf.zeros([SLOTS - 48])], 0), name="priorities")

q = tf.keras.Sequential([tf.keras.layers.Dense(24, activation="relu"), tf.keras.layers.Dense(2)])
q.build((None, 3))
optimizer = tf.keras.optimizers.Adam(5e-3)


def draw():
    """Without replacement; empty slots have no priority."""
    noise = tf.random.stateless_uniform([SLOTS], seed=(1, rng.integers(1000)), minval=1e-6)
    keys = tf.math.log(noise) / priorities  # benign: op=RealDiv kind=inf reason="never among the highest"
    return tf.math.top_k(keys, BATCH).indices


@tf.function
def learn(s, a, r, following):
    goal = r + GAMMA * tf.reduce_max(q(following), axis=1)
    with tf.GradientTape() as tape:
        error = tf.gather(q(s), a, batch_dims=1) - tf.stop_gradient(goal)
        loss = tf.reduce_mean(tf.where(tf.abs(error) < 1, error**2 / 2, tf.abs(error) - 0.5))
    optimizer.apply_gradients(zip(tape.gradient(loss, q.trainable_variables), q.trainable_variables))
    return loss, tf.abs(error)


for step in range(10):
    picked = draw().numpy()
    loss, surprise = learn(states[picked], actions[picked], rewards[picked], following[picked])
    priorities.scatter_nd_update(picked[:, None], surprise**0.6 + 1e-3)
    print(f"step {step} loss {float(loss):.4f}")
