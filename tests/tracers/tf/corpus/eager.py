"""What runs at once, one operation after the other."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from corpus.programs import numbers, program
from graphlens_tracers.tf.compat import tf


@program
def a_training_loop() -> Any:
    weight, bias = tf.Variable(numbers(3, 1)), tf.Variable(0.0)
    losses = []
    for _ in range(4):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((numbers(5, 3) @ weight + bias - 1.0) ** 2.0)
        for variable, gradient in zip([weight, bias], tape.gradient(loss, [weight, bias]), strict=True):
            variable.assign_sub(0.1 * gradient)
        losses.append(loss)
        print(f"loss {loss.numpy():.6f}")
    return losses, weight.read_value(), bias.read_value()


@program
def derivatives_of_every_kind() -> Any:
    x = tf.Variable(numbers(3))
    with tf.GradientTape(persistent=True) as outer:
        with tf.GradientTape() as inner:
            y = tf.reduce_sum(tf.sin(x) * x)
        first = inner.gradient(y, x)
    with tf.autodiff.ForwardAccumulator(x, tf.ones(3)) as forward:
        z = tf.tanh(x) * 2.0
    return first, outer.gradient(first, x), outer.jacobian(first, x), forward.jvp(z)


@program
def kinds_of_tensors_at_once() -> Any:
    rows = tf.ragged.constant([[1.0, 2.0], [], [3.0]])
    matrix = tf.sparse.SparseTensor([[0, 1], [1, 2]], [1.5, -2.0], [2, 3])
    words = tf.strings.split(tf.constant(["a b", "c"]))
    array = tf.TensorArray(tf.float32, size=0, dynamic_size=True).write(0, numbers(2)).write(1, numbers(2))
    pieces = rows * 2.0, tf.reduce_sum(rows, 1), tf.sparse.to_dense(matrix), matrix.values
    return pieces, words, tf.strings.upper(words), array.stack(), tf.cast(numbers(2), tf.bfloat16)


@program
def loops_and_branches_at_once() -> Any:
    x = tf.while_loop(lambda x: tf.reduce_sum(x) < 10.0, lambda x: [x * 2.0], [tf.constant([1.0, 0.5])])
    mapped = tf.map_fn(lambda row: tf.cond(row[0] > 0, lambda: row, lambda: -row), numbers(4, 2))
    return x, mapped, tf.scan(lambda a, b: a + b, numbers(4)), tf.vectorized_map(tf.reduce_sum, numbers(3, 2))


@program
def random_numbers_at_once() -> Any:
    generator = tf.random.Generator.from_seed(5)
    drawn = [tf.random.normal([2]), tf.random.uniform([2], seed=4), tf.random.uniform([2], seed=4)]
    by_python = random.random(), np.random.rand()
    return drawn, generator.normal([2]), tf.random.stateless_normal([2], [1, 2]), by_python


@program
def numbers_of_numpy() -> Any:
    x = numbers(2, 3)
    grown = np.concatenate([x, x.numpy() * 2.0])
    return tf.constant(grown) + np.float32(1.0), x[0, 1:], x[..., tf.newaxis], [float(one) for one in x[0]]


@program
def threads_of_the_script() -> Any:
    found: list[Any] = [None, None]
    weight = tf.Variable(1.0)

    def run(k: int) -> None:
        found[k] = tf.exp(numbers(k + 2)) * weight

    for k in range(2):
        thread = threading.Thread(target=run, args=(k,))
        thread.start()
        thread.join()
    return found


@program
def python_of_the_script() -> Any:
    x = tf.Variable(numbers(3))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.py_function(lambda given: given**2.0, [x], tf.float32))
    return y, tape.gradient(y, x), tf.numpy_function(np.cumsum, [numbers(3)], tf.float32)


def _generated() -> Iterator[Any]:
    for k in range(4):
        yield np.full([2], k, np.float32), k


@program
def datasets() -> Any:
    spec = tf.TensorSpec([2], tf.float32), tf.TensorSpec([], tf.int32)
    made = tf.data.Dataset.from_generator(_generated, output_signature=spec)
    kept = made.map(lambda x, k: (x * 2.0, k)).filter(lambda _, k: k > 0).batch(2, drop_remainder=False)
    mixed = tf.data.Dataset.range(3).interleave(lambda k: tf.data.Dataset.from_tensors(k).repeat(2))
    counted = tf.data.Dataset.range(5).reduce(tf.constant(0, tf.int64), lambda a, b: a + b)
    shuffled = tf.data.Dataset.range(6).shuffle(6, seed=3).cache().prefetch(1)
    return list(kept), list(mixed.as_numpy_iterator()), counted, list(shuffled.enumerate())


@program
def datasets_with_python() -> Any:
    def doubled(x: Any) -> Any:
        return tf.py_function(lambda given: given * 2.0, [x], tf.float32)

    return list(tf.data.Dataset.from_tensor_slices(numbers(3)).map(doubled))


@program
def one_device() -> Any:
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")
    with strategy.scope():
        weight = tf.Variable(2.0)
    run = tf.function(lambda x: strategy.run(lambda y: weight.assign_add(tf.reduce_sum(y)), [x]))
    return run(numbers(3)), strategy.reduce("sum", run(numbers(2)), axis=None), weight.read_value()


@program
def with_pytorch() -> Any:
    torch = pytest.importorskip("torch")
    x = torch.linspace(-1, 1, 4, requires_grad=True)
    y = tf.tanh(tf.constant((x * 2.0).detach().numpy()))
    (x * torch.from_numpy(y.numpy())).sum().backward()
    return y, x.grad.numpy()


@program
def asynchronous() -> Any:
    tf.config.experimental.set_synchronous_execution(False)
    try:
        return tf.function(lambda x: tf.sin(x) * 2.0)(numbers(3)), tf.exp(numbers(3))
    finally:
        tf.config.experimental.set_synchronous_execution(True)
