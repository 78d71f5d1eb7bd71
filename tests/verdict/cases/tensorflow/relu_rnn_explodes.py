"""Trains a recurrent network written as a while loop to sum a long sequence."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(7)
steps, units = 60, 8
recurrent = tf.Variable(rng.uniform(0.5, 3.2, size=(units, units)).astype("float32"))
inward = tf.Variable(rng.uniform(0.1, 0.5, size=(1, units)).astype("float32"))
outward = tf.Variable(rng.normal(size=(units, 1)).astype("float32") * 0.1)
optimizer = tf.keras.optimizers.RMSprop(1e-3)


@tf.function
def unroll(sequence):
    def body(t, state):
        state = tf.nn.relu(sequence[:, t, :] @ inward + state @ recurrent)  # born: op=MatMul kind=inf phase=forward step=0 module= reached=loss iteration=34
        return t + 1, state

    start = tf.zeros([tf.shape(sequence)[0], units])
    _, last = tf.while_loop(lambda t, _: t < steps, body, [tf.constant(0), start])
    return last @ outward


variables = [recurrent, inward, outward]
for step in range(3):
    sequence = tf.constant(rng.uniform(size=(4, steps, 1)), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(unroll(sequence) - tf.reduce_sum(sequence, 1)))
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))
    print("step", step, "loss", loss.numpy())
