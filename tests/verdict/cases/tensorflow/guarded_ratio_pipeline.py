"""Trains a click model on ratios that the input pipeline guards against empty counts."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(130)
views = rng.poisson(1.5, size=(60, 3)).astype("float32")
clicks = np.minimum(rng.poisson(0.6, size=(60, 3)), views).astype("float32")
bought = (rng.uniform(size=60) < 0.3).astype("float32")


def with_rates(viewed, clicked, label):
    rate = clicked / viewed  # benign: op=RealDiv kind=nan reason="removed by where"
    rate = tf.where(viewed > 0.0, rate, tf.zeros_like(rate))
    return tf.concat([rate, tf.math.log1p(viewed)], axis=0), label


data = tf.data.Dataset.from_tensor_slices((views, clicks, bought)).map(with_rates).batch(12)
w = tf.Variable(tf.zeros([6]))
b = tf.Variable(0.0)
optimizer = tf.keras.optimizers.Adam(0.05)
for step, (rows, labels) in enumerate(data):
    with tf.GradientTape() as tape:
        logits = tf.linalg.matvec(rows, w) + b
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
    optimizer.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b]))
    print("step", step, "loss", round(float(loss), 4))
