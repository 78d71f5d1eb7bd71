"""Trains a network with batch normalisation on readings of a sensor that glitched once."""

import keras
import numpy as np

keras.utils.set_random_seed(61)
rng = np.random.default_rng(61)
readings = rng.normal(size=(48, 4)).astype("float32")
readings[26, 1] = 1e22
state = (rng.uniform(size=(48, 1)) < 0.5).astype("float32")

model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.BatchNormalization(name="normal"),
        keras.layers.Dense(1, activation="sigmoid", name="state"),
    ],
    name="monitor",
)
model.compile(optimizer=keras.optimizers.SGD(0.1), loss="binary_crossentropy")
for epoch in range(2):
    history = model.fit(readings, state, batch_size=8, shuffle=False, verbose=0)  # born: op=SquaredDifference kind=inf phase=forward step=3 module=monitor.normal reached=state
    print("epoch", epoch, "loss", history.history["loss"][0])
print("variance", model.get_layer("normal").moving_variance.numpy())
