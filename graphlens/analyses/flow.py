"""Where numbers came from: from one occurrence of an operation to those that made what it read.

A value is followed through the calls of functions, branches and loops, and from a call to earlier
ones. Nothing is built ahead: only what is asked for is looked up.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from graphlens.analyses.collectives import is_collective
from graphlens.store import Call, Process
from graphlens_tracers.events import (
    CallId,
    CellId,
    GraphId,
    GraphSeen,
    LeafSeen,
    NodeId,
    NodeSeen,
    Numerics,
    Seq,
    Spec,
    Unusual,
    ValueId,
)


@dataclass(frozen=True, slots=True)
class Made:
    """An output of an operation that ran."""

    seq: Seq
    slot: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """What an operation reads that none is known to have made; `call` is where it is a leaf."""

    call: CallId
    seen: LeafSeen


HANDLE = "VarHandleOp"
"""What makes a variable of TensorFlow."""
_CHOOSES = ("If", "StatelessIf", "Case", "StatelessCase")
"""What enters a branch: its first input says which."""
Source = Made | Leaf | None


@dataclass(frozen=True, slots=True)
class Range:
    """Minimum and maximum of an output; NaN in either where it holds one."""

    low: float
    high: float

    @property
    def nan(self) -> bool:
        """Whether it holds NaN."""
        return math.isnan(self.low) or math.isnan(self.high)

    @property
    def inf(self) -> bool:
        """Whether it holds an infinity, as far as NaN lets one see."""
        return math.isinf(self.low) or math.isinf(self.high)


@dataclass(frozen=True, slots=True)
class Health:
    """Whether numbers are finite."""

    nan: bool
    inf: bool

    @property
    def bad(self) -> bool:
        """They are not."""
        return self.nan or self.inf


FINE = Health(False, False)


class Flow:
    """The operations of one process, and what each read."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.calls: dict[CallId, Call] = {call.call: call for call in process.calls()}
        self._inside: dict[tuple[CallId | None, NodeId | None], list[Call]] = defaultdict(list)
        for call in self.calls.values():
            self._inside[call.parent, call.at].append(call)
        self._graphs: dict[GraphId, GraphSeen] = {seen.graph: seen for seen in process.graphs()}
        self._ran: dict[CallId, dict[NodeId, Seq]] = {}
        self._at: dict[Seq, tuple[NodeSeen, Call]] = {}
        self._ranges: dict[tuple[Seq, int], Range] = {}
        self._looked: set[CallId | None] = set()
        self._readers: dict[CallId, dict[Seq, list[Seq]]] = {}
        self._opaque: dict[Made, Health] = {}
        self._arguments: dict[GraphId, dict[ValueId, int]] = {}
        self._contents: dict[CellId, list[tuple[CallId, Made]]] = defaultdict(list)
        """Of each cell, what a call has found in it that was not there before."""
        self.kept: dict[Made, LeafSeen] = {}
        """Outputs that later calls read as leaves."""
        self._bindings: dict[ValueId, list[Made]] = defaultdict(list)
        for bound in process.bounds():
            leaf = process.leaves.get(bound.leaf)
            if bound.producer is not None and leaf is not None:
                made = Made(bound.producer, bound.slot)
                self.kept[made] = leaf
                self._bindings[leaf.value].append(made)
                cell = leaf.cell if bound.cell is None else bound.cell
                if cell is not None:
                    self._contents[cell].append((bound.call, made))

    @cached_property
    def outermost(self) -> list[Call]:
        """The calls that nothing has called, in order."""
        return [call for call in self.calls.values() if call.parent is None]

    def stop(self, call: Call) -> int:
        """One more than the last operation of a call."""
        return max(call.last, call.first - 1) + 1

    def in_time(self, call: Call) -> bool:
        """Whether the operations of a call stand in the order in which they ran."""
        return self._graphs[call.graph].order == "ran"

    # ── one operation ────────────────────────────────────────────────────────────────────────

    def begin(self, call: Call) -> None:
        """Read what ran in an outermost call, and in all that it has called."""
        if call.call in self._looked:
            return
        self._looked.add(call.call)
        rows = self.process.rows(call.first, self.stop(call))
        nodes = self.process.nodes
        for seq, node, inner in zip(rows.seq.tolist(), rows.node.tolist(), rows.call.tolist(), strict=True):
            its = self.calls.get(CallId(inner))
            seen = nodes.get(NodeId(node))
            if its is not None and seen is not None:
                self._at[Seq(seq)] = seen, its
                self._ran.setdefault(its.call, {})[seen.node] = Seq(seq)
        ranges = self.process.ranges(call.first, self.stop(call))
        counts = np.diff(ranges.offsets)
        seqs = np.repeat(rows.seq[: len(counts)], counts)
        for seq, slot, low, high in zip(
            seqs.tolist(), ranges.slot.tolist(), ranges.low.tolist(), ranges.high.tolist(), strict=True
        ):
            self._ranges[Seq(seq), slot] = Range(low, high)

    def forget(self) -> None:
        """Forget what was read of calls."""
        self._looked.clear()
        self._ran.clear()
        self._at.clear()
        self._ranges.clear()

    def at(self, seq: Seq) -> tuple[NodeSeen, Call] | None:
        """The node and the call of an operation."""
        if seq not in self._at:
            call = self.process.call_at(seq)
            while call is not None and call.parent is not None:
                call = self.calls[call.parent]
            if call is not None:
                self.begin(call)
        return self._at.get(seq)

    def node(self, seq: Seq) -> NodeSeen:
        """The node of an operation that is known to have run."""
        found = self.at(seq)
        assert found is not None
        return found[0]

    def ran(self, call: Call, node: NodeId) -> Seq | None:
        """When a node ran in the outermost call around this one; None when it did not."""
        inside = self._ran.get(call.call, {}).get(node)
        if inside is not None:
            return inside
        return next((its[node] for its in self._ran.values() if node in its), None)

    def fact(self, made: Made) -> Unusual | None:
        """What is known exactly of an output."""
        return next((f for f in self.process.unusual(made.seq, made.seq + 1) if f.slot == made.slot), None)

    def range(self, made: Made) -> Range | None:
        """The range of an output; None when it was not looked at."""
        self.at(made.seq)
        found = self._ranges.get((made.seq, made.slot))
        nothing = found is not None and found.low == math.inf and found.high == -math.inf
        return None if nothing else found

    def looked(self, made: Made) -> Range | None:
        """As `range`, of a call that need not be read whole."""
        found = self._ranges.get((made.seq, made.slot))
        if found is not None:
            return found
        ranges = self.process.ranges(made.seq, made.seq + 1)
        for slot, low, high in zip(
            ranges.slot.tolist(), ranges.low.tolist(), ranges.high.tolist(), strict=True
        ):
            if slot == made.slot:
                return Range(low, high)
        return None

    def health(self, made: Made) -> Health:
        """Whether an output is finite, as far as is known.

        What nobody can look at, a list of tensors, what a variable holds after a write or what a
        collective has begun to write, is as what went into it.
        """
        fact = self.fact(made)
        if fact is not None and fact.numerics is not None:
            return health_of(fact.numerics)
        found = self.range(made)
        if found is not None:
            return Health(found.nan, found.inf)
        return self._health_by_inputs(made) if self._is_opaque(made) else FINE

    def is_striking(self, made: Made) -> bool:
        """Whether an output holds NaN, or an infinity above zero: no mask looks like that."""
        found = self.range(made)
        return self.health(made).nan or (found is not None and found.high == math.inf)

    def _is_opaque(self, made: Made) -> bool:
        found = self.at(made.seq)
        if found is None or made.slot >= len(found[0].outputs):
            return False
        output = found[0].outputs[made.slot]
        writes = any(slot == made.slot for _, slot in found[0].writes)
        hidden = output.spec.dtype == "variant" or writes or is_collective(found[0])
        return not output.ranged and hidden

    def _health_by_inputs(self, made: Made) -> Health:
        ahead, seen = [made], {made}
        nan = inf = False
        while ahead:
            at = ahead.pop()
            if at in self._opaque:
                nan, inf = nan or self._opaque[at].nan, inf or self._opaque[at].inf
                continue
            sources = [self.made_by(at)] if self.enters(at.seq) else self.sources(at.seq)
            for source in sources:
                if not isinstance(source, Made) or source in seen:
                    continue
                seen.add(source)
                if self._is_opaque(source):
                    ahead.append(source)
                else:
                    its = self.health(source)
                    nan, inf = nan or its.nan, inf or its.inf
        self._opaque[made] = Health(nan, inf)
        return self._opaque[made]

    def inputs_seen(self, seq: Seq) -> tuple[Numerics | None, ...]:
        """How the inputs looked when an operation had made something that is not finite; empty: unknown."""
        for fact in self.process.unusual(seq, seq + 1):
            if fact.inputs:
                return fact.inputs
        return ()

    # ── where numbers came from ──────────────────────────────────────────────────────────────

    def spec(self, value: ValueId) -> Spec | None:
        """What a value is, as it was declared."""
        maker = self.process.maker(value)
        if maker is not None:
            outputs = self.process.nodes[maker[0]].outputs
            return outputs[maker[1]].spec if maker[1] < len(outputs) else None
        leaf = self.process.leaves.get(value)
        return None if leaf is None else leaf.spec

    def values(self, seq: Seq) -> tuple[ValueId | None, ...]:
        """The values that an operation read."""
        found = self.at(seq)
        if found is None:
            return ()
        node, call = found
        return self.process.inputs(call.graph, node.node)

    def sources(self, seq: Seq) -> list[Source]:
        """For each input of an operation, what made it. A call's is what its function's results are."""
        found = self.at(seq)
        if found is None:
            return []
        node, call = found
        inner = self._inside.get((call.call, node.node))
        if inner:
            return [self.source(one, value, seq) for one, value in self._results(inner)]
        return [None if v is None else self.source(call, v, seq) for v in self.values(seq)]

    def enters(self, seq: Seq) -> list[Call]:
        """The calls that an operation has made."""
        found = self.at(seq)
        return [] if found is None else self._inside.get((found[1].call, found[0].node), [])

    def made_by(self, made: Made) -> Source:
        """What an output is that an operation did not compute itself: a result of what it called."""
        calls = self.enters(made.seq)
        results = list(self._results(calls))
        if made.slot < len(results):
            call, value = results[made.slot]
            return self.source(call, value, made.seq)
        return None

    def _results(self, calls: list[Call]) -> Iterator[tuple[Call, ValueId]]:
        """What the last of some calls gave out, a loop's condition apart."""
        bodies = [call for call in calls if call.iteration is None or not self._is_condition(call, calls)]
        if bodies:
            seen = self._graphs.get(bodies[-1].graph)
            for value in seen.results if seen is not None else ():
                yield bodies[-1], value

    def _is_condition(self, call: Call, calls: list[Call]) -> bool:
        first = calls[0]
        return call.graph == first.graph and len({one.graph for one in calls}) > 1

    def source(self, call: Call, value: ValueId, before: Seq) -> Source:
        """What made a value that a call has read before an operation."""
        maker = self.process.maker(value)
        if maker is not None:
            seq = self._ran.get(call.call, {}).get(maker[0])
            return None if seq is None else self.computed(Made(seq, maker[1]))
        bound = self.process.bound(call.call, value)
        if bound is not None and bound.producer is not None:
            return self.computed(Made(bound.producer, bound.slot))
        leaf = self.process.leaves.get(value)
        if leaf is None:
            return None
        if leaf.kind in ("argument", "capture") and call.parent is not None:
            found = self._argument(call, value)
            if found is not None:
                return found
        cell = bound.cell if bound is not None and bound.cell is not None else leaf.cell
        last = self._content(cell, call) if cell is not None else None
        return Leaf(call.call, leaf) if last is None else self.computed(last)

    def contents(self, leaf: LeafSeen) -> list[Made]:
        """What a leaf that earlier calls have made was, in order."""
        return self._bindings.get(leaf.value, [])

    def wrote(self, call: Call, cell: CellId, made: Made) -> None:
        """Note that a call has given a cell a new content."""
        self._contents[cell].append((call.call, made))

    def emptied(self, cell: CellId) -> None:
        """Forget what is in a cell: it is finite."""
        self._contents.pop(cell, None)

    def _content(self, cell: CellId, call: Call) -> Made | None:
        """What is in a cell when a call begins, as far as is known."""
        before = [
            made for at, made in self._contents.get(cell, ()) if at <= call.call and made.seq < call.first
        ]
        return max(before, key=lambda made: made.seq, default=None)

    def computed(self, made: Made) -> Source:
        """What computed an output: of a view, whose numbers nobody has looked at again, its base."""
        found = self.at(made.seq)
        if found is None:
            return made
        node, call = found
        output = node.outputs[made.slot] if made.slot < len(node.outputs) else None
        if output is None or output.alias is None or output.ranged:
            return made
        value = self.values(made.seq)[output.alias]
        return made if value is None else self.source(call, value, made.seq)

    def within(self, call: Call) -> list[tuple[Seq, tuple[NodeSeen, Call]]]:
        """The operations of an outermost call, and of all that it has called, in order."""
        self.begin(call)
        stop = self.stop(call)
        found = [(seq, at) for seq, at in self._at.items() if call.first <= seq < stop]
        return sorted(found, key=lambda one: one[0])

    def readers(self, call: Call) -> dict[Seq, list[Seq]]:
        """Which operations read what each has made, in the outermost call around this one."""
        while call.parent is not None:
            call = self.calls[call.parent]
        if call.call not in self._readers:
            found: dict[Seq, list[Seq]] = defaultdict(list)
            for seq, _ in self.within(call):
                for source in self.sources(seq):
                    if isinstance(source, Made):
                        found[source.seq].append(seq)
            self._readers[call.call] = found
        return self._readers[call.call]

    def _argument(self, call: Call, value: ValueId) -> Source:
        """What an argument of a function is around it; in a loop, what the iteration before gave."""
        seen = self._graphs.get(call.graph)
        if seen is None or call.parent is None or call.at is None:
            return None
        order = self._arguments.get(call.graph)
        if order is None:
            order = self._arguments[call.graph] = {one: k for k, one in enumerate(seen.arguments)}
        k = order.get(value)
        around = self._ran.get(call.parent, {}).get(call.at)
        if k is None or around is None:
            return None
        if call.iteration:
            siblings = self._inside[call.parent, call.at]
            condition = self._is_condition(call, siblings)
            before = [
                one
                for one in siblings
                if one.iteration == call.iteration - 1 and not self._is_condition(one, siblings)
            ]
            results = list(self._results(before)) if before else []
            if k < len(results) and not (condition and not before):
                inner, result = results[k]
                return self.source(inner, result, call.first)
        outer = self.calls[call.parent]
        values = self.process.inputs(outer.graph, call.at)
        node = self.process.nodes[call.at]
        skip = (
            len(values) - len(seen.arguments)
            if node.op in ("If", "StatelessIf", "Case", "StatelessCase")
            else 0
        )
        given = values[k + skip] if k + skip < len(values) else None
        return None if given is None else self.source(outer, given, call.first)

    # ── what is written ──────────────────────────────────────────────────────────────────────

    def maker(self, graph: GraphId, value: ValueId) -> NodeId | None:
        """The node that computes a value; of a view, that of its base; None for a leaf."""
        while True:
            made = self.process.maker(value)
            if made is None:
                return None
            outputs = self.process.nodes[made[0]].outputs
            output = outputs[made[1]] if made[1] < len(outputs) else None
            if output is None or output.alias is None or output.ranged:
                return made[0]
            base = self.process.inputs(graph, made[0])[output.alias]
            if base is None:
                return made[0]
            value = base

    def home(self, graph: GraphId, value: ValueId) -> LeafSeen | None:
        """The leaf whose memory a value is, or is a part of."""
        seen: set[ValueId] = set()
        while value not in seen:
            seen.add(value)
            maker = self.process.maker(value)
            if maker is None:
                return self.process.leaves.get(value)
            node, slot = self.process.nodes[maker[0]], maker[1]
            if node.op == HANDLE:
                return LeafSeen(value, "parameter", "", node.outputs[slot].spec)
            inputs = self.process.inputs(graph, node.node)
            read = next((k for k, output in node.writes if output == slot), None)
            if read is None and slot < len(node.outputs):
                read = node.outputs[slot].alias
            if read is None or read >= len(inputs):
                return None
            inner = inputs[read]
            if inner is None:
                return None
            value = inner
        return None


def health_of(numbers: Numerics | None) -> Health:
    """Whether what was counted is finite."""
    if numbers is None:
        return FINE
    return Health(numbers.nan > 0, numbers.pos_inf + numbers.neg_inf > 0)
