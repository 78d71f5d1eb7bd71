"""What functions read and change outside of themselves."""

from __future__ import annotations

from typing import Any

import numpy as np

from corpus.programs import differentiated, numbers, program
from graphlens_tracers.tf.compat import tf


@program
def variables_in_turn() -> Any:
    a, b = tf.Variable(1.0), tf.Variable([1.0, 2.0])

    @tf.function
    def compute(x: Any) -> Any:
        a.assign_add(x)
        b.scatter_nd_update([[0]], [a])
        a.assign(a * 2.0)
        return a + tf.reduce_sum(b)

    return compute(tf.constant(3.0)), compute(tf.constant(4.0)), a.read_value(), b.read_value()


@program
def random_numbers() -> Any:
    tf.random.set_seed(3)
    generator = tf.random.Generator.from_seed(5)

    @tf.function
    def compute() -> Any:
        return (
            tf.random.normal([3]),
            tf.random.uniform([2], seed=9),
            generator.normal([2]),
            tf.random.shuffle([1, 2, 3]),
        )

    return compute(), compute()


@program
def stateless_random_numbers() -> Any:
    return tf.function(lambda seed: tf.random.stateless_normal([4], seed))(tf.constant([1, 2]))


@program
def tables_and_queues() -> Any:
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.5, 2.5]), -1.0)
    queue = tf.queue.FIFOQueue(5, [tf.float32], [[]])

    @tf.function
    def compute(words: Any) -> Any:
        queue.enqueue(3.0)
        return table.lookup(words) * queue.dequeue()

    return compute(tf.constant(["b", "c"]))


@program
def a_dataset_inside() -> Any:
    @tf.function
    def compute() -> Any:
        total = tf.constant(0.0)
        for x in tf.data.Dataset.range(5).map(lambda k: tf.cast(k, tf.float32) * 2.0):
            total += x
        return total

    return compute()


@program
def an_iterator() -> Any:
    batches = iter(tf.data.Dataset.from_tensor_slices(numbers(6, 2)).batch(2))
    step = tf.function(lambda: tf.reduce_sum(next(batches)))
    return step(), step(), step()


@program
def python_inside() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        y = tf.py_function(lambda given: given * 2.0, [x], tf.float32)
        z = tf.numpy_function(np.sin, [x], tf.float32)
        return tf.ensure_shape(y, [3]) + tf.ensure_shape(z, [3])

    return compute(numbers(3)), differentiated(lambda x: tf.py_function(tf.sin, [x], tf.float32), numbers(3))


@program
def prints_and_asserts() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        tf.print("seen", x, output_stream="file:///dev/null")
        tf.debugging.assert_all_finite(x, "ill")
        return tf.debugging.check_numerics(x * 2.0, "ill")

    return compute(numbers(3))


@program
def variables_as_arguments() -> Any:
    weight = tf.Variable(numbers(3))
    bumped = tf.function(lambda variable, x: variable.assign_add(x) * 2.0)
    return bumped(weight, numbers(3)), bumped(weight, numbers(3)), weight.read_value()


@program
def tables_that_change() -> Any:
    table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
    insert = tf.function(lambda key, value: table.insert(key, value))
    insert(tf.constant(["a"]), tf.constant([2.0]))
    return table.lookup(tf.constant(["a", "b"])), table.size()


@program
def gradients_that_are_collected() -> Any:
    weight, collected = tf.Variable(numbers(3)), tf.Variable(tf.zeros(3), trainable=False)

    @tf.function
    def collect(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(weight * x)
        collected.assign_add(tape.gradient(loss, weight))
        return loss

    @tf.function
    def apply() -> None:
        weight.assign_sub(0.1 * collected)
        collected.assign(tf.zeros(3))

    losses = [collect(numbers(3)) for _ in range(3)]
    apply()
    return losses, weight.read_value()
