"""How functions are made, and how they are called."""

from __future__ import annotations

import functools
import threading
from typing import Any, NamedTuple

from tensorflow.python.framework import function as defined

from corpus.programs import numbers, program
from graphlens_tracers.tf.compat import tf


@program
def retraces() -> Any:
    @tf.function
    def compute(x: Any, scale: Any = 1.0) -> Any:
        print("traced", x, scale)
        tf.print("ran", x)
        return x * tf.cast(scale, x.dtype)

    given = [numbers(2), numbers(3), tf.constant([1, 2]), numbers(2)]
    by_shape = [compute(x) for x in given]
    return by_shape, [compute(given[0], scale) for scale in (2.0, 3.0, tf.constant(4.0), tf.constant(5.0))]


@program
def reduced_retraces() -> Any:
    compute = tf.function(lambda x: tf.reduce_sum(tf.tanh(x)), reduce_retracing=True)
    return [compute(numbers(*shape)) for shape in ((2,), (3,), (4,), (2, 2), (3, 3, 1))]


class Model:
    """Functions that are methods."""

    def __init__(self) -> None:
        self.weight: Any = None

    @tf.function
    def __call__(self, x: Any) -> Any:
        if self.weight is None:  # the first trace makes it, and never runs
            self.weight = tf.Variable(numbers(3, 3))
        return self.inside(x @ self.weight)

    @tf.function
    def inside(self, x: Any, power: float = 2.0) -> Any:
        return tf.abs(x) ** power


@program
def methods_and_partials() -> Any:
    first, second = Model(), Model()
    cubed = tf.function(functools.partial(first.inside, power=3.0))
    return first(numbers(2, 3)), second(numbers(1, 3)), cubed(numbers(2)), [f(1.5) for f in (first.inside,)]


@program
def recursion() -> Any:
    @tf.function
    def power(x: Any, n: int) -> Any:
        return tf.ones_like(x) if n == 0 else x * power(x, n - 1)

    return power(numbers(3), 4), power(numbers(3), 2)


@program
def executed_code() -> Any:
    space: dict[str, Any] = {"tf": tf}
    exec("f = tf.function(lambda x: tf.sin(x) * 2.0, autograph=False)", space)
    many = [tf.function(lambda x, k=k: x + float(k)) for k in range(3)]
    return space["f"](numbers(3)), [f(numbers(2)) for f in many]


@program
def concrete_functions() -> Any:
    @tf.function
    def compute(x: Any, flag: bool, extra: dict[str, Any]) -> Any:
        return x + extra["y"] if flag else x

    spec = tf.TensorSpec([None], tf.float32)
    both = [compute.get_concrete_function(spec, flag, {"y": spec}) for flag in (True, False)]
    pruned = both[0].prune(both[0].inputs, both[0].outputs)
    return [one(x=numbers(2), extra_y=numbers(2)) for one in both], pruned(numbers(2), numbers(2))


@program
def wrapped_functions() -> Any:
    def compute(x: Any) -> Any:
        weight = tf.compat.v1.get_variable("w", [], initializer=tf.compat.v1.ones_initializer())
        return x * weight + 1.0

    wrapped = tf.compat.v1.wrap_function(compute, [tf.TensorSpec([2], tf.float32)])
    pruned = wrapped.prune(wrapped.graph.inputs[0], "mul:0")
    return wrapped(numbers(2)), pruned(numbers(2))


@program
def functions_of_tensorflow_1() -> Any:
    @defined.Defun(tf.float32)
    def doubled(x: Any) -> Any:
        return tf.sin(x) * 2.0

    made: Any = doubled  # its sources have the wrong types
    return tf.function(lambda x: made(x) + 1.0)(numbers(3))


class Pair(NamedTuple):
    """A result with names."""

    first: Any
    second: Any


@program
def results_of_every_form() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        ragged = tf.RaggedTensor.from_row_lengths(x, [1, 2])
        return Pair(x * 2.0, None), {"a": [ragged, ()], "b": tf.IndexedSlices(x, tf.constant([0, 1, 2]))}, 7

    nothing = tf.function(lambda: None)
    assert nothing() is None
    found = compute(numbers(3))
    assert type(found[0]) is Pair and found[0].second is None
    return found


@program
def modules_with_scopes() -> Any:
    class Layer(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
        def __init__(self, size: int) -> None:
            super().__init__(name="mine")
            self.weight = tf.Variable(tf.ones([3, size]), name="weight")

        @tf.Module.with_name_scope
        def __call__(self, x: Any) -> Any:
            return tf.nn.relu(x @ self.weight)

    layer = Layer(2)
    run = tf.function(layer)
    return run(numbers(2, 3)), [one.name for one in layer.trainable_variables]


@program
def functions_on_threads() -> Any:
    compute = tf.function(lambda x: tf.tanh(x) * 3.0)
    found: list[Any] = [None] * 3

    def run(k: int) -> None:
        found[k] = compute(numbers(k + 1))

    threads = [threading.Thread(target=run, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    return found


@program
def functions_that_end() -> Any:
    found = []
    for k in range(3):
        compute = tf.function(lambda x: tf.exp(x) * 2.0)
        found.append(compute(numbers(k + 1)))
        del compute
    return found


@program
def functions_run_eagerly() -> Any:
    compute = tf.function(lambda x: tf.sin(x) + 1.0)
    tf.config.run_functions_eagerly(True)
    try:
        return compute(numbers(3))
    finally:
        tf.config.run_functions_eagerly(False)


@program
def functions_deep_inside() -> Any:
    compute = tf.function(tf.sin)
    for _ in range(40):
        compute = tf.function(lambda x, inner=compute: inner(x) * 1.01)
    return compute(numbers(2))
