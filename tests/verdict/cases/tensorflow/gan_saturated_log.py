"""Trains a tiny generative adversarial network with the minimax loss of the paper."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(14)
generator = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)], name="generator")
critic = keras.Sequential(
    [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1, activation="sigmoid")], name="critic"
)
g_opt = keras.optimizers.SGD(0.5)
d_opt = keras.optimizers.SGD(2.0)
rng = np.random.default_rng(14)


@tf.function
def train_critic(real, noise):
    with tf.GradientTape() as tape:
        on_real = critic(real)
        on_fake = critic(generator(noise))
        gain = tf.math.log(on_real + 1e-7) + tf.math.log(1.0 - on_fake + 1e-7)
        loss = -tf.reduce_mean(gain)
    gradients = tape.gradient(loss, critic.trainable_variables)
    d_opt.apply_gradients(zip(gradients, critic.trainable_variables))
    return loss


@tf.function
def train_generator(noise):
    with tf.GradientTape() as tape:
        on_fake = critic(generator(noise))
        loss = tf.reduce_mean(tf.math.log(1.0 - on_fake))  # born: op=Log kind=inf phase=forward step=11 module= reached=loss
    gradients = tape.gradient(loss, generator.trainable_variables)
    g_opt.apply_gradients(zip(gradients, generator.trainable_variables))
    return loss


for step in range(16):
    angle = rng.uniform(0, 2 * np.pi, size=(16, 1))
    real = np.hstack([np.cos(angle), np.sin(angle)]).astype("float32") * 3.0
    noise = rng.normal(size=(16, 4)).astype("float32")
    d_loss = train_critic(tf.constant(real), tf.constant(noise))
    g_loss = train_generator(tf.constant(noise))
    print(f"{step:3d} critic {float(d_loss):.4f} generator {float(g_loss):.4f}")
