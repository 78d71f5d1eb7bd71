"""Gradients, of every kind."""

from __future__ import annotations

from typing import Any

from corpus.programs import differentiated, numbers, program
from graphlens_tracers.tf.compat import tf


@program
def second_derivatives() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.sin(x) ** 2.0)
            first = inner.gradient(y, x)
        return outer.jacobian(first, x)

    return compute(numbers(3))


@program
def forward_mode() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as forward:
            y = tf.tanh(x) * tf.exp(x)
        return forward.jvp(y)

    return compute(numbers(3))


@program
def custom_gradient() -> Any:
    @tf.custom_gradient
    def clipped(x: Any) -> Any:
        return tf.identity(x), lambda upstream: tf.clip_by_norm(upstream, 0.5)

    return differentiated(lambda x: clipped(x) ** 2.0, numbers(3))


@program
def recomputed() -> Any:
    return differentiated(tf.recompute_grad(lambda x: tf.tanh(tf.sin(x)) * x), numbers(4))


@program
def tape_outside_of_the_function() -> Any:
    weight = tf.Variable(numbers(3, 2))
    function = tf.function(lambda x: tf.reduce_mean(tf.nn.relu(x @ weight)))
    with tf.GradientTape(persistent=True) as tape:
        loss = function(numbers(4, 3))
    return loss, tape.gradient(loss, weight), tape.gradient(loss, [weight])


@program
def jacobians_and_hessians() -> Any:
    x, weight = numbers(4, 3), tf.Variable(numbers(3, 2))

    @tf.function
    def compute() -> Any:
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = tf.tanh(x @ weight)
        return tape.jacobian(y, weight), tape.batch_jacobian(y, x)

    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            loss = tf.reduce_sum(tf.tanh(x @ weight) ** 2.0)
        first = inner.gradient(loss, weight)
    return compute(), outer.jacobian(first, weight)


@program
def hessian_times_vector() -> Any:
    vector = numbers(3)

    @tf.function
    def compute(x: Any) -> Any:
        with tf.autodiff.ForwardAccumulator(x, vector) as forward, tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.sin(x) * x)
            gradient = tape.gradient(y, x)
        return forward.jvp(gradient)

    return compute(numbers(3))


@program
def stopped_and_unconnected() -> Any:
    a, b = tf.Variable(2.0), tf.Variable(3.0)

    @tf.function
    def compute() -> Any:
        with tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape:
            tape.watch(a)
            y = tf.stop_gradient(a) * b * a
            with tape.stop_recording():
                z = a * y
        zero = tf.UnconnectedGradients.ZERO
        return tape.gradient(y, [a, b]), tape.gradient(y, [a, b], unconnected_gradients=zero), z

    return compute()


@program
def gradients_in_the_way_of_tensorflow_1() -> Any:
    @tf.function
    def compute(x: Any) -> Any:
        y = tf.reduce_sum(x**3.0)
        return tf.gradients(y, x), tf.hessians(y, x)

    return compute(numbers(3))


@program
def custom_gradient_with_variables() -> Any:
    weight = tf.Variable(1.5)

    @tf.custom_gradient
    def scaled(x: Any) -> Any:
        def backward(upstream: Any, variables: Any = None) -> Any:
            return upstream * weight, [tf.reduce_sum(upstream * x) for _ in variables]

        return x * weight, backward

    with tf.GradientTape() as tape:
        loss = tf.function(lambda x: tf.reduce_sum(scaled(x)))(numbers(3))
    return loss, tape.gradient(loss, weight)
