"""Trains an autoencoder that keeps running statistics of its inputs for later scoring."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(24)


class Watcher(keras.layers.Layer):
    def build(self, shape):
        self.spread = self.add_weight(shape=(shape[-1],), initializer="zeros", trainable=False, name="spread")

    def call(self, x, training=False):
        if training:
            variance = tf.math.reduce_variance(x, axis=0)
            self.spread.assign(0.9 * self.spread + 0.1 * tf.math.log(variance))  # born: op=Log kind=inf phase=forward step=2 module=auto.watcher reached=state
        return x


rng = np.random.default_rng(24)
signals = rng.normal(size=(40, 5)).astype("float32")
signals[16:24, 2] = 0.25
model = keras.Sequential(
    [Watcher(name="watcher"), keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(5)], name="auto"
)
optimizer = keras.optimizers.Lion(1e-3)
for step in range(5):
    batch = tf.constant(signals[step * 8 : step * 8 + 8])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(batch, training=True) - batch))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    print("step", step, "loss", loss.numpy())
print("spread of the inputs:", model.get_layer("watcher").spread.numpy())
