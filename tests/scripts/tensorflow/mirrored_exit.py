"""Two replicas on one machine, PyTorch in the same program, and an exit code of its own."""
import atexit
import sys

import numpy as np
import tensorflow as tf
import keras

try:
    import torch
except ImportError:
    torch = None

atexit.register(lambda: print("at exit"))
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
keras.utils.set_random_seed(3)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
x = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")
with strategy.scope():
    model = keras.Sequential([keras.layers.Dense(3, activation="tanh"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    weight = tf.Variable(2.0, aggregation=tf.VariableAggregation.MEAN)
history = model.fit(x, x.sum(1), batch_size=8, epochs=2, verbose=0)
print(history.history["loss"])
print([one.tobytes().hex() for one in model.get_weights()])


@tf.function
def step(batch):
    def replica(given):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(given) * weight
        gradient = tf.distribute.get_replica_context().all_reduce("sum", tape.gradient(loss, weight))
        weight.assign_sub(0.01 * gradient)
        return loss

    return strategy.reduce("mean", strategy.run(replica, args=(batch,)), axis=None)


data = strategy.experimental_distribute_dataset(tf.data.Dataset.from_tensor_slices(x).batch(8))
for batch in data:
    print(step(batch).numpy())
if torch is not None:
    tensor = torch.ones(3, requires_grad=True)
    (tensor * torch.from_numpy(model.get_weights()[0][0])).sum().backward()
    print(tensor.grad.tolist())
tf.print("bye", output_stream=sys.stdout)
sys.exit(3)
