"""An error inside of a function that nobody catches."""
import tensorflow as tf


@tf.function(input_signature=[tf.TensorSpec([None])])
def compute(x):
    for _ in tf.range(2):
        x = tf.tanh(x) + tf.constant([1.0, 2.0])
    return x


print(compute(tf.constant([1.0, 2.0])).numpy())
try:
    tf.constant([1.0]) + tf.constant([1, 2])
except tf.errors.InvalidArgumentError as error:
    print(error.message)
print(compute(tf.constant([1.0, 2.0, 3.0])).numpy())
