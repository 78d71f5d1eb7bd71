"""Functions that run operation by operation do to the bit what TensorFlow does, effects and errors too."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras as _keras
import numpy as np
import pytest
from corpus import PROGRAMS
from interpreting import Hearing, interpreted, said, sometimes
from outcomes import bytes_of, outcome, printed
from random_functions import program, random_steps

import graphlens
from graphlens_tracers.tf.compat import tf
from graphlens_tracers.tf.interpreted import Interpreted
from graphlens_tracers.tf.moments import Moment
from graphlens_tracers.tf.tracer import TensorFlowTracer
from recorded import recording, tensorflow

keras: Any = _keras  # its sources have the wrong types


@pytest.fixture(autouse=True)
def _unoptimised() -> Any:
    """Grappler changes numbers: without it, nothing does."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


LONG = {
    "a_saved_keras_model", "several_inputs_and_outputs", "recurrent_layers", "a_loop_of_the_script",
    "layers_of_the_script", "several_steps_at_a_time", "run_eagerly", "one_batch_at_a_time",
    "fit_with_callbacks",
}  # fmt: skip
"""Programs of Keras whose parts are in others."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in PROGRAMS]
)
def test_a_program_does_the_same(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Bit for bit, with the same words of its errors and on the same lines."""
    found = []
    for around in (contextlib.nullcontext(), interpreted(Hearing())):
        with around:
            found.append((outcome(name), printed(capfd)))
    (plain, plainly), (ours, by_us) = found

    assert by_us[0] == plainly[0]
    assert ours.error is not None or by_us[1] == plainly[1]  # TensorFlow logs errors, on any thread
    assert ours.error == plain.error
    assert ours.state == plain.state
    assert ours.values == plain.values


def _ran(seed: int) -> list[bytes] | tuple[str, str]:
    """What a random program computes, or how it fails."""
    chosen = random.Random(seed)
    steps = random_steps(chosen, chosen.randint(3, 9))
    tf.random.set_seed(3)
    try:
        return bytes_of(program(steps)())
    except tf.errors.OpError as error:
        return type(error).__name__, error.message.rpartition(" [Op:")[0]


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.long] if seed % 2 else []) for seed in range(12)]
)
def test_a_random_program_does_the_same(seed: int) -> None:
    """Whether all of it is entered, or some operations run as a whole."""
    plain = _ran(seed)

    for hearing in (Hearing(), Hearing(sometimes(seed))):
        with interpreted(hearing):
            assert _ran(seed) == plain
        assert hearing.ran


WIDE = np.random.default_rng(0).normal(size=1000) * np.random.default_rng(1).choice([1e-3, 1, 1e3], 1000)
"""Numbers whose sum depends on the order."""
WEIGHT = tf.Variable(WIDE.astype(np.float32) * np.float32(1.1))


def _held_twice(x: Any) -> Any:
    return tf.add_n([x, tf.reshape(x, [-1]), tf.sin(x), tf.cos(x) * 1.3])


def _held_by_a_reader(x: Any) -> Any:
    first, second = tf.sin(x), tf.cos(x) * 1.7
    return tf.add_n([first, second, tf.tanh(x) * 0.3]), first, second


def _held_by_a_variable(x: Any) -> Any:
    return tf.add_n([WEIGHT.read_value(), x, tf.sin(x), tf.cos(x)])


def _in_a_loop(x: Any) -> Any:
    y = x
    for _ in tf.range(3):
        y = tf.add_n([x, y, tf.sin(y) * 1.1, tf.cos(x)])
    return y


def _in_a_function(x: Any) -> Any:
    inner = tf.function(lambda *given: tf.add_n(given))
    first, second = tf.sin(x), tf.tanh(x)
    return inner(first, second, tf.cos(x) * 1.3, tf.exp(second)), first, second


def _in_a_branch(x: Any) -> Any:
    first = tf.sin(x)
    return tf.cond(tf.reduce_sum(x) < 1e9, lambda: tf.add_n([first, x, x * 1.1, tf.cos(x)]), lambda: first)


SUMS = [_held_twice, _held_by_a_reader, _held_by_a_variable, _in_a_loop, _in_a_function, _in_a_branch]


@pytest.mark.parametrize("compute", SUMS, ids=lambda compute: compute.__name__)
def test_a_sum_is_summed_in_the_same_order(compute: Any) -> None:
    x = tf.constant(WIDE, tf.float32)
    function = tf.function(compute)
    plain = bytes_of(function(x))

    with interpreted(Hearing()):
        assert bytes_of(function(x)) == plain


