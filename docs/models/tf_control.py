"""A tf.function with a loop and a branch: Newton's method for square roots, damped where it is far off."""

import tensorflow as tf


@tf.function
def roots(x: tf.Tensor, damped: tf.Tensor) -> tf.Tensor:
    guess = tf.ones_like(x)
    step = 0
    while tf.reduce_max(tf.abs(guess * guess - x)) > 1e-3 and step < 20:
        step += 1
        new = (guess + x / guess) / 2.0
        if damped:
            new = 0.5 * (new + guess)
        else:
            new = tf.identity(new)
        guess = new
    return tf.reduce_sum(guess)


print(float(roots(tf.constant([2.0, 9.0, 50.0]), tf.constant(False))))
