"""Programs that fail: in functions, at once, in sessions, and in Python that TensorFlow calls."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from typing import Any

import keras as _keras

from corpus.programs import numbers, program
from graphlens_tracers.tf.compat import tf

keras: Any = _keras  # its sources have the wrong types

v1 = tf.compat.v1


@program
def fails_while_it_runs() -> Any:
    @tf.function(input_signature=[tf.TensorSpec([None]), tf.TensorSpec([None])])
    def compute(x: Any, y: Any) -> Any:
        return tf.tanh(x) + y

    compute(numbers(2), numbers(2))
    return compute(numbers(2), numbers(3))


@program
def fails_inside_of_a_branch() -> Any:
    @tf.function
    def inner(x: Any) -> Any:
        tf.debugging.assert_positive(x, "not positive")
        return x

    @tf.function
    def compute(x: Any) -> Any:
        for _ in tf.range(3):
            if tf.reduce_sum(x) > -10.0:
                x = inner(x - 1.0)
        return x

    return compute(tf.constant([2.5]))


@program
def fails_while_it_is_made() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        if x.shape[0] == 2:
            raise ValueError("two is one too few")
        return x

    compute(numbers(3))
    return compute(numbers(2))


@program
def fails_by_its_shapes() -> Any:
    return tf.function(lambda x: x @ x)(numbers(2, 3))


@program
def fails_by_its_arguments() -> Any:
    return tf.function(lambda x: x, input_signature=[tf.TensorSpec([2], tf.float32)])(numbers(3))


@program
def fails_at_once() -> Any:
    return tf.reshape(numbers(4), [3])


@program
def fails_at_once_in_a_function_of_python() -> Any:
    def inside(x: Any) -> Any:
        return tf.concat([x, tf.constant([[1.0]])], 0)

    return inside(numbers(3))


@program
def fails_by_its_numbers() -> Any:
    return tf.debugging.check_numerics(tf.math.log(tf.constant([-1.0])), "ill")


@program
def fails_by_its_types() -> Any:
    return numbers(2) + tf.constant([1, 2])


@program
def fails_by_an_index() -> Any:
    return numbers(3)[5]


@program
def fails_in_a_tape() -> Any:
    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = x * 2.0
    return tape.gradient(y, x), tape.gradient(y, x)


@program
def fails_in_python_of_the_script() -> Any:
    def inside(x: Any) -> Any:
        raise KeyError("nobody")

    return tf.function(lambda x: tf.py_function(inside, [x], tf.float32))(numbers(2))


@program
def fails_in_a_dataset() -> Any:
    def generated() -> Iterator[float]:
        yield 1.0
        raise RuntimeError("no more")

    made = tf.data.Dataset.from_generator(generated, output_signature=tf.TensorSpec([], tf.float32))
    return list(made.map(lambda x: x * 2.0))


@program
def ends_with_its_data() -> Any:
    data = iter(tf.data.Dataset.range(2))
    step = tf.function(lambda: next(data) * 2)
    return [step() for _ in range(3)]


@program
def fails_in_a_layer() -> Any:
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")])
    model.compile("sgd", "mse")
    return model.fit(numbers(4, 5), numbers(4, 2), verbose=0)


@program
def fails_in_a_session() -> Any:
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        return session.run(tf.reshape(x, [2], name="reshaped"), {x: [1.0, 2.0, 3.0]})


@program
def fails_by_its_variable() -> Any:
    with tf.Graph().as_default(), v1.Session() as session:
        return session.run(v1.get_variable("w", [2], use_resource=True) + 1.0)


@program
def interrupted_by_the_script() -> Any:
    class Enough(BaseException):
        pass

    def inside(x: Any) -> Any:
        raise Enough("that will do")

    tf.map_fn(lambda x: x * 2.0, numbers(3))
    return tf.map_fn(inside, numbers(3))


@program
def fails_on_a_thread() -> Any:
    with futures.ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: tf.reshape(numbers(4), [3]) @ numbers(3)).result()


@program
def fails_in_a_gradient() -> Any:
    @tf.custom_gradient
    def refused(x: Any) -> Any:
        def backward(upstream: Any) -> Any:
            raise ArithmeticError("no way back")

        return x * 2.0, backward

    x = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        y = refused(x)
    return tape.gradient(y, x)


@program
def fails_for_its_types_without_an_operation() -> Any:
    return tf.raw_ops.MatMul(a="words", b=numbers(2, 2))


@program
def goes_on_after_errors() -> Any:
    @tf.function(input_signature=[tf.TensorSpec([None])])
    def compute(x: Any) -> Any:
        return tf.reshape(x, [2]) * 2.0

    found = []
    for size in (2, 3, 2):
        try:
            found.append(compute(numbers(size)))
            found.append(numbers(size) + numbers(2))
        except tf.errors.InvalidArgumentError as error:
            found.append(error.message.partition("\n")[0])
    return found