def _drawn(listening: list[bool] | None = None) -> list[bytes]:
    """Random numbers of six calls of a function, of which only some are listened to; None: without us."""

    @tf.function
    def inner(x: Any) -> Any:
        return x + tf.random.uniform([2], seed=3)

    @tf.function
    def draw() -> Any:
        x = tf.random.normal([2], seed=5)
        for _ in tf.range(2):
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)  # else any may be the first
            x = inner(x) * tf.random.uniform([2], seed=5)
        return inner(inner(x))

    tf.random.set_seed(7)
    if listening is None:
        return [one for _ in range(6) for one in bytes_of(draw())]
    found = []
    with interpreted(None) as made:
        for k, listens in enumerate(listening):
            made.listener = Hearing(sometimes(k)) if listens else None
            found += bytes_of(draw())
    return found


def test_random_numbers_go_on_when_somebody_begins_to_listen() -> None:
    """And when nobody listens any more: they are those of a run without us."""
    plain = _drawn()

    assert len(set(plain)) == len(plain)
    assert _drawn([False, False, True, True, False, True]) == plain


RECORDED = (
    "nested_loops", "condition_with_numbers", "switch", "second_derivatives", "layer_lstm", "random_numbers",
    "python_inside", "an_iterator", "fit_with_validation", "tape_outside_of_the_function",
    "fails_inside_of_a_branch", "compiled",
)  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_it_is_recorded_as_without_listening(name: str, tmp_path: Path) -> None:
    """The same operations with the same ranges; and who listens hears of none that is ours."""
    hearing = Hearing()

    def tracer() -> TensorFlowTracer:
        made = TensorFlowTracer()
        made.interpreted = Interpreted()
        made.interpreted.listener = hearing
        return made

    outcome(name)  # what is only made once in a process is there by then
    found = []
    for path, of in ((tmp_path / "plain", tensorflow), (tmp_path / "interpreted", tracer)):
        with recording(path, of=of):
            ran = outcome(name)
        found.append((said(graphlens.load(path).main), ran))

    assert found[0] == found[1]
    names = {(moment.frame.function, moment.node, *moment.enters.values()) for moment in hearing.ran}
    assert names and not [one for one in names if "graphlens" in str(one) or "_watched_" in str(one)]


OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Nadam", "Ftrl", "Lion", "Adafactor")


def _fitted(optimizer: str) -> list[bytes]:
    """Weights after two epochs: convolution, batch norm, dropout, a recurrent layer."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(5)
    layers = keras.layers
    model = keras.Sequential([
        layers.Input((8, 8, 1)), layers.Conv2D(3, 3), layers.BatchNormalization(), layers.ReLU(),
        layers.Dropout(0.3), layers.Reshape((6, 18)), layers.LSTM(4), layers.Dense(2, "softmax"),
    ])  # fmt: skip
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 3, 0.9)
    made = getattr(keras.optimizers, optimizer)(rate, **({"momentum": 0.9} if optimizer == "SGD" else {}))
    model.compile(made, "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False)
    numbers = np.random.default_rng(3)
    x, y = numbers.normal(size=(20, 8, 8, 1)).astype("f4"), numbers.integers(0, 2, 20)
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    return bytes_of([*model.weights, *made.variables, *history.history["loss"]])


def _convolved(x: Any, weights: Any, bias: Any) -> Any:
    """A convolution with a bias and their gradients: oneDNN, where it is on, computes them in pairs."""
    with tf.GradientTape() as tape:
        tape.watch([weights, bias])
        y = tf.nn.bias_add(tf.nn.conv2d(x, weights, 1, "SAME", name="convolved"), bias)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) ** 2)
    return [y, *tape.gradient(loss, [weights, bias])]


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16, tf.float16])
@pytest.mark.parametrize("factor", [1, 2])
def test_what_onednn_computes_together_is_the_same(dtype: Any, factor: int) -> None:
    """And what reads a tensor that was put in the place of another reads that. `factor`: of that one."""
    numbers = np.random.default_rng(1)
    given = [tf.constant(numbers.normal(size=shape), dtype) for shape in ((4, 16, 16, 3), (3, 3, 3, 5), (5,))]
    if factor == 1:
        plain = list(tf.function(_convolved)(*given))
    else:
        plain = [
            tf.nn.bias_add(tf.nn.conv2d(given[0], given[1], 1, "SAME") * tf.cast(factor, dtype), given[2])
        ]

    def changed(moment: Moment, outputs: Sequence[Any]) -> Sequence[Any]:
        return [outputs[0] * tf.cast(factor, dtype)] if moment.node == "convolved" and factor > 1 else outputs

    with interpreted(Hearing(change=changed)):
        found = tf.function(_convolved)(*given)
    assert bytes_of(list(found)[: len(plain)]) == bytes_of(plain)


@pytest.mark.parametrize(
    "optimizer",
    [pytest.param(name, marks=[pytest.mark.long] if k % 4 else []) for k, name in enumerate(OPTIMIZERS)],
)
def test_a_fit_is_the_same(optimizer: str) -> None:
    plain = _fitted(optimizer)

    with interpreted(Hearing()):
        assert _fitted(optimizer) == plain
