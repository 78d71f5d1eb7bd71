"""The list of graphs on a recorded program of TensorFlow: a loop, a condition, a function in a function."""

from __future__ import annotations

from pathlib import Path

from graphlens.catalog import catalog
from graphlens.session import Saved
from graphlens_tracers.events import Seq
from recorded import recorded, tensorflow
from screens import showing

STEPS = 3


def program() -> None:
    """Three calls of a function with a loop of four rounds, a condition and an inner function."""
    import tensorflow as tf

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def inner(x: tf.Tensor) -> tf.Tensor:
        return tf.exp(x) * 0.5

    @tf.function  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def outer(x: tf.Tensor) -> tf.Tensor:
        for _ in tf.range(4):
            x = tf.sin(x)
        x = tf.cond(tf.reduce_sum(x) > 0, lambda: x + 1.0, lambda: x - 1.0)
        return inner(x)

    for step in range(STEPS):
        outer(tf.constant([0.5, float(step)]))


async def test_functions_branches_and_bodies(tmp_path: Path) -> None:
    """Each has its calls, counted row by row; choosing one enters it, ( and ) go by rounds."""
    process = recorded(program, tmp_path / "tf.glens", of=tensorflow)
    entries = {one.seen.graph: one for one in catalog(process)}
    counted: dict[int, int] = {}
    for call in process.calls():
        counted[call.graph] = counted.get(call.graph, 0) + 1
    assert {graph: one.calls for graph, one in entries.items() if one.calls} == counted
    bodies = [one for one in entries.values() if one.seen.kind == "body" and "body" in one.seen.name]
    assert bodies and bodies[0].calls == 4 * STEPS and bodies[0].depth >= 1
    branches = [one for one in entries.values() if one.seen.kind == "branch"]
    assert sum(one.calls for one in branches) == STEPS
    inner = next(one for one in entries.values() if "inner" in one.seen.name)
    assert inner.calls == STEPS

    async with showing(Saved(tmp_path / "tf.glens"), (140, 40)) as screen:
        app = screen.app
        for entry in (bodies[0], inner):
            await screen.press("P", "/", *entry.seen.name[:30], "enter")
            assert app.graph.on_headline
            graph = app.model.shown.timeline.graph_of(app.graph.line())  # type: ignore[union-attr, arg-type]
            chosen = app.model.shown.timeline.call_of(app.graph.line())  # type: ignore[union-attr, arg-type]
            assert chosen is not None and chosen.graph == entry.seen.graph and graph >= 0
        sin = next(
            node
            for node in process.nodes.values()
            if node.op == "Sin" and node.node in process.order(bodies[0].seen.graph)
        )
        rows = [seq for seq in range(process.end) if process.op(Seq(seq)).node.node == sin.node]
        assert len(rows) == 4 * STEPS
        app.go_to(Seq(rows[0]))
        await screen.rest()
        for seq in rows[1:6]:
            await screen.press(")")
            assert app.at == seq
        assert f"6 of {len(rows)} " in screen.text()
        await screen.press("s")
        assert "x = tf.sin(x)" in screen.text() and f"{len(rows)} ops Sin" in screen.text()
