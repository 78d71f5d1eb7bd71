"""Random functions: control flow, lists, variables, functions in functions, gradients, several types.

A function is a list of steps on registers that hold tensors, built by `tf.function`. A step may hold
other steps: those of a branch, a loop, or a function that is called.
"""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphlens_tracers.tf.compat import tf

REGISTERS = 4
SHAPE = (2, 3)
"""Of every register."""


@dataclass(frozen=True)
class Step:
    """What to do with which registers, where the result goes, a number, and the steps inside."""

    kind: str
    a: int
    b: int
    out: int
    number: int
    inside: tuple[Step, ...] = ()


Registers = list[Any]
Simple = Callable[[Any, Any, int], Any]


@tf.custom_gradient
def doubled(x: Any) -> Any:
    """A function with a gradient of its own."""
    return x * 2.0, lambda upstream: upstream * tf.cos(x)


def like(a: Any, b: Any) -> Any:
    """`b` in the shape and of the type of `a`; it has at least one element."""
    flat = tf.reshape(b, [-1])
    many = tf.tile(flat, [a.shape.num_elements()])
    return tf.reshape(tf.cast(many[: a.shape.num_elements()], a.dtype), a.shape)


def through(a: Any, kind: Any) -> Any:
    """Computed in another type."""
    return tf.cast(tf.tanh(tf.cast(a, kind)) * tf.cast(2, kind), tf.float32)


def accumulated(a: Any, number: int) -> Any:
    """The rows that a loop has written into an array."""
    rows = tf.TensorArray(tf.float32, number % 3 + 1, element_shape=[3])
    for k in tf.range(number % 3 + 1):
        rows = rows.write(k, a[k % 2] * tf.cast(k, tf.float32))
    return tf.reduce_sum(rows.stack(), 0)


def picked(a: Any, b: Any, number: int) -> Any:
    """One of three branches, chosen by what is computed."""
    which = tf.cast(tf.reduce_sum(a), tf.int32) + number
    return tf.switch_case(which % 3, [lambda: a * 2.0, lambda: like(a, b), lambda: tf.zeros_like(a)])


def searched(a: Any, number: int) -> Any:
    """A loop that is left, and one inside of it."""
    total = tf.reduce_sum(tf.abs(a)) + 1.0
    for k in tf.range(3):
        if total > 50.0:
            break
        while total < tf.cast(k * number, tf.float32):
            total = total * 2.0
    return a + total


SIMPLE: dict[str, Simple] = {
    "add": lambda a, b, n: a + like(a, b),
    "divide": lambda a, b, n: a / (like(a, b) - like(a, b) if n == 0 else 1.5),
    "exp": lambda a, b, n: tf.exp(tf.clip_by_value(a, -9.0, 9.0)),
    "log": lambda a, b, n: tf.math.log(a),
    "tanh": lambda a, b, n: tf.tanh(a) * float(n),
    "where": lambda a, b, n: tf.where(a > like(a, b), a, -like(a, b)),
    "matmul": lambda a, b, n: tf.matmul(a, like(a, b), transpose_b=True),
    "einsum": lambda a, b, n: tf.einsum("ij,kj->ik", a, like(a, b)),
    "concat": lambda a, b, n: tf.concat([a, like(a, b), a], n % 2),
    "split": lambda a, b, n: tf.split(like(tf.zeros([4, 3]), a), [1, 3], 0)[n % 2],
    "unstack": lambda a, b, n: tf.add(*tf.unstack(a)),
    "stack": lambda a, b, n: tf.stack([a, like(a, b)], n % 3),
    "transpose": lambda a, b, n: tf.transpose(a),
    "reshape": lambda a, b, n: tf.expand_dims(tf.reshape(a, [3, -1]), n % 2),
    "sum": lambda a, b, n: tf.reduce_sum(a, n % 2, keepdims=n > 2),
    "prod": lambda a, b, n: tf.reduce_prod(a),
    "most": lambda a, b, n: tf.reduce_max(a, 0) + tf.cast(tf.argmax(a, 0), tf.float32),
    "softmax": lambda a, b, n: tf.nn.softmax(a),
    "gather": lambda a, b, n: tf.gather(a, [n % 2, 1, 0]),
    "slice": lambda a, b, n: a[::-1, n % 2 :],
    "pad": lambda a, b, n: tf.pad(a, [[0, n], [1, 0]], constant_values=-1.5),
    "scatter": lambda a, b, n: tf.tensor_scatter_nd_add(a, [[n % 2, 1]], [7.0]),
    "cumsum": lambda a, b, n: tf.cumsum(a, n % 2, exclusive=n > 2),
    "sort": lambda a, b, n: tf.sort(a, direction="DESCENDING"),
    "half": lambda a, b, n: through(a, [tf.float16, tf.bfloat16, tf.float64, tf.complex64][n % 4]),
    "integer": lambda a, b, n: tf.cast(
        tf.cast(tf.clip_by_value(a, -99.0, 99.0), [tf.int32, tf.int8, tf.int64][n % 3]) // 2, tf.float32
    ),
    "bits": lambda a, b, n: tf.cast(tf.bitcast(a, tf.int32) & 0xFF, tf.float32),
    "words": lambda a, b, n: tf.cast(tf.strings.length(tf.strings.as_string(a, precision=2)), tf.float32),
    "constant": lambda a, b, n: a + tf.constant([[0.1, -1e30, 3.0], [1.0, float(n), 7.0]]),
    "masked": lambda a, b, n: tf.concat([tf.boolean_mask(a, a > 0.0) * 2.0, [float(n)]], 0),
    "nothing": lambda a, b, n: tf.concat([a[:0], a], 0),
    "wave": lambda a, b, n: tf.math.real(tf.signal.fft(tf.cast(a, tf.complex64))),
    "random": lambda a, b, n: a * tf.random.stateless_normal([2, 3], [n, 7]),
    "doubled": lambda a, b, n: doubled(a),
    "stopped": lambda a, b, n: tf.stop_gradient(a) + like(a, b),
    "accumulated": lambda a, b, n: accumulated(a, n),
    "picked": picked,
    "searched": lambda a, b, n: searched(a, n),
    "mapped": lambda a, b, n: tf.map_fn(tf.sin, a),
    "folded": lambda a, b, n: tf.foldl(lambda x, y: x * 0.5 + y, a),
}  # fmt: skip
WITH_STEPS = ("cond", "loop", "call", "gradient")
VARIABLES = ("read", "assign", "assign_add", "scatter")
KINDS = (*SIMPLE, *VARIABLES, *WITH_STEPS, *WITH_STEPS)


