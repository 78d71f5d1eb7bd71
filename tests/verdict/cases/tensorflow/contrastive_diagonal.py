"""Trains an encoder with the NT-Xent loss of two augmented views."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(113)


class SimCLR(keras.Model):
    def __init__(self):
        super().__init__(name="simclr")
        self.encoder = keras.layers.Dense(16, activation="relu", name="encoder")
        self.projector = keras.layers.Dense(8, name="projector")
        self.noise = keras.layers.GaussianNoise(0.2, name="noise", seed=3)

    def call(self, x, training=False):
        return self.projector(self.encoder(self.noise(x, training=training)))

    def train_step(self, data):
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        count = tf.shape(x)[0]
        with tf.GradientTape() as tape:
            views = tf.concat([self(x, training=True), self(x, training=True)], axis=0)
            views = tf.math.l2_normalize(views, axis=1)
            logits = tf.matmul(views, views, transpose_b=True) / 0.2
            logits = tf.linalg.set_diag(logits, tf.fill([2 * count], -np.inf))  # benign: op=MatrixSetDiagV3 kind=inf reason="a constant, removed by softmax"
            partner = tf.concat([tf.range(count) + count, tf.range(count)], axis=0)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(partner, logits, from_logits=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
        return {"contrast": loss}


model = SimCLR()
model.compile(optimizer=keras.optimizers.Adam(1e-2))
x = np.random.default_rng(113).normal(size=(32, 10)).astype("float32")
print([round(value, 4) for value in model.fit(x, batch_size=8, epochs=2, verbose=0).history["contrast"]])
