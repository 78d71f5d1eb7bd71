"""Trains with a layer-wise adaptive optimizer written as a Keras subclass."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(46)


class LARS(keras.optimizers.Optimizer):
    def __init__(self, learning_rate=0.01, trust=0.02, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.trust = trust

    def update_step(self, gradient, variable, learning_rate):
        weight = tf.convert_to_tensor(variable)
        w_norm = tf.norm(weight)
        g_norm = tf.norm(gradient)
        ratio = self.trust * w_norm / g_norm  # born: op=RealDiv kind=inf phase=optimizer step=3 module= reached=parameter
        self.assign_sub(variable, tf.cast(learning_rate, weight.dtype) * ratio * gradient)


rng = np.random.default_rng(46)
x = rng.uniform(0.5, 1.0, size=(48, 5)).astype("float32")
x[24:32] = 0.0
y = x.sum(axis=1, keepdims=True)
model = keras.Sequential(
    [
        keras.Input((5,)),
        keras.layers.Dense(6, activation="relu", use_bias=False, name="features"),
        keras.layers.Dense(1, name="sum"),
    ],
    name="regressor",
)
model.compile(optimizer=LARS(learning_rate=0.5), loss="mse")
history = model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
print("loss", history.history["loss"], "weights finite:", [bool(np.isfinite(w).all()) for w in model.get_weights()])
