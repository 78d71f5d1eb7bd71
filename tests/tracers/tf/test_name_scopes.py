"""Modules, name scopes and layers of Keras 2: where TensorFlow says that an operation is, it is here."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphlens.store import Process
from graphlens_tracers.events import Phase
from graphlens_tracers.tf.compat import tf
from recorded import recorded, recording, tensorflow

INPUTS = np.random.default_rng(3).normal(size=(16, 3)).astype(np.float32)


class Dense(tf.Module):  # type: ignore[misc]  # TensorFlow has no types
    """A layer with a name scope."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.weights = tf.Variable(tf.ones([3, 3]), name="weights")

    @tf.Module.with_name_scope
    def __call__(self, x: Any) -> Any:
        return self.activation(x @ self.weights)

    @tf.Module.with_name_scope
    def activation(self, x: Any) -> Any:
        return tf.tanh(x)


class Network(tf.Module):  # type: ignore[misc]  # as above
    """Layers in a module, a name scope in it, and one around it."""

    def __init__(self) -> None:
        super().__init__(name="network")
        with self.name_scope:
            self.layers = [Dense("first"), Dense("second")]

    @tf.Module.with_name_scope
    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        for _ in range(2):
            with tf.name_scope("head"):
                x = tf.exp(x)
        return tf.reduce_sum(x)


def scope_of(key: str) -> str:
    """The module or scope that an operation's own name begins with: as TensorFlow has named it."""
    named = {
        "network/first/": "network.first", "network/second/": "network.second",
        "network/head": "network.head", "network/": "network", "outside/inside/": "outside.inside",
        "outside/": "outside",
    }  # fmt: skip
    operation = key.partition("/")[2]
    return next((path for begin, path in named.items() if operation.startswith(begin)), "")


def in_scopes(network: Network, x: Any) -> Any:
    with tf.name_scope("outside"):
        y = tf.sin(x)
        with tf.name_scope("inside"):
            y = tf.cos(y)
        return network(y) + tf.reduce_sum(y)


def forward(process: Process) -> dict[str, set[str]]:
    """By path, the types of the operations there."""
    found: dict[str, set[str]] = {}
    for node in process.nodes.values():
        if node.phase is Phase.FORWARD:
            found.setdefault(process.scope_path(node), set()).add(node.op)
    return found


def test_modules_and_scopes_are_those_of_the_names(tmp_path: Path) -> None:
    """In a function, of every operation; its gradient is where the operation is."""
    network = Network()

    @tf.function
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = in_scopes(network, x)
        return loss, tape.gradient(loss, network.trainable_variables)

    process = recorded(lambda: step(tf.constant(INPUTS)), tmp_path / "run.glens", of=tensorflow)

    nodes = [node for node in process.nodes.values() if node.key.startswith("__inference_step")]
    assert {scope_of(node.key) for node in nodes} >= {"network.first", "network.head", "outside.inside"}
    for node in nodes:
        if node.phase is Phase.FORWARD:
            assert process.scope_path(node) == scope_of(node.key), node.key
        elif node.twin is not None:
            assert process.scope_path(node) == process.scope_path(process.nodes[node.twin])
    kinds = {scope.path: scope.kind for scope in process.scopes.values()}
    assert kinds == {
        "network": "Network", "network.first": "Dense", "network.second": "Dense",
        "network.head": "name scope", "outside": "name scope", "outside.inside": "name scope",
    }  # fmt: skip
    calls = {process.scopes[call.scope].path: call.nth for call in process.module_calls.values()}
    assert calls["network.head"] == 1  # entered twice
    assert calls["network.first"] == 0  # its method that is called by another one is the same call


def test_what_runs_eagerly_is_in_the_same(tmp_path: Path) -> None:
    """The path of a module is the same in whatever name scope it is called."""
    network = Network()

    process = recorded(lambda: in_scopes(network, tf.constant(INPUTS)), tmp_path / "run.glens", of=tensorflow)

    found = {process.scope_path(node): node.op for node in process.nodes.values()}
    assert found["network.first"] == found["network.second"] == "Tanh"
    assert found["network.head"] == "Exp"
    assert found["outside.inside"] == "Cos"
    assert set(found) - {""} == {
        "network", "network.first", "network.second", "network.head", "outside", "outside.inside",
    }  # fmt: skip


def test_scopes_of_tensorflow_are_none(tmp_path: Path) -> None:
    """It has many, for its own names."""

    @tf.function
    def step(x: Any) -> Any:
        return tf.nn.moments(tf.nn.l2_normalize(x), 0), tf.image.rgb_to_hsv(tf.nn.softmax(x)[None])

    process = recorded(lambda: step(tf.constant(INPUTS)), tmp_path / "run.glens", of=tensorflow)

    assert not process.scopes


