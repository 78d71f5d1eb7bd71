"""Runs recorded functions again: from their graphs alone, and what the outermost ones were given.

Nothing of the tracer's is used but what is in the log. Each operation runs by itself, as TensorFlow
runs one eagerly: its type and attributes are its node's, its tensors come from a table of values. What
an operation enters is run node by node too, and what should have been entered is worked out anew.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from called import called
from fetched import bounds

from graphlens.calls import Call
from graphlens.store import Process
from graphlens_tracers.events import CallId, GraphId, NodeId, NodeSeen, ValueId
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.compat import tf

FLOATS = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
UNSET = ("FakeParam",)
"""Types whose result is memory that nobody wrote, and that nobody reads."""


@dataclass
class Seen:
    """One function that Python called: what it was given and gave out; of a variable, what it held."""

    given: list[Any]
    gave: list[Any]
    left: list[Any]
    """What it was given, as it was afterwards."""


@contextmanager
def watching() -> Iterator[list[Seen]]:
    """What Python has TensorFlow run; begun before the recording, whose calls then pass here."""
    seen: list[Seen] = []
    original = compat.Context.call_function

    def call_function(context: Any, name: Any, inputs: Any, outputs: int) -> Any:
        given = list(map(content, inputs))
        gave = original(context, name, inputs, outputs)
        seen.append(Seen(given, list(map(content, gave or ())), list(map(content, inputs))))
        return gave

    compat.Context.call_function = call_function
    try:
        yield seen
    finally:
        compat.Context.call_function = original


def content(tensor: Any) -> Any:
    """A tensor's numbers; those in a variable for its handle."""
    if tensor.dtype == tf.resource:
        told = tensor._handle_data
        if told is None or not told.is_set or not told.shape_and_type:
            return tensor
        return np.array(tf.raw_ops.ReadVariableOp(resource=tensor, dtype=told.shape_and_type[0].dtype))
    return tensor if tensor.dtype == tf.variant else np.asarray(tensor.numpy())


