"""A small model of TensorFlow 1, sessions to run it in, and what was recorded of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphlens.store import Process
from graphlens_tracers.events import Seq
from graphlens_tracers.tf.compat import tf

v1: Any = tf.compat.v1
X = np.array([[0.5, -1.25, 3.0], [2.0, 0.25, -0.5]], np.float32)


def session(graph: Any) -> Any:
    """One in which nothing can be fused: looking changes no bit."""
    options = v1.ConfigProto()
    options.graph_options.rewrite_options.disable_meta_optimizer = True
    return v1.Session(graph=graph, config=options)


class Regression:
    """Two layers, a loss, and an optimizer, in a graph of their own.

    Attributes:
        x: What is fed; `loss`, `train`, `init`: what is run.
    """

    def __init__(self, resource: bool, optimizer: str = "adam") -> None:
        self.graph = tf.Graph()
        with self.graph.as_default():
            v1.set_random_seed(3)
            self.x = v1.placeholder(tf.float32, [None, 3], name="x")
            with v1.variable_scope("layer1"):
                w = v1.get_variable("w", [3, 4], use_resource=resource)
                hidden = tf.tanh(tf.matmul(self.x, w), name="hidden")
            with v1.variable_scope("layer2"):
                w = v1.get_variable("w", [4, 1], use_resource=resource)
                self.y = tf.matmul(hidden, w, name="y")
            self.unused = tf.sin(self.y)
            self.loss = tf.reduce_mean(tf.square(self.y - 1.0), name="loss")
            made = {"adam": v1.train.AdamOptimizer, "sgd": v1.train.GradientDescentOptimizer}[optimizer](0.1)
            gradients = made.compute_gradients(self.loss)
            clipped, _ = tf.clip_by_global_norm([gradient for gradient, _ in gradients], 0.5)
            self.train = made.apply_gradients(
                zip(clipped, v1.trainable_variables(), strict=True), name="train"
            )
            self.init = v1.global_variables_initializer()
            self.weights = [one.read_value() for one in v1.trainable_variables()]

    def trained(self, steps: int = 3) -> list[Any]:
        """The losses, and the weights in the end."""
        with session(self.graph) as run_in:
            run_in.run(self.init)
            losses = [run_in.run([self.train, self.loss], {self.x: X})[1] for _ in range(steps)]
            return [*losses, run_in.run("loss:0", {"x:0": X[:1]}), *run_in.run(self.weights)]


def ranges(process: Process, call: int) -> dict[tuple[str, int], tuple[float, float]]:
    """(operation, output) to minimum and maximum, of everything that was looked at in a call."""
    called = {one.call: one for one in process.calls()}[call]  # type: ignore[index]  # a plain int
    rows = process.rows(called.first, Seq(called.last + 1))
    found = process.ranges(called.first, Seq(called.last + 1))
    return {
        (process.nodes[int(rows.node[row])].key.partition("/")[2], int(found.slot[at])): (  # type: ignore[index]  # a plain int
            float(found.low[at]), float(found.high[at]),
        )
        for row in range(len(rows.node))
        for at in range(int(found.offsets[row]), int(found.offsets[row + 1]))
    }  # fmt: skip


def gaps(process: Process) -> set[str]:
    """What was not seen, apart from what is said of every run."""
    return {gap.what for gap in process.gaps} - {"operations that TensorFlow runs eagerly"}
