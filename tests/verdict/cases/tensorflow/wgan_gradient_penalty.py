"""Trains the critic of a Wasserstein GAN with a gradient penalty."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(20)
critic = keras.Sequential(
    [
        keras.layers.Dense(16, activation="tanh", name="body"),
        keras.layers.Dense(1, kernel_initializer="zeros", name="score"),
    ],
    name="critic",
)
optimizer = keras.optimizers.Adam(1e-3, beta_1=0.5)
rng = np.random.default_rng(20)


def penalty(real, fake):
    mixed = 0.5 * real + 0.5 * fake
    with tf.GradientTape() as inner:
        inner.watch(mixed)
        score = critic(mixed)
    slope = inner.gradient(score, mixed)
    norm = tf.norm(slope, axis=1)  # born: op=SqrtGrad kind=inf phase=backward step=0 module= reached=gradient forward=Sqrt
    return tf.reduce_mean(tf.square(norm - 1.0))


for _ in range(4):
    real = tf.constant(rng.normal(loc=2.0, size=(8, 3)), tf.float32)
    fake = tf.constant(rng.normal(size=(8, 3)), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(critic(fake)) - tf.reduce_mean(critic(real)) + 10.0 * penalty(real, fake)
    gradients = tape.gradient(loss, critic.trainable_variables)
    optimizer.apply_gradients(zip(gradients, critic.trainable_variables))
    print("critic loss", loss.numpy())
