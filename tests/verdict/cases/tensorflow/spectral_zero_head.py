"""Trains a small adversarial network whose critic is normalised by its spectral norm."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(401)


class SpectralDense(keras.layers.Layer):
    def __init__(self, units, initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units, self.initializer = units, initializer

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), initializer=self.initializer, name="kernel")
        self.u = self.add_weight(shape=(1, self.units), initializer="random_normal", trainable=False, name="u")

    def call(self, x):
        v = tf.math.l2_normalize(tf.matmul(self.u, self.kernel, transpose_b=True))
        u = tf.math.l2_normalize(tf.matmul(v, self.kernel))
        sigma = tf.matmul(tf.matmul(v, self.kernel), u, transpose_b=True)
        self.u.assign(u)
        return tf.matmul(x, self.kernel / sigma)  # born: op=RealDiv kind=nan phase=forward step=0 module=critic.last reached=loss


critic = keras.Sequential(
    [SpectralDense(16, name="first"), keras.layers.LeakyReLU(), SpectralDense(1, "zeros", name="last")], name="critic"
)
maker = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(2)], name="maker")
critic_optimizer = keras.optimizers.Adam(2e-3, beta_1=0.0)
maker_optimizer = keras.optimizers.Adam(1e-3, beta_1=0.0)
rng = np.random.default_rng(401)


@tf.function
def train(real, noise):
    with tf.GradientTape(persistent=True) as tape:
        fake = maker(noise)
        real_score, fake_score = critic(real), critic(fake)
        critic_loss = tf.reduce_mean(tf.nn.relu(1.0 - real_score) + tf.nn.relu(1.0 + fake_score))
        maker_loss = -tf.reduce_mean(fake_score)
    critic_optimizer.apply(tape.gradient(critic_loss, critic.trainable_variables), critic.trainable_variables)
    maker_optimizer.apply(tape.gradient(maker_loss, maker.trainable_variables), maker.trainable_variables)
    return critic_loss


for step in range(4):
    angle = rng.uniform(0.0, 2.0 * np.pi, 32)
    real = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype("float32")
    loss = train(tf.constant(real), tf.constant(rng.normal(size=(32, 4)), tf.float32))
    print("step", step, "critic loss", float(loss))
