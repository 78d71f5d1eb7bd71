"""Learns item vectors from shopping baskets of different sizes."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(32)
baskets = [rng.integers(0, 15, size=size).tolist() for size in [3, 2, 4, 1, 5, 2, 3, 0, 2, 4, 1, 3]]
spent = rng.uniform(1.0, 5.0, size=12).astype("float32")
items = tf.Variable(rng.normal(size=(15, 4)).astype("float32") * 0.2, name="items")
price = tf.Variable(tf.ones([4]), name="price")
optimizer = tf.keras.optimizers.Adam(0.02)
data = tf.data.Dataset.from_tensor_slices((tf.ragged.constant(baskets, dtype=tf.int32), spent)).batch(3)

for step, (batch, target) in enumerate(data):
    with tf.GradientTape() as tape:
        vectors = tf.ragged.map_flat_values(lambda ids: tf.gather(items, ids), batch)
        means = tf.reduce_mean(vectors, axis=1)  # born: op=RealDiv kind=nan phase=forward step=2 module= reached=loss
        guess = tf.linalg.matvec(means, price)
        loss = tf.reduce_mean(tf.abs(guess - target))
    gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, [items, price])]
    optimizer.apply_gradients(zip(gradients, [items, price]))
    print("step", step, "mae", loss.numpy())
