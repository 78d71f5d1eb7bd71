"""Trains a classifier and prints the odds of the test cases."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(57)
rng = np.random.default_rng(57)
x = rng.normal(size=(64, 3)).astype("float32")
y = (x[:, :1] > 0).astype("float32")
test = np.vstack([rng.normal(size=(3, 3)), [[400.0, 0.0, 0.0]]]).astype("float32")

model = keras.Sequential([keras.layers.Dense(1, activation="sigmoid", name="chance")], name="logistic")
model.compile(optimizer=keras.optimizers.Adam(0.1), loss="binary_crossentropy")
model.fit(x, y, batch_size=16, epochs=2, verbose=0)

chance = tf.constant(model.predict(test, verbose=0))
odds = chance / (1.0 - chance)  # born: op=RealDiv kind=inf phase=other module= reached=output
for row, value in zip(test, odds.numpy().ravel()):
    print(row.round(2), "odds", value)
