"""Functions, branches and loop bodies in the place where they are entered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporters_shared import exported
from factories import leaf, new_run, out, ran, seen
from graphlens.exporters import Options
from graphlens.exporters._chosen import chosen, subject_for, subject_of
from graphlens.exporters.svg import half_of, picture
from graphlens.store import Run
from graphlens.view import View, view_of
from graphlens.view.subject import Subject
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    Event,
    GraphId,
    LeafSeen,
    ModuleCallId,
    ModuleCallSeen,
    NodeId,
    NodeSeen,
    Phase,
    ScopeId,
    ScopeSeen,
    Seq,
    ValueId,
)  # fmt: skip


def node(number: int, op: str, *inputs: int, **more: Any) -> NodeSeen:
    """An operation whose first output is called as it; `outputs`: the others."""
    made = [out(value, 4) for value in (number, *more.pop("outputs", ()))]
    return ran(number, inputs=inputs, outputs=made, op=op, **more)


def function(
    graph: int,
    arguments: list[LeafSeen],
    nodes: list[NodeSeen],
    results: list[int],
    kind: str = "function",
    name: str = "f",
) -> list[Event]:
    """A graph that is given `arguments` and gives out `results`."""
    return seen(
        *nodes,
        leaves=arguments,
        graph=graph,
        kind=kind,
        name=name,
        arguments=tuple(one.value for one in arguments),
        results=tuple(ValueId(one) for one in results),
    )


def argument(value: int, name: str = "a") -> LeafSeen:
    """What a graph is given."""
    return leaf(value, name, "argument", 4)


class Calls:
    """Writes rows and the calls around them."""

    def __init__(self, path: Path) -> None:
        self.log, self.count = new_run(path), 0

    def call(self, graph: int, at: int | None, *inner: Any, parent: int | None = None) -> None:
        """A call of a graph: its operations by number, inner calls as (graph, at, …)."""
        number = self.count
        self.count += 1
        self.log.calls(
            CallBegan(
                CallId(number), GraphId(graph), Seq(self.log.seq), 0, "train",
                parent=None if parent is None else CallId(parent), at=None if at is None else NodeId(at),
            )
        )  # fmt: skip
        for one in inner:
            if isinstance(one, int):
                self.log.ran(one)
            else:
                self.call(*one, parent=number)
        self.log.calls(CallEnded(CallId(number), Seq(self.log.seq - 1)))


def told(subject: Subject, value: int | None, depth: int = 0) -> str:
    """How a value was computed, by reading the wiring."""
    assert depth < 50 and value is not None
    for one in subject.nodes:
        if any(output.value == value for output in one.outputs):
            slot = [output.value for output in one.outputs].index(ValueId(value))
            inside = ",".join(told(subject, read, depth + 1) for read in subject.reads(one))
            return f"{one.op}({inside})" + (f".{slot}" if slot else "")
    return subject.leaves[ValueId(value)].name


def last(subject: Subject) -> str:
    """What the last operation computed."""
    return told(subject, subject.nodes[-1].outputs[0].value)


def twice(path: Path) -> Run:
    """y = f(f(x)), f(a) = relu(a) + a; then a sum."""
    calls = Calls(path)
    inner = [node(0, "Relu", 100), node(1, "AddV2", 0, 100)]
    calls.log.declare(*function(0, [argument(100)], inner, [1], name="f"))
    outer = [
        node(10, "Exp", 200),
        node(11, "PartitionedCall", 10, calls=GraphId(0)),
        node(12, "PartitionedCall", 11, calls=GraphId(0)),
        node(13, "Sum", 12),
    ]
    calls.log.declare(*seen(*outer, leaves=[leaf(200, "x", "batch", 4)], graph=1, name="step"))
    calls.call(1, None, 10, (0, 11, 0, 1), 11, (0, 12, 0, 1), 12, 13)
    calls.log.finish()
    return Run(path)


def test_a_function_stands_in_the_place_of_each_of_its_calls(tmp_path: Path) -> None:
    subject = subject_for(twice(tmp_path / "r.glens"), Options())
    one = "AddV2(Relu({0}),{0})"

    assert last(subject) == f"Sum({one.format(one.format('Exp(x)'))})"
    assert len({item.node for item in subject.nodes}) == len(subject.nodes) == 6
    values = [output.value for item in subject.nodes for output in item.outputs]
    assert len(set(values)) == len(values)


def test_equal_calls_are_drawn_once(tmp_path: Path) -> None:
    view = view_of(subject_for(twice(tmp_path / "r.glens"), Options()))

    assert [(frame.name, frame.kind, frame.repeat, frame.flow) for frame in view.frames] == [
        ("f", "function", 2, False)
    ]
    assert [box.name for box in view.boxes] == ["x", "Exp", "Relu", "AddV2", "Sum", "output"]


def test_a_graph_that_is_asked_for_is_drawn_alone(tmp_path: Path) -> None:
    run = twice(tmp_path / "r.glens")

    assert last(subject_for(run, Options(graph="f"))) == "AddV2(Relu(a),a)"
    assert len(subject_of(chosen(run, Options())).nodes) in (2, 4)  # other formats do not open anything


def loop(path: Path, rounds: int, *, branch: bool = False) -> Run:
    """while i < n: i, x = i + 1, tanh(x @ w); with a branch, x is halved where it is large."""
    calls = Calls(path)
    condition = [argument(100, "loop_counter"), argument(101, "i"), argument(102, "x"), argument(103, "n")]
    body = [argument(110, "loop_counter"), argument(111, "i"), argument(112, "x"), argument(113, "n")]
    inside = [node(3, "AddV2", 110), node(4, "AddV2", 111), node(5, "Tanh", 112)]
    x = 5
    if branch:
        halves = [node(20, "Half", 120)]
        calls.log.declare(*function(2, [argument(120, "x")], halves, [20], "branch", "then"))
        keeps = [node(21, "Keep", 130)]
        calls.log.declare(*function(3, [argument(130, "x")], keeps, [21], "branch", "else"))
        inside += [node(6, "Greater", 5), node(7, "StatelessIf", 6, 5, calls=GraphId(2))]
        x = 7
    calls.log.declare(*function(0, condition, [node(1, "Less", 101, 103)], [1], "body", "cond"))
    calls.log.declare(*function(1, body, inside, [3, 4, x, 113], "body", "body"))
    outer = [
        node(30, "Exp", 200),
        node(31, "StatelessWhile", 200, 200, 30, 200, outputs=(310, 311, 312), calls=GraphId(0)),
        node(32, "Sum", 311),
    ]
    calls.log.declare(*seen(*outer, leaves=[leaf(200, "x", "batch", 4)], graph=4, name="step"))
    ran_inside = [3, 4, 5, *((6, (3, 7, 21), 7) if branch else ())]
    entered: list[Any] = []
    for _ in range(rounds):
        entered += [(0, 31, 1), (1, 31, *ran_inside)]
    calls.call(4, None, 30, *entered, (0, 31, 1), 31, 32)
    calls.log.finish()
    return Run(path)


def test_a_loop_reads_its_condition_and_what_its_body_makes(tmp_path: Path) -> None:
    subject = subject_for(loop(tmp_path / "r.glens", 3), Options())

    # Neither the counter of TensorFlow nor what is handed through unchanged.
    assert last(subject) == "Sum(StatelessWhile(Less(x,x),AddV2(x),Tanh(Exp(x))).2)"


@pytest.mark.parametrize(("rounds", "said"), [(3, "loop, 3 rounds"), (1, "loop, 1 round")])
def test_a_loop_and_its_parts_are_framed(tmp_path: Path, rounds: int, said: str) -> None:
    run = loop(tmp_path / "r.glens", rounds)
    view = view_of(subject_for(run, Options()))
    frames = {frame.name: frame for frame in view.frames}

    assert (frames["while"].kind, frames["while"].flow) == (said, True)
    assert view.frames[frames["body"].parent].name == "while"
    assert [box.name for box in view.boxes if box.sort == "output"] == ["output"]
    assert "condition" in {box.name for box in view.boxes}  # of one operation: a card
    document = picture(subject_for(run, Options()))
    assert document.count('stroke-dasharray="6 4"') == len(view.frames)
    assert b'style="rounded,dashed"' in exported(run, "dot")


def test_branches_say_how_often_they_were_taken(tmp_path: Path) -> None:
    run = loop(tmp_path / "r.glens", 4, branch=True)
    subject = subject_for(run, Options())
    body = "Tanh(Exp(x))"
    chooses = f"StatelessIf(Greater({body}),Half({body}),Keep({body}))"
    view = view_of(subject)
    kinds = {box.name: box.kind for box in view.boxes if box.kind}

    assert last(subject) == f"Sum(StatelessWhile(Less(x,x),AddV2(x),{chooses}).2)"
    assert (kinds["then"], kinds["else"]) == ("never taken", "taken 4×")


def test_around_an_operation_of_a_loop_is_what_is_around_the_loop(tmp_path: Path) -> None:
    run = loop(tmp_path / "r.glens", 3)
    process = run.processes()[0]
    nodes = process.rows(Seq(0), Seq(process.op_count)).node.tolist()
    tanh = [process.nodes[NodeId(one)].op for one in nodes].index("Tanh")
    subject = subject_for(run, Options(around=str(tanh), hops=1))

    assert [one.op for one in subject.nodes] == ["Exp", "Tanh", "StatelessWhile"]
    assert view_of(subject).title.endswith(f"· 1 hop around op {tanh} (Tanh)")


def test_gradients_of_what_is_in_a_function_stand_beside_it(tmp_path: Path) -> None:
    """A backward function is opened with its forward one, also where that is called twice."""
    calls = Calls(tmp_path / "r.glens")
    weight = leaf(300, "w", "parameter", 4)
    calls.log.declare(weight)
    inner = [node(0, "Mul", 100, 101), node(1, "Tanh", 0)]
    calls.log.declare(*function(0, [argument(100), argument(101)], inner, [1, 0], name="f"))
    grads = [
        node(2, "TanhGrad", 110, 111, phase=Phase.BACKWARD, twin=NodeId(1)),
        node(3, "MulGrad", 2, phase=Phase.BACKWARD, twin=NodeId(0)),
    ]
    calls.log.declare(*function(1, [argument(110), argument(111)], grads, [3], name="backward_f"))
    back: dict[str, Any] = {"phase": Phase.BACKWARD, "calls": GraphId(1)}
    outer = [
        node(10, "PartitionedCall", 200, 300, outputs=(400,), calls=GraphId(0)),
        node(11, "PartitionedCall", 10, 300, outputs=(401,), calls=GraphId(0)),
        node(12, "Sum", 11),
        node(13, "SumGrad", 12, phase=Phase.BACKWARD, twin=NodeId(12)),
        node(14, "PartitionedCall", 13, 11, twin=NodeId(11), **back),
        node(15, "PartitionedCall", 14, 10, twin=NodeId(10), **back),
    ]
    calls.log.declare(*seen(*outer, leaves=[leaf(200, "x", "batch", 4)], graph=2, name="step"))
    first, second = (0, 10, 0, 1), (0, 11, 0, 1)
    calls.call(2, None, first, 10, second, 11, 12, 13, (1, 14, 2, 3), 14, (1, 15, 2, 3), 15)
    calls.log.finish()
    subject = subject_for(Run(tmp_path / "r.glens"), Options())
    by_id = {one.node: one for one in subject.nodes}
    twins = [(one.op, by_id[one.twin].op, one.twin) for one in subject.nodes if one.twin is not None]

    of_f = [("TanhGrad", "Tanh"), ("MulGrad", "Mul")]
    assert [pair[:2] for pair in twins] == [("SumGrad", "Sum"), *of_f, *of_f]
    assert len({twin for *_, twin in twins}) == 5  # of each call its own
    view = view_of(subject, folded=False)
    backward, phase = half_of(view, subject, "auto")
    assert phase == "both" and backward.unplaced == 0
    assert [view.boxes[one.of].name for one in backward.gradients] == ["Mul", "Tanh", "Mul", "Tanh", "Sum"]
    assert chain(view, backward.flows) == [("Sum", "Tanh"), ("Tanh", "Mul"), ("Mul", "Tanh"), ("Tanh", "Mul")]


def chain(view: View, flows: list[tuple[int, int, int]]) -> list[tuple[str, str]]:
    """Which gradients lead to which, from the loss on."""
    links = sorted((view.links[link].target, view.links[link].source) for *_, link in flows)
    return [(view.boxes[target].name, view.boxes[source].name) for target, source in reversed(links)]


def test_modules_in_a_function_are_modules_of_the_picture(tmp_path: Path) -> None:
    calls = Calls(tmp_path / "r.glens")
    calls.log.declare(
        ScopeSeen(ScopeId(0), None, "Net", "Functional"),
        ScopeSeen(ScopeId(1), ScopeId(0), "Net.fc", "MyLayer"),
        ModuleCallSeen(ModuleCallId(0), None, ScopeId(0)),
        ModuleCallSeen(ModuleCallId(1), ModuleCallId(0), ScopeId(1)),
    )
    at: dict[str, Any] = {"module_call": ModuleCallId(1), "scope": ScopeId(1)}
    model = ModuleCallId(0)
    inner = [node(0, "MatMul", 100, **at), node(1, "Tanh", 0, **at), node(2, "Exp", 1, module_call=model)]
    calls.log.declare(*function(0, [argument(100)], inner, [2], name="train_step"))
    outer = [node(10, "StatefulPartitionedCall", 200, calls=GraphId(0)), node(11, "Sum", 10)]
    calls.log.declare(*seen(*outer, leaves=[leaf(200, "x", "batch", 4)], graph=1, name="step"))
    calls.call(1, None, (0, 10, 0, 1, 2), 10, 11)
    calls.log.finish()
    view = view_of(subject_for(Run(tmp_path / "r.glens"), Options()))

    assert view.title == "Functional"  # not the function around it
    assert [(frame.name, frame.kind) for frame in view.frames] == [("fc", "MyLayer")]
    assert [box.name for box in view.boxes] == ["x", "MatMul", "Tanh", "Exp", "Sum", "output"]
