"""Trains a mixed precision classifier whose loss scale begins too high."""

import keras
import numpy as np

keras.mixed_precision.set_global_policy("mixed_float16")
keras.utils.set_random_seed(108)
rng = np.random.default_rng(108)
x = rng.normal(size=(64, 10)).astype("float32")
y = (x[:, :1] > 0).astype("float32")

model = keras.Sequential(
    [
        keras.layers.Dense(16, activation="relu", name="hidden"),
        keras.layers.Dense(1, dtype="float32", name="logit"),
    ],
    name="classifier",
)
optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**22)
model.compile(optimizer=optimizer, loss=keras.losses.BinaryCrossentropy(from_logits=True))
history = model.fit(x, y, batch_size=8, epochs=2, verbose=0)  # benign: op=Cast kind=inf reason="skipped by the loss scale" # benign: op=ReluGrad kind=nan reason="skipped by the loss scale" # benign: op=BiasAddGrad kind=inf reason="skipped by the loss scale" # benign: op=MatMul kind=inf reason="skipped by the loss scale"
print("loss", history.history["loss"], "scale", float(optimizer.dynamic_scale.numpy()))
