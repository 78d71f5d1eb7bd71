"""Trains a credit model whose first layer fills in missing fields."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(119)


class FillMissing(keras.layers.Layer):
    def build(self, shape):
        self.fill = self.add_weight(shape=(shape[-1],), initializer="zeros", name="fill")

    def call(self, x):
        missing = tf.math.is_nan(x)
        filled = tf.where(missing, self.fill, x)
        return tf.concat([filled, tf.cast(missing, x.dtype)], axis=1)


rng = np.random.default_rng(119)
fields = rng.normal(size=(64, 6)).astype("float32")
repaid = (fields[:, :1] > 0).astype("float32")
fields[rng.uniform(size=fields.shape) < 0.2] = np.nan
model = keras.Sequential(
    [FillMissing(name="fill"), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1, activation="sigmoid")],
    name="credit",
)
model.compile(optimizer=keras.optimizers.Adam(1e-2), loss="binary_crossentropy", metrics=["accuracy"])
history = model.fit(fields, repaid, batch_size=16, epochs=2, verbose=0)  # benign: op=IteratorGetNext kind=nan reason="missing fields, removed by where"
print({name: [round(v, 3) for v in values] for name, values in history.history.items()})
