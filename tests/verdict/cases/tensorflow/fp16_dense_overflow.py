"""Regresses house prices from raw areas with a mixed precision network."""

import keras
import numpy as np

keras.mixed_precision.set_global_policy("mixed_float16")
keras.utils.set_random_seed(3)
rng = np.random.default_rng(3)
area = rng.uniform(30.0, 300.0, size=(64, 1))
rooms = rng.integers(1, 8, size=(64, 1))
plot = area * rng.uniform(1.0, 40.0, size=(64, 1))
plot[45] = 61000.0
x = np.hstack([area, rooms, plot]).astype("float32")
y = (area * 0.01 + rooms * 0.2).astype("float32")

model = keras.Sequential(
    [
        keras.layers.Dense(32, activation="relu", name="wide", kernel_initializer=keras.initializers.Constant(2.0)),
        keras.layers.Dense(1, dtype="float32", name="price"),
    ],
    name="prices",
)
model.compile(optimizer=keras.optimizers.Adam(1e-4), loss="mean_squared_error")
history = model.fit(x, y, batch_size=16, epochs=1, shuffle=False, verbose=0)  # born: op=MatMul kind=inf phase=forward step=2 module=prices.wide reached=loss # benign: op=Cast kind=inf reason="skipped by the loss scale"
print("loss", history.history["loss"][-1])