class Machine(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """Builds functions; what it holds is changed by them."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = [tf.Variable(tf.fill([2, 3], float(k) + 0.5), name=f"weight{k}") for k in range(2)]

    def run(self, steps: Sequence[Step], given: Registers) -> Registers:
        """The registers after these steps."""
        registers = list(given)
        for step in steps:
            a, b = registers[step.a], registers[step.b]
            if step.kind in SIMPLE:
                found = SIMPLE[step.kind](a, b, step.number)
            elif step.kind in VARIABLES:
                found = self.variable(step, a)
            else:
                found = self.inner(step, registers)
            registers[step.out] = like(tf.zeros(SHAPE), found)
        return registers

    def variable(self, step: Step, a: Any) -> Any:
        """Read or change a variable."""
        weight = self.weights[step.number % 2]
        if step.kind == "assign":
            weight.assign(a)
        elif step.kind == "assign_add":
            weight.assign_add(tf.clip_by_value(a, -9.0, 9.0))
        elif step.kind == "scatter":
            weight.scatter_update(tf.IndexedSlices(a[:1], [step.number % 2]))
        return weight * 1.0

    def inner(self, step: Step, registers: Registers) -> Any:
        """Steps inside of a branch, a loop, a function, a tape."""
        given, machine = list(registers), self

        def steps(*inner: Any) -> list[Any]:
            return machine.run(step.inside, list(inner))

        def result(*inner: Any) -> Any:
            return functools.reduce(tf.add, [tf.tanh(one) for one in steps(*inner)])

        if step.kind == "cond":
            total = tf.reduce_sum(given[step.a])
            return tf.cond(total > float(step.number), lambda: result(*given), lambda: given[step.b] - 1.0)
        if step.kind == "loop":
            count = step.number % 3 + tf.cast(tf.reduce_sum(given[step.b]) > 0.0, tf.int32)
            return tf.while_loop(
                lambda k, *_: k < count, lambda k, *inner: (k + 1, *steps(*inner)), (0, *given)
            )[1 + step.out]  # fmt: skip
        if step.kind == "call":
            called = tf.function(result)
            return called(*given) + called(*given[::-1])
        with tf.GradientTape() as tape:
            tape.watch(given[step.a])
            value = tf.reduce_sum(result(*given))
        return tape.gradient(value, given[step.a], unconnected_gradients="zero")


def random_steps(chosen: random.Random, count: int, depth: int = 2) -> tuple[Step, ...]:
    """That many steps, with steps inside."""
    found = []
    for _ in range(count):
        kind = chosen.choice(KINDS if depth else (*SIMPLE, *VARIABLES))
        inside = random_steps(chosen, chosen.randint(1, 3), depth - 1) if kind in WITH_STEPS else ()
        a, b, out = (chosen.randrange(REGISTERS) for _ in range(3))
        found.append(Step(kind, a, b, out, chosen.randrange(5), inside))
    return tuple(found)


def program(steps: Sequence[Step]) -> Callable[[], Any]:
    """Builds a function of these steps and runs it twice, on other numbers, and with its gradient once."""

    def run() -> Any:
        machine = Machine()
        function = tf.function(lambda *given: machine.run(steps, list(given)))
        found: list[Any] = []
        given: list[Any] = []
        for turn in range(2):
            given = [
                tf.constant([[0.5, -1.0, 2.0], [1.5, 0.25, -0.125]]) * (k + 1.0) - turn
                for k in range(REGISTERS)
            ]
            found.append(function(*given))
        with tf.GradientTape() as tape:
            tape.watch(given[0])
            with contextlib.suppress(AssertionError):  # TensorFlow cannot differentiate every cond
                value = function(*given)
                found.append(tape.gradient(value, [given[0], *machine.weights], unconnected_gradients="zero"))
        return found

    return run
