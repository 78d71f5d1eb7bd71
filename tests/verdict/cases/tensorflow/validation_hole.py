"""Trains a forecaster and checks it on held-out weeks after every epoch."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(60)
rng = np.random.default_rng(60)
weeks = rng.normal(size=(40, 6)).astype("float32")
demand = weeks.mean(axis=1, keepdims=True)
held_out = rng.normal(size=(16, 6)).astype("float32")
held_demand = held_out.mean(axis=1, keepdims=True)
held_demand[11] = np.nan
forecaster = keras.Sequential([keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1)], name="demand")
optimizer = keras.optimizers.Adam(1e-2)
check = tf.data.Dataset.from_tensor_slices((held_out, held_demand)).batch(8)


@tf.function
def learn(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(forecaster(x, training=True) - y))
    gradients = tape.gradient(loss, forecaster.trainable_variables)
    optimizer.apply_gradients(zip(gradients, forecaster.trainable_variables))
    return loss


for epoch in range(2):
    loss = learn(tf.constant(weeks), tf.constant(demand))
    errors = []
    for x, y in check:  # born: op=IteratorGetNext kind=nan phase=data step=0 module= reached=output
        errors.append(float(tf.reduce_mean(tf.abs(forecaster(x) - y))))
    print("epoch", epoch, "loss", float(loss), "held-out error", np.mean(errors))
