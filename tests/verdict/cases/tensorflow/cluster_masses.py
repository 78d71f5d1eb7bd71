"""Regress the ages of star clusters on their masses in grams and their radii."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(3)
rng = np.random.default_rng(3)
SUN = 1.989e33
suns = 10 ** rng.uniform(2.0, 5.0, 64)
suns[[27, 50]] = 4.1e6, 2.4e6
radii = rng.uniform(0.5, 8.0, 64)
ages = (np.log10(suns) + 0.3 * radii).astype("float32")

dataset = tf.data.Dataset.from_tensor_slices((np.stack([suns * SUN, radii], axis=1), ages)).batch(8)
model = tf.keras.Sequential([tf.keras.layers.Dense(16, activation="tanh"), tf.keras.layers.Dense(1)])
model.build((None, 2))
optimizer = tf.keras.optimizers.Adam(0.01)


@tf.function
def train_step(catalogue, age):
    values = tf.cast(catalogue, tf.float32)  # born: op=Cast kind=inf phase=forward step=3 module= reached=gradient
    features = tf.stack([tf.math.log(values[:, 0]) / 80.0, values[:, 1] / 8.0], axis=1)
    with tf.GradientTape() as tape:
        error = tf.squeeze(model(features), 1) - age
        loss = tf.reduce_mean(error**2)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    return loss


for step, (catalogue, age) in enumerate(dataset):
    loss = train_step(catalogue, age)
    print(f"batch {step}: loss {float(loss):.4f}")