def test_an_operation_costs_the_same_in_a_scope(tmp_path: Path) -> None:
    """So many calls of Python functions, and no more: nothing is asked for each operation."""
    weight = tf.Variable(1.0)
    counts: list[int] = []

    def counted() -> None:
        calls = 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        gc.disable()  # what it calls is not the operation's
        sys.setprofile(count)
        tf.raw_ops.Exp(x=weight)
        sys.setprofile(None)
        gc.enable()
        counts.append(calls)

    def program() -> None:
        for _ in range(6):
            with tf.GradientTape() as tape:
                loss = weight * weight
            weight.assign_sub(tape.gradient(loss, weight))
            counted()
            with tf.name_scope("scope"):
                counted()

    recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert counts[-2] == counts[-1] < counts[0]


def raised(program: Callable[[], object]) -> tuple[str, list[str]]:
    with pytest.raises(Exception) as caught:
        program()
    return str(caught.value), [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


class Unfinished(tf.Module):  # type: ignore[misc]  # as above
    """A module that does not make itself one."""

    def __init__(self) -> None:
        pass


def wrong_name() -> None:
    with tf.Graph().as_default(), tf.name_scope("no such name, please"):
        pass


def test_errors_are_the_scripts_own(tmp_path: Path) -> None:
    """With the same frames; and what was changed in TensorFlow is as it was afterwards."""
    before = tf.Module.name_scope, tf.name_scope.__enter__, tf.name_scope.__exit__
    programs = [wrong_name, lambda: Unfinished().name_scope]
    plain = [raised(program) for program in programs]

    with recording(tmp_path / "run.glens", of=tensorflow):
        assert [raised(program) for program in programs] == plain

    assert (tf.Module.name_scope, tf.name_scope.__enter__, tf.name_scope.__exit__) == before


# ── Keras 2 ──────────────────────────────────────────────────────────────────────────────────


def keras_2_model(**how: Any) -> Any:
    """A model in a model."""
    keras = pytest.importorskip("tf_keras")
    keras.backend.clear_session()
    inner = keras.Sequential([keras.layers.Dense(3, "tanh", name="in_it")], name="inner")
    outer = keras.Sequential(
        [keras.layers.Dense(3, name="hidden"), inner, keras.layers.Dense(1, name="head")], name="outer"
    )
    outer.compile("adam", "mse", **how)
    return outer


def paths(model: Any, around: str = "") -> dict[str, str]:
    """By path of each layer of a model of Keras 2, its class."""
    path = f"{around}.{model.name}" if around else str(model.name)
    found = {path: type(model).__name__}
    for layer in getattr(model, "layers", ()):
        found |= paths(layer, path)
    return found


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}], ids=str)
def test_layers_of_keras_2_are_modules(how: dict[str, Any], tmp_path: Path) -> None:
    """With their paths; backward operations are in them, the optimizer's in none."""
    model = keras_2_model(**how)

    process = recorded(
        lambda: model.fit(INPUTS, INPUTS[:, :1], batch_size=8, verbose=0),
        tmp_path / "run.glens", of=tensorflow,
    )  # fmt: skip

    assert {scope.path: scope.kind for scope in process.scopes.values()} == paths(model)
    found = {(process.scope_path(node), node.phase, node.op) for node in process.nodes.values()}
    for path in ("outer.hidden", "outer.inner.in_it", "outer.head"):
        assert (path, Phase.FORWARD, "MatMul") in found
        assert (path, Phase.BACKWARD, "MatMul") in found
    assert ("outer.inner.in_it", Phase.BACKWARD, "TanhGrad") in found
    assert not any(phase is Phase.OPTIMIZER and path for path, phase, _ in found)
    assert any(phase is Phase.OPTIMIZER for _, phase, _ in found)


def test_names_of_keras_2_say_the_same(tmp_path: Path) -> None:
    """What it calls an operation in its function begins with the layers around it."""
    model = keras_2_model()

    process = recorded(
        lambda: model.fit(INPUTS, INPUTS[:, :1], batch_size=8, verbose=0),
        tmp_path / "run.glens", of=tensorflow,
    )  # fmt: skip

    known = paths(model)
    for node in process.nodes.values():
        parts = node.key.partition("/")[2].split("/")[:-1]
        if node.phase is Phase.FORWARD and parts and parts[0] == "outer":
            while ".".join(parts) not in known:
                parts.pop()
            assert process.scope_path(node) == ".".join(parts), node.key


def test_a_loop_that_trains_keras_2_has_steps(tmp_path: Path) -> None:
    """Without functions: its optimizer has done the work of a step when it has been applied."""
    model = keras_2_model()
    keras = pytest.importorskip("tf_keras")
    optimizer = keras.optimizers.SGD(0.1, jit_compile=False)

    def program() -> None:
        for epoch in range(2):
            for k in range(2):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(model(INPUTS[k : k + 2], training=True) ** 2.0)
                gradients = tape.gradient(loss, model.trainable_variables)
                optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            model(INPUTS[:epoch])

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    found = [(call.role, call.step) for call in process.calls() if call.role != "setup"]
    assert found == [("train", 0), ("train", 1), ("eval", 1), ("train", 2), ("train", 3), ("eval", 3)]
