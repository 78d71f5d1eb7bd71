"""Trains a rectified recurrent layer on long sensor traces with Keras."""

import keras
import numpy as np

keras.utils.set_random_seed(58)
rng = np.random.default_rng(58)
traces = rng.uniform(0.0, 1.0, size=(16, 50, 2)).astype("float32")
totals = traces.sum(axis=(1, 2)).astype("float32")[:, None]

model = keras.Sequential(
    [
        keras.layers.SimpleRNN(
            12, activation="relu", recurrent_initializer=keras.initializers.RandomUniform(0.4, 1.6), name="rnn"
        ),
        keras.layers.Dense(1, name="total"),
    ],
    name="sums",
)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mae")
history = model.fit(traces, totals, batch_size=8, epochs=1, shuffle=False, verbose=0)  # born: op=MatMul kind=inf phase=forward step=0 module=sums.rnn.simple_rnn_cell reached=loss iteration=38
print(history.history)
