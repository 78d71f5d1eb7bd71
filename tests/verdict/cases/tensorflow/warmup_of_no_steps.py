"""Fine-tunes a classifier with a warmup and decay of the learning rate."""

import keras
import numpy as np
import tensorflow as tf


class WarmupLinear(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, peak, warmup_steps, total_steps):
        self.peak, self.warmup_steps, self.total_steps = peak, float(warmup_steps), float(total_steps)

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        warmup = step / self.warmup_steps  # born: op=RealDiv kind=nan phase=optimizer step=0 module= reached=parameter
        decay = (self.total_steps - step) / (self.total_steps - self.warmup_steps)
        return self.peak * tf.minimum(warmup, decay)


keras.utils.set_random_seed(23)
epochs, batches = 2, 4
rng = np.random.default_rng(23)
x = rng.normal(size=(batches * 8, 10)).astype("float32")
y = rng.integers(0, 2, size=(batches * 8, 1)).astype("float32")
warmup_steps = int(0.1 * epochs * batches)
schedule = WarmupLinear(1e-3, warmup_steps, epochs * batches)

model = keras.Sequential([keras.layers.Dense(6, activation="gelu"), keras.layers.Dense(1)], name="tuned")
model.compile(optimizer=keras.optimizers.SGD(schedule), loss=keras.losses.BinaryCrossentropy(from_logits=True))
for _ in range(epochs):
    print(model.fit(x, y, batch_size=8, shuffle=False, verbose=0).history)
