"""Trains a residual network whose blocks survive less and less often."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(45)


class DropPath(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.keep = tf.Variable(1.0, trainable=False, name="keep")
        self.calls = 0

    def call(self, x, training=False):
        if not training:
            return x
        self.calls += 1
        drawn = tf.random.stateless_uniform([tf.shape(x)[0], 1], seed=[45, self.calls])
        return x / self.keep * tf.cast(drawn < self.keep, x.dtype)  # born: op=RealDiv kind=nan phase=forward step=5 module=residual.drop reached=loss


class Residual(keras.Model):
    def __init__(self):
        super().__init__(name="residual")
        self.branch = keras.layers.Dense(8, activation="relu", name="branch")
        self.drop = DropPath(name="drop")
        self.out = keras.layers.Dense(1, name="out")

    def call(self, x, training=False):
        return self.out(x + self.drop(self.branch(x), training=training))


rng = np.random.default_rng(45)
x = tf.constant(rng.normal(size=(16, 8)), tf.float32)
y = tf.reduce_mean(x, axis=1, keepdims=True)
net = Residual()
optimizer = keras.optimizers.SGD(0.01)
for step in range(6):
    net.drop.keep.assign(1.0 - step / 5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(net(x, training=True) - y))
    gradients = tape.gradient(loss, net.trainable_variables)
    optimizer.apply_gradients(zip(gradients, net.trainable_variables))
    print(step, "keep", net.drop.keep.numpy(), "loss", loss.numpy())
