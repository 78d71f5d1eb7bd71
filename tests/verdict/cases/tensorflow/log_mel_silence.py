"""Trains a keyword spotter on raw audio with log spectra computed in the model."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(35)


class LogSpectrum(keras.layers.Layer):
    def call(self, audio):
        power = tf.square(tf.abs(tf.signal.stft(audio, frame_length=32, frame_step=32)))
        return tf.math.log(power)  # born: op=Log kind=inf phase=forward step=3 module=spotter.log_spectrum reached=loss


rng = np.random.default_rng(35)
clips = np.sin(np.linspace(0, 60, 160) * rng.uniform(1, 3, size=(32, 1))) + 0.1 * rng.normal(size=(32, 160))
clips[26] = 0.0
words = rng.integers(0, 4, size=32)
spotter = keras.Sequential(
    [
        LogSpectrum(name="log_spectrum"),
        keras.layers.GRU(6, name="gru"),
        keras.layers.Dense(4, name="words"),
    ],
    name="spotter",
)
spotter.compile(
    optimizer=keras.optimizers.Adam(1e-3),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    steps_per_execution=1,
)
history = spotter.fit(clips.astype("float32"), words, batch_size=8, epochs=1, shuffle=False, verbose=0)
print("loss", history.history["loss"])
