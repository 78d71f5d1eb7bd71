"""Learns to predict the heading of a robot from its two wheel speeds."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(18)
wheels = rng.uniform(-1.0, 1.0, size=(60, 2)).astype("float32")
wheels[33] = 0.0
heading = np.arctan2(wheels[:, 0] - wheels[:, 1], wheels.sum(1)).astype("float32")


class Odometry(tf.Module):
    def __init__(self):
        self.forward = tf.Variable([[0.9], [1.1]], name="forward")
        self.turn = tf.Variable([[0.8], [-1.2]], name="turn")

    def __call__(self, speeds):
        dx = speeds @ self.forward
        dy = speeds @ self.turn
        return tf.squeeze(tf.atan2(dy, dx), axis=1)  # born: op=RealDiv kind=nan phase=backward step=2 module= reached=gradient forward=Atan2


model = Odometry()
optimizer = tf.keras.optimizers.Nadam(0.01)
data = tf.data.Dataset.from_tensor_slices((wheels, heading)).batch(12)
for step, (speeds, target) in enumerate(data):
    with tf.GradientTape() as tape:
        error = model(speeds) - target
        loss = tf.reduce_mean(1.0 - tf.cos(error))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    print(f"step {step} loss {loss.numpy():.5f}")
print("forward", model.forward.numpy().ravel(), "turn", model.turn.numpy().ravel())
