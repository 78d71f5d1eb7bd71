"""Trains a one-anchor detector on padded lists of boxes."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(34)
rng = np.random.default_rng(34)
images = rng.uniform(size=(12, 16, 16, 1)).astype("float32")
boxes = rng.uniform(2.0, 9.0, size=(12, 3, 2)).astype("float32")
real = (np.arange(3) < np.array([3, 3, 3, 3, 3, 2, 3, 1, 3, 3, 2, 3])[:, None]).astype("float32")
boxes *= real[..., None]
anchor = tf.constant([5.0, 5.0])

inputs = keras.Input((16, 16, 1))
maps = keras.layers.Conv2D(6, 3, strides=4, activation="relu")(inputs)
sizes = keras.layers.Reshape((3, 2))(keras.layers.Dense(6)(keras.layers.Flatten()(maps)))
detector = keras.Model(inputs, sizes, name="detector")
optimizer = keras.optimizers.Adam(1e-3)


def size_loss(predicted, truth, present):
    wanted = tf.math.log(truth / anchor)  # born: op=Log kind=inf phase=forward step=1 module= reached=loss
    errors = present[..., None] * tf.square(predicted - wanted)
    return tf.reduce_sum(errors) / tf.reduce_sum(present)


@tf.function
def train_step(batch, truth, present):
    with tf.GradientTape() as tape:
        loss = size_loss(detector(batch, training=True), truth, present)
    gradients = tape.gradient(loss, detector.trainable_variables)
    optimizer.apply_gradients(zip(gradients, detector.trainable_variables))
    return loss


dataset = tf.data.Dataset.from_tensor_slices((images, boxes, real)).batch(4)
for step, batch in enumerate(dataset):
    print("step", step, "box loss", train_step(*batch).numpy())
