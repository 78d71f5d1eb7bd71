"""Trains a contrastive image-text model under a mirrored strategy."""

import keras
import numpy as np
import tensorflow as tf

keras.utils.set_random_seed(40)
strategy = tf.distribute.MirroredStrategy(["CPU:0"])
rng = np.random.default_rng(40)
pictures = rng.normal(size=(32, 12)).astype("float32")
captions = rng.normal(size=(32, 12)).astype("float32")
captions[4:8] = pictures[4:8]

with strategy.scope():
    eye = keras.layers.Dense(6, use_bias=False, kernel_initializer="orthogonal", name="eye")
    eye.build((None, 12))
    temperature = tf.Variable(0.01, name="temperature")
    optimizer = keras.optimizers.SGD(1e-6)


def info_nce(a, b):
    a, b = tf.math.l2_normalize(eye(a), 1), tf.math.l2_normalize(eye(b), 1)
    similar = tf.exp(a @ tf.transpose(b) / temperature)  # born: op=Exp kind=inf phase=forward step=1 module= reached=loss
    positive = tf.linalg.diag_part(similar)
    return -tf.reduce_mean(tf.math.log(positive / tf.reduce_sum(similar, axis=1)))


@tf.function
def distributed_step(batch):
    def replica_step(a, b):
        with tf.GradientTape() as tape:
            loss = info_nce(a, b)
        gradients = tape.gradient(loss, eye.trainable_variables)
        optimizer.apply_gradients(zip(gradients, eye.trainable_variables))
        return loss

    losses = strategy.run(replica_step, args=batch)
    return strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)


data = tf.data.Dataset.from_tensor_slices((pictures, captions)).batch(4)
for step, batch in enumerate(strategy.experimental_distribute_dataset(data)):
    print("step", step, "loss", float(distributed_step(batch)))
