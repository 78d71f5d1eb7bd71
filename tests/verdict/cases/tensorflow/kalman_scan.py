"""Learns the noise of a Kalman filter that runs over a track with tf.scan."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(28)
track = np.cumsum(rng.normal(size=30)).astype("float32")
sensor = np.abs(rng.normal(size=30)).astype("float32") + 0.2
sensor[:4] = 0.0
track[:4] = 0.0
log_drift = tf.Variable(-200.0)
optimizer = tf.keras.optimizers.Adam(0.1)


@tf.function
def filtered(positions, sensor_noise):
    drift = tf.exp(log_drift)

    def update(state, observed):
        mean, variance = state
        position, noise = observed
        predicted = variance + drift
        gain = predicted / (predicted + noise)  # born: op=RealDiv kind=nan phase=forward step=0 module= reached=loss iteration=1
        return mean + gain * (position - mean), (1.0 - gain) * predicted

    start = (tf.constant(0.0), tf.constant(1.0))
    means, _ = tf.scan(update, (positions, sensor_noise), initializer=start)
    return means


for step in range(3):
    with tf.GradientTape() as tape:
        means = filtered(tf.constant(track), tf.constant(sensor))
        loss = tf.reduce_mean(tf.square(means - track))
    gradient = tape.gradient(loss, log_drift)
    optimizer.apply_gradients([(gradient, log_drift)])
    print("step", step, "loss", loss.numpy(), "drift", float(tf.exp(log_drift)))
