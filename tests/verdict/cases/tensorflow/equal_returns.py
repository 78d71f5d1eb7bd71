"""Trains a policy by REINFORCE with normalised returns on a bandit."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(15)
logits = tf.Variable([0.0, 0.0, 0.6])
optimizer = tf.keras.optimizers.SGD(2.0)
payout = np.array([0.0, 0.2, 1.0], "float32")


def episode(probabilities, length=6):
    actions = rng.choice(3, size=length, p=probabilities)
    return actions, payout[actions]


def policy_loss(actions, returns):
    spread = tf.math.reduce_std(returns)
    advantage = (returns - tf.reduce_mean(returns)) / spread  # born: op=RealDiv kind=nan phase=forward step=1 module= reached=loss
    log_probs = tf.nn.log_softmax(logits)
    return -tf.reduce_sum(tf.gather(log_probs, actions) * advantage)


for step in range(25):
    p = tf.nn.softmax(logits).numpy().astype("float64")
    actions, rewards = episode(p / p.sum())
    with tf.GradientTape() as tape:
        loss = policy_loss(tf.constant(actions), tf.constant(rewards))
    (gradient,) = tape.gradient(loss, [logits])
    optimizer.apply_gradients([(gradient, logits)])
    print("episode", step, "return", rewards.sum(), "loss", loss.numpy())
    if np.isnan(loss.numpy()):
        raise RuntimeError("policy loss is NaN")
