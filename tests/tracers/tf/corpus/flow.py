"""Branches and loops."""

from __future__ import annotations

from typing import Any

from corpus.programs import differentiated, numbers, program
from graphlens_tracers.tf.compat import tf


@program
def nested_loops() -> Any:
    def compute(x: Any) -> Any:
        for i in tf.range(3):
            for _ in tf.range(i):
                x = tf.tanh(x) * 1.5
        return x

    return differentiated(tf.function(compute), numbers(4))


@program
def break_and_continue() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        total = tf.constant(0.0)
        for k in tf.range(20):
            if k % 2 == 0:
                continue
            total += tf.cast(k, tf.float32) * x
            if total > 30.0:
                break
        return total

    return compute(tf.constant(1.5))


@program
def no_iteration() -> Any:
    return tf.function(lambda x: tf.while_loop(lambda i, _: i < 0, lambda i, y: (i + 1, y * 2.0), [0, x]))(
        numbers(3)
    )


@program
def condition_with_numbers() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        while tf.reduce_max(tf.abs(x)) > 0.1:
            x = x * 0.5
        return x

    return compute(numbers(5))


@program
def condition_with_a_variable() -> Any:
    left = tf.Variable(3.0)

    @tf.function
    def compute(x: Any) -> Any:
        while left > 0.0:
            left.assign_sub(1.0)
            x = tf.sqrt(tf.abs(x))
        return x

    return compute(numbers(3)), left.read_value()


@program
def switch() -> Any:
    @tf.function
    def compute(k: Any, x: Any) -> Any:
        return tf.switch_case(k, [lambda: x, lambda: tf.sin(x), lambda: tf.linalg.matvec(x[:, None], x[:1])])

    return [compute(tf.constant(k), numbers(3)) for k in (0, 1, 2, 7, -1)]


@program
def branch_in_a_gradient() -> Any:
    def compute(x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.exp(x), lambda: x**3.0)

    return differentiated(compute, numbers(4)), differentiated(compute, -numbers(4))


@program
def maps_and_scans() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        summed = tf.scan(lambda a, b: a + tf.sin(b), x)
        return tf.map_fn(tf.reduce_sum, x), summed, tf.vectorized_map(lambda row: row * tf.reduce_max(row), x)

    return compute(numbers(4, 3))


@program
def tensor_arrays() -> Any:
    def compute(x: Any) -> Any:
        array = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
        for k in tf.range(4):
            array = array.write(k, x * tf.cast(k, tf.float32))
        return array.stack()

    return differentiated(tf.function(compute), numbers(2))


@program
def a_function_that_calls_itself_by_another() -> Any:
    inner = tf.function(lambda x: tf.nn.softplus(x))
    outer = tf.function(lambda x: inner(x) + inner(inner(x)) * 2.0)
    return differentiated(outer, numbers(3))
