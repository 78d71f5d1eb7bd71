"""Fits a small network to measurements that were saved by another program."""

import os
import tempfile

import keras
import numpy as np

keras.utils.set_random_seed(8)
rng = np.random.default_rng(8)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "measured.npz")
    recorded = rng.normal(size=(64, 5)).astype("float32")
    recorded[37, 3] = np.nan
    np.savez(path, x=recorded, y=np.tanh(rng.normal(size=(64, 1))).astype("float32"))
    with np.load(path) as saved:
        x, y = saved["x"], saved["y"]

model = keras.Sequential(
    [keras.layers.Dense(8, activation="relu", name="first"), keras.layers.Dense(1, name="second")], name="small"
)
model.compile(optimizer="adam", loss="mae")
history = model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)  # born: op=IteratorGetNext kind=nan phase=data step=4 module= reached=loss
print(history.history["loss"])
