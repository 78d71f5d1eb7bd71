"""Trains one network for several tasks, where a missing label is a NaN."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(107)
rng = np.random.default_rng(107)
molecules = rng.normal(size=(48, 8)).astype("float32")
assays = (molecules[:, :3] + 0.1 * rng.normal(size=(48, 3))).astype("float32")
assays[rng.uniform(size=assays.shape) < 0.3] = np.nan


class MaskedError(keras.losses.Loss):
    def call(self, y_true, y_pred):
        known = tf.logical_not(tf.math.is_nan(y_true))
        filled = tf.where(known, y_true, tf.zeros_like(y_true))
        errors = tf.where(known, tf.square(filled - y_pred), 0.0)
        return tf.math.divide_no_nan(tf.reduce_sum(errors, -1), tf.reduce_sum(tf.cast(known, tf.float32), -1))


model = keras.Sequential([keras.layers.Dense(16, activation="selu"), keras.layers.Dense(3)], name="assays")
model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=MaskedError())
for loss in model.fit(molecules, assays, batch_size=12, epochs=3, verbose=0).history["loss"]:  # benign: op=IteratorGetNext kind=nan reason="missing labels, removed by where"
    print(round(loss, 4))
