"""Fits a line to sensor readings with plain gradient descent."""

import keras
import numpy as np

keras.utils.set_random_seed(4)
rng = np.random.default_rng(4)
x = rng.uniform(0.0, 50.0, size=(64, 2)).astype("float32")
y = (x @ np.array([[1.5], [-0.7]]) + 3.0 + rng.normal(size=(64, 1))).astype("float32")

inputs = keras.Input((2,))
model = keras.Model(inputs, keras.layers.Dense(1, name="line")(inputs), name="linear")
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.01), loss="mse")
stop = keras.callbacks.TerminateOnNaN()
history = model.fit(x, y, batch_size=16, epochs=12, shuffle=False, verbose=0, callbacks=[stop])  # born: op=Sum kind=inf phase=forward step=12 module= reached=loss growth=yes
for epoch, loss in enumerate(history.history["loss"]):
    print(f"epoch {epoch}: {loss:g}")

slope, offset = model.get_layer(index=1).get_weights()
print("slope", slope.ravel(), "offset", offset)