class Again:
    """Runs every call of a process again.

    Attributes:
        wrong: In words, what was not as it was.
        ran: How many operations ran again; `compared`: how many ranges were held against what they were.
        unsure: How many sums might as well have been other ones.
    """

    def __init__(self, process: Process, seen: Sequence[Seen], choices: int = 0) -> None:
        self.process = process
        self.seen = seen
        self.wrong: list[str] = []
        self.ran = self.compared = self.unsure = 0
        self._choices = choices
        self._variables: list[Any] = []
        self._graphs = {graph.graph: graph for graph in process.graphs()}
        self._by_function = {
            process.nodes[order[0]].key.partition("/")[0]: graph
            for graph in self._graphs
            if (order := process.order(graph))
        }
        self._ranges = process.ranges(0, process.op_count)
        rows = process.rows(0, process.op_count)
        self._rows: dict[CallId, list[tuple[int, NodeId]]] = defaultdict(list)
        for seq in range(process.op_count):
            self._rows[CallId(int(rows.call[seq]))].append((seq, NodeId(int(rows.node[seq]))))
        self._entered: dict[tuple[CallId, NodeId], list[Call]] = defaultdict(list)
        for call in process.calls():
            if call.parent is not None and call.at is not None:
                self._entered[call.parent, call.at].append(call)

    def run(self) -> list[str]:
        """Run everything again; what was wrong."""
        outermost = called(self.process)
        if len(outermost) != len(self.seen):
            return [f"Python called {len(self.seen)} functions, {len(outermost)} are recorded"]
        for call, seen in zip(outermost, self.seen, strict=True):
            given = self._given(call.graph, seen)
            gave = list(map(content, self.call(call, call.graph, given)))
            truth = [*seen.gave[: len(gave)], *seen.left]  # after the results comes what we look at
            for k, (one, other) in enumerate(zip([*gave, *map(content, given)], truth, strict=True)):
                if not same(one, other):
                    self.wrong.append(f"result {k} of call {call.call}: was {other}, is {one}")
        return self.wrong

    def _given(self, graph: GraphId, seen: Seen) -> list[Any]:
        given = []
        for value, one in zip(self._graphs[graph].arguments, seen.given, strict=True):
            leaf = self.process.leaves[value]
            if leaf.kind == "parameter":
                self._variables.append(tf.Variable(one))
                one = self._variables[-1].handle
            given.append(one if isinstance(one, tf.Tensor) else tf.constant(one))
        return given

    # ── one call ─────────────────────────────────────────────────────────────────────────────

    def call(self, call: Call, graph: GraphId, given: list[Any]) -> list[Any]:
        """Run one call of `graph` again; its results."""
        if call.graph != graph:
            self.wrong.append(f"call {call.call} is of graph {call.graph}, should be of {graph}")
        process, seen = self.process, self._graphs[graph]
        table: dict[ValueId, Any] = dict(zip(seen.arguments, given, strict=True))
        rows = self._rows[call.call]
        order = process.order(graph)[: len(rows)]
        if [node for _, node in rows] != list(order):
            self.wrong.append(f"rows of call {call.call} are not its graph's nodes in order")
        held = {value: content(one) for value, one in table.items()}
        for seq, node_id in rows:
            node = process.nodes[node_id]
            read = process.inputs(graph, node_id)
            inputs = [table[value] for value in read if value is not None]
            self._check_held(f"{node.key} reads", zip(read, inputs, strict=True), held)
            try:
                outputs = self._node(call, node, inputs)
            except Exception as error:
                raise AssertionError(f"{node.key} {node.form}: {error}") from error
            if node.op == "AddN" and inputs[0].dtype != tf.variant:
                outputs = [self._sum(seq, node, inputs)]
            self.ran += 1
            self._compare(seq, node, outputs)
            specs = [spec.shape for spec in process.specs(call, node_id)]
            self.wrong += [
                f"{node.key} has shape {one.shape}, and {shape} is said"
                for one, shape in zip(outputs, specs, strict=False)
                if shape is not None and one.dtype not in (tf.resource, tf.variant) and shape != one.shape
            ]
            new = {output: inputs[k] for k, output in node.writes}
            outputs += [new[output] for output in sorted(new)]
            for output, one in zip(node.outputs, outputs, strict=True):
                table[output.value], held[output.value] = one, content(one)
            unwritten = [k for k in range(len(inputs)) if k not in dict(node.writes)]
            self._check_held(f"{node.key} changes", ((read[k], inputs[k]) for k in unwritten), held)
        return [table[value] for value in seen.results]

    def _check_held(self, what: str, read: Iterable[tuple[Any, Any]], held: dict[ValueId, Any]) -> None:
        """A variable holds what the value says that it is read by."""
        for value, one in read:
            if one.dtype == tf.resource and not same(content(one), held[value]):
                self.wrong.append(f"{what} value {value}: {held[value]}, which is {content(one)}")

    def _node(self, call: Call, node: NodeSeen, inputs: list[Any]) -> list[Any]:
        _, attributes = json.loads(node.form)
        entered = iter(self._entered.pop((call.call, node.node), ()))

        def enter(function: str, given: list[Any]) -> list[Any]:
            child = next(entered)
            return self.call(child, self._by_function.get(function, child.graph), given)

        match node.op:
            case "PartitionedCall" | "StatefulPartitionedCall":
                outputs = enter(attributes["f"]["function"], inputs)
            case "If" | "StatelessIf":
                branch = "then_branch" if bool(inputs[0]) else "else_branch"
                outputs = enter(attributes[branch]["function"], inputs[1:])
            case "Case" | "StatelessCase":
                branches = attributes["branches"]
                which = int(inputs[0]) if 0 <= int(inputs[0]) < len(branches) else -1
                outputs = enter(branches[which]["function"], inputs[1:])
            case "While" | "StatelessWhile":
                outputs = inputs
                while bool(enter(attributes["cond"]["function"], outputs)[0]):
                    outputs = enter(attributes["body"]["function"], outputs)
            case _:
                outputs = run_alone(node, attributes, inputs)
        self.wrong += [f"{node.key} did not enter call {more.call}" for more in entered]
        return outputs

    def _sum(self, seq: int, node: NodeSeen, inputs: list[Any]) -> Any:
        """The sum, begun with that input that agrees with the range.

        TensorFlow begins with the first that nobody else needs any more, which depends on what has run by
        then. Where several sums agree, `choices` has a bit for which of them it is.
        """
        _, attributes = json.loads(node.form)
        found: dict[bytes, Any] = {}
        for k in range(len(inputs)):
            turned = list(inputs)
            turned[0], turned[k] = turned[k], turned[0]
            one = run_alone(node, attributes, turned)[0]
            if k == 0 or not self._differs(seq, 0, one):
                found[one.numpy().tobytes()] = one
        sums = list(found.values())
        if self._differs(seq, 0, sums[0]):
            sums = sums[1:] or sums
        which = 0
        if len(sums) > 1:
            which = self._choices >> self.unsure & 1
            self.unsure += 1
        return sums[which]

    def _compare(self, seq: int, node: NodeSeen, outputs: list[Any]) -> None:
        for slot, output in enumerate(outputs):
            said = self._said(seq, slot)
            if (said is not None) != (output.dtype.name in FLOATS):
                self.wrong.append(f"{node.key}:{slot} is {output.dtype.name}, and {said} is said")
            elif said is not None and node.op not in UNSET:
                self.compared += 1
                if self._differs(seq, slot, output):
                    self.wrong.append(f"{node.key}:{slot} #{seq}: {said} said of {output}")

    def _said(self, seq: int, slot: int) -> tuple[float, float] | None:
        """The range that was recorded."""
        for at in range(int(self._ranges.offsets[seq]), int(self._ranges.offsets[seq + 1])):
            if int(self._ranges.slot[at]) == slot:
                return float(self._ranges.low[at]), float(self._ranges.high[at])
        return None

    def _differs(self, seq: int, slot: int, output: Any) -> bool:
        said = self._said(seq, slot)
        return said is not None and not np.array_equal(said, bounds(output.numpy()), equal_nan=True)


