"""Operations as `graphlens show` prints them: a million of them in bounded memory, or one in full."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from graphlens.cli._answers import AT_ONCE
from graphlens.ops import OutputSeen, output_seen
from graphlens.plain import Answer, inside, made_at, number, shown_path
from graphlens.processes import Who, of_op
from graphlens.session import Call, Op, Process, Run
from graphlens.text import lines_of
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import CallId, NodeId, NodeSeen, Seq, Spec, Unusual, ValueId

_ENCODE = msgspec.json.Encoder().encode


def line_of(answer: Answer) -> str:
    """One line of JSON in ASCII: a name's control characters don't reach a terminal."""
    line = _ENCODE(answer)
    return line.decode() if line.isascii() else json.dumps(answer)


def output_answer(seen: OutputSeen) -> Answer:
    """One output of an operation."""
    return {
        "value": seen.value,
        "shape": None if seen.spec.shape is None else list(seen.spec.shape),
        "dtype": seen.spec.dtype,
        "nan": seen.nan,
        "pos_inf": seen.pos_inf,
        "neg_inf": seen.neg_inf,
        "min": number(seen.low),
        "max": number(seen.high),
    }


@dataclass
class _Form:
    """What is the same each time a node runs in a graph."""

    node: NodeSeen
    fixed: Answer
    makers: list[tuple[ValueId | None, int | None]]  # (value, node that makes it) for each argument
    specs: tuple[Spec, ...]
    twin: Answer | None  # the forward node of a backward one, without its number


@dataclass
class Printer:
    """The operations of one process, a line of JSON's worth each, in order.

    Attributes:
        last: The latest occurrence of each node so far.
    """

    who: Who
    cwd: str
    last: dict[int, int] = field(default_factory=dict)
    _forms: dict[tuple[int, int, int], _Form] = field(default_factory=dict)
    _calls: dict[int, Call] = field(default_factory=dict)

    @property
    def process(self) -> Process:
        """Whose operations these are."""
        return self.who.process

    def all(self) -> Iterator[Answer]:
        """Every operation that ran."""
        for start in range(0, self.process.end, AT_ONCE):
            yield from self.part(start, min(start + AT_ONCE, self.process.end))

    def part(self, start: int, stop: int) -> Iterator[Answer]:
        """Operations `start` up to `stop`; those before are known only if they came out of here too."""
        process = self.process
        rows, ranges = process.rows(start, stop), process.ranges(start, stop)
        facts: dict[int, list[Unusual]] = {}
        for fact in process.unusual(start, stop):
            facts.setdefault(fact.seq, []).append(fact)
        self._calls.clear()  # one that has not ended may have changed
        strands = process.strands(start, stop)
        slots, lows, highs = ranges.slot.tolist(), ranges.low.tolist(), ranges.high.tolist()
        offsets = ranges.offsets.tolist()
        columns = rows.seq.tolist(), rows.node.tolist(), rows.call.tolist(), rows.took.tolist()
        for k, (seq, node, call_id, took) in enumerate(zip(*columns, strict=True)):
            low, high = offsets[k], offsets[k + 1]
            numbers = {slots[j]: (lows[j], highs[j]) for j in range(low, high)}
            answer = self._answer(seq, node, call_id, numbers, facts.get(seq, ()))
            answer["took_ns"] = took
            answer["thread"] = strands if isinstance(strands, int) else int(strands[k])
            self.last[node] = seq
            yield answer

    def _answer(
        self,
        seq: int,
        node: int,
        call_id: int,
        numbers: dict[int, tuple[float, float]],
        facts: Sequence[Unusual],
    ) -> Answer:
        call = self._call(call_id)
        form = self._form(node, call)
        answer = {"seq": seq, **form.fixed}
        answer["step"] = None if call is None else call.step
        by_slot = {fact.slot: fact for fact in facts}
        answer["outputs"] = [
            output_answer(
                output_seen(form.node, slot, form.specs[slot], numbers.get(slot), by_slot.get(slot))
            )
            for slot in range(len(form.node.outputs))
        ]
        if form.twin is not None and form.node.twin in self.last:
            # In the same call if it ran there, else the latest before.
            answer["forward"] = {"seq": self.last[form.node.twin], **form.twin}
        first = 0 if call is None else call.first
        answer["makers"] = [self._maker(value, maker, call, first) for value, maker in form.makers]
        answer["error"] = by_slot[-1].error if -1 in by_slot else None
        return answer

    def _call(self, call: int) -> Call | None:
        if call < 0:
            return None
        if call not in self._calls:
            self._calls[call] = self.process.call(CallId(call))
        return self._calls[call]

    def _form(self, node: int, call: Call | None) -> _Form:
        key = (node, -1, 0) if call is None else (node, call.graph, call.shapes)
        if key not in self._forms:
            self._forms[key] = self._new_form(NodeId(node), call)
        return self._forms[key]

    def _new_form(self, node: NodeId, call: Call | None) -> _Form:
        process = self.process
        seen = process.nodes.get(node)
        if seen is None:
            raise UnknownOp(f"node {node} was not declared")
        values = seen.inputs if call is None else process.inputs(call.graph, node)
        site = process.site_of(seen)
        fixed = {
            "node": node,
            "graph": None if call is None else call.graph,
            "op": seen.op,
            "phase": str(seen.phase),
            "step": None,
            "module": inside(process.scope_path(seen)),
            "module_call": seen.module_call,
            "file": None if site is None else shown_path(site.file, self.cwd),
            "line": None if site is None else site.line,
            "inputs": list(values),
            "outputs": [],
            "forward": None,
            "took_ns": 0,
            "thread": 0,
            "rank": process.rank,
            "makers": [],
            "error": None,
            "module_path": process.scope_path(seen),
            "process": self.who.number,
        }
        made = [(value, None if value is None else process.maker(value)) for value in values]
        makers = [(value, None if maker is None else int(maker[0])) for value, maker in made]
        return _Form(seen, fixed, makers, process.specs(call, node), self._node(seen.twin))

    def at(self, node: NodeId | None) -> Answer | None:
        """Where a node ran last before what is printed; None when it did not."""
        known = self._node(node)
        return {"seq": self.last[node], **known} if known is not None and node in self.last else None

    def _node(self, node: NodeId | None) -> Answer | None:
        seen = None if node is None else self.process.nodes.get(node)
        if seen is None:
            return None
        site = self.process.site_of(seen)
        return {
            "op": seen.op,
            "file": None if site is None else shown_path(site.file, self.cwd),
            "line": None if site is None else site.line,
        }

    def _maker(self, value: ValueId | None, maker: int | None, call: Call | None, first: int) -> int | None:
        if value is None:
            return None
        if maker is None:
            bound = None if call is None else self.process.bound(call.call, value)
            return None if bound is None else bound.producer
        seq = self.last.get(maker)
        return seq if seq is not None and seq >= first else None


def op_answers(run: Run, whos: Sequence[Who]) -> Iterator[Answer]:
    """Every operation of these processes, a process after the other."""
    for who in whos:
        yield from Printer(who, run.info.cwd).all()


def op_answer(run: Run, address: str, wanted: str | None = None) -> Answer:
    """One operation in full.

    Args:
        address, wanted: As in `of_op`.

    Raises:
        UnknownOp, UnknownName, Usage: There is none, or not one alone.
    """
    who, seq = of_op(run, address, wanted)
    process = who.process
    op = process.op(Seq(seq))
    printer = Printer(who, run.info.cwd, _before(process, op))
    answer = next(printer.part(seq, seq + 1))
    frames = process.frames(op.node.site)
    return {
        "schema": "graphlens/op/1",
        **answer,
        "role": None if op.call is None else op.call.role,
        "call": None if op.call is None else op.call.call,
        "key": op.node.key,
        "form": op.node.form,
        "scalars": [list(one) for one in process.scalars(seq, seq + 1).get(seq, {}).items()],
        "began_ns": op.began_ns,
        "frames": [
            {"file": shown_path(one.file, run.info.cwd), "line": one.line, "function": one.function}
            for one in frames
        ],
        "code": _code(process, op),
        "arguments": [_argument(process, value, made) for value, made in op.inputs],
        "where": [[list(index) for index in output.where] for output in op.outputs],
        "writes": [list(pair) for pair in op.node.writes],
        "twin": op.node.twin,
        "remakes": op.node.remakes,
        "formula": op.node.formula,
        "repeats": printer.at(op.node.remakes),
        **made_at(process, op.node.scope, run.info.cwd),
        "process_name": who.name,
        "thread_name": (op.call.thread if op.call else "") or process.started.thread,
        "by_hand": [{"which": which, "index": index, "text": text} for which, index, text in op.by_hand],
    }


def _before(process: Process, op: Op) -> dict[int, int]:
    """The latest occurrence of each node that the operation may refer to."""
    first = 0 if op.call is None else int(op.call.first)
    seqs, nodes = process.nodes_of(first, op.seq)
    last = dict(zip(nodes.tolist(), seqs.tolist(), strict=True))
    for other in (op.node.twin, op.node.remakes):
        stop = first
        while other is not None and other not in last and stop > 0:
            seqs, nodes = process.nodes_of(max(0, stop - AT_ONCE), stop)
            found = np.flatnonzero(nodes == other)
            if len(found):
                last[int(other)] = int(seqs[found[-1]])
            stop -= AT_ONCE
    return last


def _code(process: Process, op: Op) -> str | None:
    site = process.site_of(op.node)
    text = None if site is None else process.source(site.file)
    lines = lines_of(text) if text else []
    return lines[site.line - 1].strip() if site and 1 <= site.line <= len(lines) else None


def _argument(process: Process, value: Any, made: int | None) -> Answer:
    if value is None:
        return {"value": None, "name": None, "kind": None, "shape": None, "dtype": None, "maker": None}
    leaf, maker = process.leaves.get(value), process.maker(value)
    spec = leaf.spec if leaf else None
    if maker is not None:
        spec = process.nodes[maker[0]].outputs[maker[1]].spec
    return {
        "value": value,
        "name": leaf.name if leaf else process.nodes[maker[0]].op if maker else None,
        "kind": leaf.kind if leaf else "made",
        "shape": None if spec is None or spec.shape is None else list(spec.shape),
        "dtype": None if spec is None else spec.dtype,
        "maker": made,
    }
