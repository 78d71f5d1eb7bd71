"""Trains a gesture classifier aware of the eight bits that its activations will have."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(404)


class FakeQuantize(keras.layers.Layer):
    def call(self, x):
        scale = tf.reduce_max(tf.abs(x), axis=0, keepdims=True) / 127.0
        levels = tf.round(x / scale)  # born: op=RealDiv kind=nan phase=forward step=3 module=gestures.quantize_sensors reached=loss
        return x + tf.stop_gradient(levels * scale - x)


def build():
    inputs = keras.Input((10,), name="sensors")
    x = FakeQuantize(name="quantize_sensors")(inputs)
    x = keras.layers.Dense(24, activation="gelu", name="hidden")(x)
    x = FakeQuantize(name="quantize_hidden")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="gesture")(x), name="gestures")


rng = np.random.default_rng(404)
sensors = rng.normal(size=(96, 10)).astype("float32")
gesture = np.argmax(sensors[:, :3], axis=1)
sensors[48:72, 7] = 0.0
model = build()
model.compile(
    optimizer=keras.optimizers.SGD(0.05, momentum=0.9),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
batches = tf.data.Dataset.from_tensor_slices((sensors, gesture)).batch(16)
history = model.fit(batches, epochs=1, verbose=0)
print({name: round(values[-1], 4) for name, values in history.history.items()})
