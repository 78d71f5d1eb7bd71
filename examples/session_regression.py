"""Fit a noisy curve, and how noisy it is, in the way of TensorFlow 1: placeholders, scopes, a session.

A script as there are many of from before TensorFlow 2: nothing in it knows about graphlens. Watch it with

    graphlens run examples/session_regression.py

and plant a bug that people really make, the logarithm of a density, with `--nan`.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import tensorflow

tf: Any = tensorflow.compat.v1  # most of TensorFlow is made at run time: it has no types


def dense(x: Any, width: int, name: str) -> Any:
    """One layer, in a variable scope of its own."""
    with tf.variable_scope(name):
        weights = tf.get_variable("weights", [x.shape[-1], width])
        bias = tf.get_variable("bias", [width], initializer=tf.zeros_initializer())
        return tf.matmul(x, weights) + bias


def largest_stretch(weights: Any, rounds: int = 8) -> Any:
    """The largest singular value of a matrix, by power iteration."""
    start = tf.ones([weights.shape[-1], 1])

    def once(k: Any, vector: Any) -> tuple[Any, Any]:
        longer = tf.matmul(weights, tf.matmul(weights, vector), transpose_a=True)
        return k + 1, longer / tf.norm(longer)

    _, vector = tf.while_loop(lambda k, _: k < rounds, once, [0, start])
    return tf.norm(tf.matmul(weights, vector))


def main() -> None:
    """Train, and say how well the curve is known."""
    parser = argparse.ArgumentParser(description="Fit a noisy curve in the way of TensorFlow 1.")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nan", action="store_true", help="plant a bug: the logarithm of a density")
    given = parser.parse_args()

    tf.disable_v2_behavior()
    tf.set_random_seed(given.seed)
    numbers = np.random.default_rng(given.seed)
    points = numbers.uniform(-1, 1, (512, 1)).astype(np.float32)
    noise = 0.2 * np.abs(points)
    values = (np.sin(4 * points) + noise * numbers.normal(size=points.shape)).astype(np.float32)
    values[::100] += 4.0  # some measurements are wrong

    x = tf.placeholder(tf.float32, [None, 1], name="x")
    y = tf.placeholder(tf.float32, [None, 1], name="y")
    with tf.variable_scope("curve"):
        hidden = tf.tanh(dense(x, given.width, "hidden"))
        mean, spread = tf.split(dense(hidden, 2, "output"), 2, axis=1)
        deviation = tf.nn.softplus(1 + spread)
    with tf.variable_scope("loss"):
        off = (y - mean) / deviation
        if given.nan:  # a density that rounds to zero has no logarithm
            each = -tf.log(tf.exp(-0.5 * tf.square(off)) / deviation)
        else:
            each = 0.5 * tf.square(off) + tf.log(deviation)
        loss = tf.reduce_mean(each, name="likelihood")
    train = tf.train.AdamOptimizer(0.05).minimize(loss, name="train")
    with tf.variable_scope("curve/hidden", reuse=True):
        stretch = largest_stretch(tf.get_variable("weights"))

    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for step in range(given.steps):
            batch = numbers.choice(len(points), 64, replace=False)
            now, _ = session.run([loss, train], {x: points[batch], y: values[batch]})
            if step % 20 == 0:
                print(f"step {step:3}: loss {now:.4f}")
        final, longest = session.run([loss, stretch], {x: points, y: values})
        print(f"after {given.steps} steps: loss {final:.4f}; the first layer stretches {longest:.2f} times")


if __name__ == "__main__":
    main()