def run_alone(node: NodeSeen, attributes: dict[str, Any], inputs: list[Any]) -> list[Any]:
    """Run one operation that enters nothing."""
    if node.op == "Const":  # TensorFlow takes no such attribute of an operation that runs eagerly
        proto = tf.make_tensor_proto(0).FromString(base64.b64decode(attributes["value"]["tensor"]["proto"]))
        return [tf.constant(compat.array(proto), proto.dtype)]
    flat = itertools.chain.from_iterable((name, attribute(given)) for name, given in attributes.items())
    made = len(node.outputs) - len({output for _, output in node.writes})
    context = compat.context.context()
    return list(compat.execute.execute(node.op.encode(), made, inputs, tuple(flat), context))


def attribute(given: Any) -> Any:  # Any: JSON to an attribute of any kind
    """An attribute as it is in a form."""
    match given:
        case str():
            return given.removeprefix("$").encode()
        case list():
            return [attribute(one) for one in given]
        case {"bytes": said}:
            return base64.b64decode(said)
        case {"float": said}:
            return float(said)
        case {"dtype": said}:
            return tf.as_dtype(said).as_datatype_enum
        case {"shape": said}:
            return tf.TensorShape(said)
    if given is None or isinstance(given, dict):
        raise AssertionError(f"a form that can't be read: {given}")
    return given


def same(one: Any, other: Any) -> bool:
    """Equal to the bit; what is not made of numbers is not compared."""
    if not isinstance(one, np.ndarray) or not isinstance(other, np.ndarray):
        return True
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
