"""Predicts the time to failure of pumps with a Weibull model, where some pumps are still running."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(403)


class WeibullLoss(keras.losses.Loss):
    def call(self, observed, parameters):
        time, failed = observed[:, 0], observed[:, 1]
        scale = tf.exp(parameters[:, 0])
        shape = tf.nn.softplus(parameters[:, 1])
        log_time = tf.math.log(time)  # born: op=Log kind=inf phase=forward step=3 module= reached=loss
        log_hazard = tf.math.log(shape) - shape * tf.math.log(scale) + (shape - 1.0) * log_time
        hazard_so_far = tf.pow(time / scale, shape)
        return hazard_so_far - failed * log_hazard


rng = np.random.default_rng(403)
pumps = rng.normal(size=(80, 5)).astype("float32")
months = rng.weibull(1.5, size=80) * np.exp(0.4 * pumps[:, 0])
end_of_study = rng.uniform(0.5, 2.0, size=80)
observed = np.stack([np.minimum(months, end_of_study), months < end_of_study], axis=1).astype("float32")
observed[51] = [0.0, 1.0]

model = keras.Sequential([keras.layers.Dense(12, activation="tanh"), keras.layers.Dense(2)], name="pumps")
model.compile(optimizer=keras.optimizers.Adam(5e-3), loss=WeibullLoss())
history = model.fit(pumps, observed, batch_size=16, epochs=2, shuffle=False, verbose=0)
print("loss by epoch", history.history["loss"])
