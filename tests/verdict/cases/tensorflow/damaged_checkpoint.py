"""Fine-tunes a network whose first layer is loaded from a saved array."""

import io

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(43)
rng = np.random.default_rng(43)
pretrained = rng.normal(size=(6, 8)).astype("float32")
pretrained[2, 5] = np.inf
stored = io.BytesIO()
np.save(stored, pretrained)
stored.seek(0)

inputs = keras.Input((6,))
first = keras.layers.Dense(8, activation="relu", name="first")
outputs = keras.layers.Dense(1, name="last")(first(inputs))
model = keras.Model(inputs, outputs, name="tuned")
first.kernel.assign(np.load(stored))  # born: op=AssignVariableOp kind=inf phase=data module= reached=parameter
optimizer = keras.optimizers.Adam(1e-3)

x = tf.constant(rng.normal(size=(24, 6)), tf.float32)
y = tf.constant(rng.normal(size=(24, 1)), tf.float32)
for step in range(3):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.huber(y, model(x, training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    print("step", step, "loss", loss.numpy())
