"""Trains logistic regression on a table whose columns are standardised with NumPy."""

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(42)
table = rng.normal(size=(50, 5))
table[:, 3] = 7.0
label = (table[:, 0] + table[:, 1] > 0).astype("float32")
with np.errstate(invalid="ignore"):
    table = (table - table.mean(0)) / table.std(0)

x = tf.constant(table, tf.float32)
y = tf.constant(label)
w = tf.Variable(tf.zeros([5]))
b = tf.Variable(0.0)
optimizer = tf.keras.optimizers.Ftrl(0.1)
order = rng.permutation(50)
for step in range(5):
    chosen = order[step * 10 : step * 10 + 10]
    with tf.GradientTape() as tape:
        rows = tf.gather(x, chosen)  # born: op=GatherV2 kind=nan phase=data step=0 module= reached=loss
        logits = tf.linalg.matvec(rows, w) + b
        loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.gather(y, chosen), logits))
    optimizer.apply_gradients(zip(tape.gradient(loss, [w, b]), [w, b]))
    right = tf.reduce_mean(tf.cast((logits > 0) == (tf.gather(y, chosen) > 0.5), tf.float32))
    print(f"{step}: loss {loss:.4f} accuracy {right:.2f}")
