"""Tell stripes from crosses by a histogram of the orientations of their edges."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

keras.utils.set_random_seed(7)
BINS = 8
rng = np.random.default_rng(7)


def draw(cross):
    picture = np.zeros((16, 16), "float32")
    row = rng.integers(3, 12)
    picture[row : row + 2] = 1
    if cross:
        column = rng.integers(3, 12)
        picture[:, column : column + 2] = 1
    return picture


def orientations(picture):
    dy, dx = tf.image.image_gradients(picture[None, :, :, None])
    dy, dx = tf.reshape(dy, [-1]), tf.reshape(dx, [-1])
    edge = tf.abs(dx) + tf.abs(dy) > 0
    dy, dx = tf.boolean_mask(dy, edge), tf.boolean_mask(dx, edge)
    angle = tf.atan(dy / dx)  # benign: op=RealDiv kind=inf reason="removed by atan"
    counts = tf.histogram_fixed_width(angle, [-np.pi / 2, np.pi / 2 + 1e-3], nbins=BINS)
    return tf.cast(counts, tf.float32) / tf.cast(tf.size(angle), tf.float32)


crosses = np.arange(24) % 2
histograms = tf.stack([orientations(tf.constant(draw(cross))) for cross in crosses])
model = keras.Sequential([keras.Input((BINS,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
history = model.fit(histograms, crosses, epochs=3, batch_size=8, verbose=0)
print("losses", [round(loss, 4) for loss in history.history["loss"]])
