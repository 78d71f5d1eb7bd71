"""Train a one-layer filter that undoes a negative, by structural similarity on two scales."""

import numpy as np
import tensorflow as tf

tf.random.set_seed(1)
rng = np.random.default_rng(1)
scans = tf.constant(rng.uniform(0.1, 0.9, (4, 24, 24, 1)).astype("float32"))
negatives = 1.0 - scans

develop = tf.keras.layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros", name="develop")
develop.build((None, 24, 24, 1))
optimizer = tf.keras.optimizers.Adam(0.01)


def similarity(a, b):
    return tf.image.ssim_multiscale(a, b, 1.0, power_factors=(0.4, 0.6), filter_size=5)  # born: op=Pow kind=inf phase=backward step=0 module= reached=gradient forward=Pow


for step in range(4):
    with tf.GradientTape() as tape:
        restored = negatives + develop(negatives)
        score = tf.reduce_mean(similarity(restored, scans))
        loss = 1.0 - score + 0.1 * tf.reduce_mean(tf.abs(restored - scans))
    gradients = tape.gradient(loss, develop.trainable_variables)
    optimizer.apply_gradients(zip(gradients, develop.trainable_variables))
    print(f"step {step}: loss {loss.numpy():.4f}")
