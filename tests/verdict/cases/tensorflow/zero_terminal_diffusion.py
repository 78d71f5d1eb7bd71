"""Trains a diffusion model of points on a circle with a noise schedule that ends in pure noise."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(406)
TIMES = 100


def schedule():
    beta = np.linspace(1e-3, 0.08, TIMES)
    root = np.sqrt(np.cumprod(1.0 - beta))
    root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return tf.constant(root**2, tf.float32)


class Denoiser(keras.Model):
    def __init__(self):
        super().__init__(name="denoiser")
        self.kept = schedule()
        self.body = keras.Sequential(
            [keras.layers.Dense(32, activation="silu"), keras.layers.Dense(2)], name="body"
        )
        self.losses_seen = keras.metrics.Mean(name="loss")

    @property
    def metrics(self):
        return [self.losses_seen]

    def call(self, inputs):
        noisy, time = inputs
        return self.body(tf.concat([noisy, tf.cast(time, tf.float32)[:, None] / TIMES], axis=1))

    def train_step(self, data):
        clean, noise, time = data
        kept = tf.gather(self.kept, time)[:, None]
        noisy = tf.sqrt(kept) * clean + tf.sqrt(1.0 - kept) * noise
        with tf.GradientTape() as tape:
            guessed_noise = self((noisy, time), training=True)
            guessed = (noisy - tf.sqrt(1.0 - kept) * guessed_noise) / tf.sqrt(kept)  # born: op=RealDiv kind=inf phase=forward step=2 module= reached=loss
            loss = tf.reduce_mean(tf.minimum(1.0, kept) * tf.square(guessed - clean))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        self.losses_seen.update_state(loss)
        return {"loss": self.losses_seen.result()}


rng = np.random.default_rng(437)
angle = rng.uniform(0.0, 2.0 * np.pi, 128)
clean = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype("float32")
noise = rng.normal(size=(128, 2)).astype("float32")
time = rng.integers(0, TIMES, size=128)
model = Denoiser()
model.compile(optimizer=keras.optimizers.AdamW(1e-3))
data = tf.data.Dataset.from_tensor_slices((clean, noise, time)).batch(16)
losses = model.fit(data, epochs=1, verbose=0).history["loss"]
print("loss", losses)
