"""Trains a denoiser in half precision with the loss summed over all pixels."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(51)
rng = np.random.default_rng(51)
clean = rng.uniform(size=(12, 24, 24, 1)).astype("float16")
clean[8:] *= np.float16(14.0)
noisy = (clean + 0.2 * rng.normal(size=clean.shape)).astype("float16")
denoiser = keras.Sequential(
    [
        keras.layers.Conv2D(4, 3, padding="same", activation="relu", dtype="float16"),
        keras.layers.Conv2D(1, 3, padding="same", dtype="float16"),
    ],
    name="denoiser",
)
optimizer = keras.optimizers.SGD(1e-6)


@tf.function
def step_on(x, y):
    with tf.GradientTape() as tape:
        errors = tf.square(denoiser(x) - y)
        loss = tf.reduce_sum(errors)  # born: op=Sum kind=inf phase=forward step=2 module= reached=loss
        scaled = loss / 4.0
    gradients = tape.gradient(scaled, denoiser.trainable_variables)
    optimizer.apply_gradients(zip(gradients, denoiser.trainable_variables))
    return loss


for step in range(3):
    rows = slice(4 * step, 4 * step + 4)
    print("step", step, "sum of squares", step_on(tf.constant(noisy[rows]), tf.constant(clean[rows])).numpy())
