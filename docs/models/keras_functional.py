"""A functional Keras model with two inputs and a skip, one training step."""

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
image, meta = keras.Input((28, 28, 1), name="image"), keras.Input((8,), name="meta")
x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1")(image)
skip = x
x = layers.Conv2D(16, 3, padding="same", name="conv2")(x)
x = layers.BatchNormalization(name="bn")(x)
x = layers.ReLU(name="relu")(layers.Add(name="add")([x, skip]))
x = layers.GlobalAveragePooling2D(name="pool")(x)
x = layers.Concatenate(name="join")([x, layers.Dense(16, activation="relu", name="meta_dense")(meta)])
x = layers.Dropout(0.2, name="dropout")(x)
model = keras.Model([image, meta], layers.Dense(10, name="head")(x), name="two_inputs")
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
rng = np.random.default_rng(0)
images, metas = rng.random((16, 28, 28, 1), "float32"), rng.random((16, 8), "float32")
model.fit([images, metas], rng.integers(0, 10, 16), batch_size=8, epochs=1, verbose=0)
