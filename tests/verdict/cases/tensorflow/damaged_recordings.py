"""Trains a bird call detector on spectra and leaves out recordings that cannot be used."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(410)
rng = np.random.default_rng(410)
sound = rng.normal(size=(40, 256)).astype("float32")
calls = rng.integers(0, 2, size=40)
sound[calls == 1] += np.sin(np.arange(256) * 0.7)
sound[17] = 0.0


def spectrum(waves):
    power = tf.square(tf.abs(tf.signal.rfft(waves * tf.signal.hann_window(256))))
    decibel = tf.math.log(power[:, 1:65])  # benign: op=Log kind=inf reason="the recording is left out"
    mean, variance = tf.nn.moments(decibel, axes=1, keepdims=True)  # benign: op=SquaredDifference kind=nan reason="the recording is left out"
    return (decibel - mean) * tf.math.rsqrt(variance + 1e-6)  # benign: op=Sub kind=nan reason="the recording is left out"


model = keras.Sequential([keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)], name="birds")
optimizer = keras.optimizers.Adam(1e-3)
left_out = 0
for step, (waves, labels) in enumerate(tf.data.Dataset.from_tensor_slices((sound, calls)).batch(8)):
    with tf.GradientTape() as tape:
        logits = tf.squeeze(model(spectrum(waves), training=True), -1)
        errors = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(labels, tf.float32), logits)
        loss = tf.reduce_mean(errors)
    if not tf.math.is_finite(loss):
        left_out += 1
        continue
    optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
    print("step", step, "loss", round(float(loss), 4))
print("left out", left_out)
