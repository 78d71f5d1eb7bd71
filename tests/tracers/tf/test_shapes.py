"""Shapes that a graph leaves open, as they were in each call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras as _keras
import numpy as np
import pytest
from called import called

from graphlens.store import Process
from graphlens_tracers.tf import shapes
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow

keras: Any = _keras  # its sources have the wrong types


def seen(process: Process, op: str) -> list[tuple[int | None, ...] | None]:
    """The shape of the first output of each operation of this type that ran, in order."""
    rows = process.rows(0, process.op_count)
    return [
        process.specs(process.call_at(seq), node)[0].shape  # type: ignore[arg-type]  # plain ints
        for seq, node in enumerate(rows.node.tolist())
        if process.nodes[node].op == op
    ]


def test_each_call_has_its_shapes(tmp_path: Path) -> None:
    """Declared once for all calls that have them; what is always the same is as declared."""

    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def step(x: Any) -> Any:
        return tf.exp(tf.transpose(x)), tf.reduce_sum(x), tf.boolean_mask(x[:, 0], x[:, 0] > 1.0)

    given = [tf.ones([2, 3]), tf.ones([5, 3]) * 2.0, tf.ones([2, 3])]

    process = recorded(lambda: [step(x) for x in given], tmp_path / "run.glens", of=tensorflow)

    assert seen(process, "Exp") == [(3, 2), (3, 5), (3, 2)]
    assert seen(process, "Sum") == [(), (), ()]
    assert seen(process, "GatherV2") == [(0,), (5,), (0,)]
    assert [call.shapes for call in called(process)] == [1, 2, 1]


def test_each_iteration_has_its_shapes(tmp_path: Path) -> None:
    """What a loop makes longer is as long as it was then."""

    @tf.function
    def step(x: Any) -> Any:
        for _ in tf.range(3):
            tf.autograph.experimental.set_loop_options(shape_invariants=[(x, tf.TensorShape([None]))])
            x = tf.concat([x, tf.sin(x)], 0)
        return x

    process = recorded(lambda: step(tf.ones([2])), tmp_path / "run.glens", of=tensorflow)

    assert seen(process, "Sin") == [(2,), (4,), (8,)]
    assert seen(process, "ConcatV2") == [(4,), (8,), (16,)]


def test_a_short_last_batch_of_keras(tmp_path: Path) -> None:
    """The graph knows no batch; its calls do."""

    def program() -> None:
        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3, activation="relu")])
        model.compile("sgd", "mse")
        model.fit(np.ones((7, 2), np.float32), np.ones((7, 3), np.float32), batch_size=4, verbose=0)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert seen(process, "Relu") == [(4, 3), (3, 3)]
    assert seen(process, "IteratorGetNext") == [(4, 2), (3, 2)]
    for call in process.calls():
        for node in process.order(call.graph):
            for spec in process.specs(call, node):
                assert spec.dtype in ("resource", "variant") or spec.shape is None or None not in spec.shape


def test_too_many_shapes_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script whose every batch has another length is not told each."""
    monkeypatch.setattr(shapes, "MOST", 2)
    step = tf.function(lambda x: tf.exp(x), input_signature=[tf.TensorSpec([None])])

    process = recorded(
        lambda: [step(tf.ones([k])) for k in (1, 2, 3, 1)], tmp_path / "run.glens", of=tensorflow
    )

    assert seen(process, "Exp") == [(1,), (2,), (None,), (1,)]
