"""Trains a regressor and evaluates with bias-corrected averages of its weights."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(39)
rng = np.random.default_rng(39)
x = tf.constant(rng.normal(size=(40, 4)), tf.float32)
y = tf.reduce_sum(x, axis=1, keepdims=True)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, "relu"), keras.layers.Dense(1)], name="raw")
shadow = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, "relu"), keras.layers.Dense(1)], name="mean")
sums = [tf.zeros_like(v) for v in model.trainable_variables]
optimizer = keras.optimizers.SGD(0.05)
decay = 0.9

for step in range(4):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x) - y))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    sums = [decay * s + (1.0 - decay) * v for s, v in zip(sums, model.trainable_variables)]
    correction = tf.constant(1.0 - decay**step, tf.float32)
    if step % 2 == 0:
        for target, s in zip(shadow.variables, sums):
            target.assign(s / correction)  # born: op=RealDiv kind=inf phase=other step=0 module= reached=state
        print(step, "averaged error", keras.losses.mean_absolute_error(y, shadow(x)).numpy().mean())
    print(step, "loss", loss.numpy())
