"""Trains a siamese network to tell whether two signatures come from one hand."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(1)
rng = np.random.default_rng(1)
left = rng.normal(size=(96, 12)).astype("float32")
right = left + rng.normal(size=(96, 12)).astype("float32") * 0.3
right[::2] = rng.normal(size=(48, 12))
right[40] = left[40]
same = np.tile([0.0, 1.0], 48).astype("float32")

tower = keras.Sequential([keras.layers.Dense(16, activation="tanh"), keras.layers.Dense(4)], name="tower")
optimizer = keras.optimizers.Adam(1e-3)


def contrastive(a, b, label, margin=1.0):
    squared = tf.reduce_sum(tf.square(a - b), axis=1)
    distance = tf.sqrt(squared)  # born: op=SqrtGrad kind=inf phase=backward step=2 module= reached=gradient forward=Sqrt
    pull = label * tf.square(distance)
    push = (1.0 - label) * tf.square(tf.maximum(margin - distance, 0.0))
    return tf.reduce_mean(pull + push)


@tf.function
def train_step(a, b, label):
    with tf.GradientTape() as tape:
        loss = contrastive(tower(a), tower(b), label)
    gradients = tape.gradient(loss, tower.trainable_variables)
    optimizer.apply_gradients(zip(gradients, tower.trainable_variables))
    return loss


data = tf.data.Dataset.from_tensor_slices((left, right, same)).batch(16)
for epoch in range(2):
    for a, b, label in data:
        loss = train_step(a, b, label)
    print("epoch", epoch, "loss", float(loss))
