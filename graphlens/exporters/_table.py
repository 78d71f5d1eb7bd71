"""The operations that ran, as rows of a table, a few ten thousand at a time: a run may have millions.

What is the same each time an operation runs in a graph is looked up once (`Form`); what is not are
columns of numpy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from graphlens.exporters import Options
from graphlens.plain import inside, shown_path
from graphlens.processes import Who, find, named
from graphlens.rows import Floats, Ints, Ranges, Rows
from graphlens.session import INF, NAN, RAISED, Call
from graphlens.text import clean
from graphlens_tracers.errors import UnknownName
from graphlens_tracers.events import CallId, NodeId, Spec, ValueId

if TYPE_CHECKING:
    from graphlens.store import Process, Run

AT_ONCE = 1 << 16
"""Rows that are looked at together."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is the same each time a node runs in a graph, with these shapes.

    Attributes:
        module: Without the root's class; `file` and `line` are "" and -1 where nobody knows.
        inputs: What it reads, -1 for an argument without a value.
        values, specs: Of its outputs.
    """

    op: str
    phase: str
    module: str
    file: str
    line: int
    inputs: tuple[int, ...]
    values: tuple[ValueId, ...]
    specs: tuple[Spec, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some operations of a process, in order.

    Attributes:
        rows: What ran.
        forms: Of each row; `calls`: its call, None where that is not known.
        ranges: Of every output that was looked at; `row` is the row of each.
        thread: The strand of each row.
        low, high: Smallest and largest element of all its outputs: NaN where one holds NaN.
        seen: Whether any output of the row was looked at.
    """

    who: Who
    rows: Rows
    forms: list[Form]
    calls: list[Call | None]
    ranges: Ranges
    row: Ints
    thread: Ints
    low: Floats
    high: Floats
    seen: np.ndarray[tuple[int], np.dtype[np.bool_]]

    def flag(self, bit: int) -> list[bool]:
        """Whether each row has one of the bits NAN, INF, RAISED."""
        found: list[bool] = (self.rows.flags & bit != 0).tolist()
        return found


@dataclass
class Table:
    """The operations of a run that `options` mean, all of them where they mean none in particular.

    Those of a graph are what its calls ran, and what was called in them.
    """

    run: Run
    options: Options

    def whos(self) -> list[Who]:
        """The processes, those with an operation."""
        run, wanted = self.run, self.options.process
        whos = [find(run, wanted)] if wanted is not None else named(run)
        found = [who for who in whos if who.process.op_count]
        if not found:
            raise UnknownName(f"{run.path.name} has no operation: nothing was recorded")
        if not any(self._spans(who.process) for who in found):
            step, graph = self.options.step, self.options.graph
            where = "" if step is None else f" in step {step}"
            what = f"no step {step}" if graph is None else f"no call of a graph {clean(graph)!r}{where}"
            raise UnknownName(f"{what} in this run; see: graphlens show RUN graphs")
        return found

    def batches(self, who: Who) -> Iterator[Batch]:
        """All rows of one process."""
        forms = _Forms(who.process, self.run.info.cwd)
        for first, stop in self._spans(who.process):
            for start in range(first, stop, AT_ONCE):
                batch = _batch(who, forms, start, min(start + AT_ONCE, stop))
                if len(batch.rows.seq):
                    yield batch

    def _spans(self, process: Process) -> list[tuple[int, int]]:
        """From which to which (exclusive) operation: the calls of the step, or all there is."""
        step, graph = self.options.step, self.options.graph
        if step is None and graph is None:
            return [(0, process.end)]
        named = {seen.graph for seen in process.graphs() if graph in (str(seen.graph), seen.name)}
        calls = [
            call
            for call in process.calls()
            if (step is None or call.step == step)
            and (graph is None or call.graph in named)
            and call.last >= call.first
        ]
        spans: list[tuple[int, int]] = []
        for call in sorted(calls, key=lambda call: call.first):  # a call in a call is in its span already
            if not spans or call.first >= spans[-1][1]:
                spans.append((call.first, call.last + 1))
            else:
                spans[-1] = spans[-1][0], max(spans[-1][1], call.last + 1)
        return spans


@dataclass
class _Forms:
    process: Process
    cwd: str
    known: dict[tuple[int, int, int], Form] = field(default_factory=dict)

    def form(self, node: int, call: Call | None) -> Form:
        key = (node, -1, 0) if call is None else (node, call.graph, call.shapes)
        if key not in self.known:
            self.known[key] = self._form(NodeId(node), call)
        return self.known[key]

    def _form(self, node: NodeId, call: Call | None) -> Form:
        process = self.process
        seen = process.nodes.get(node)
        if seen is None:
            return Form("?", "other", "", "", -1, (), (), ())
        values = seen.inputs if call is None else process.inputs(call.graph, node)
        site = process.site_of(seen)
        return Form(
            seen.op,
            str(seen.phase),
            inside(process.scope_path(seen)),
            "" if site is None else shown_path(site.file, self.cwd),
            -1 if site is None else site.line,
            tuple(-1 if value is None else int(value) for value in values),
            tuple(output.value for output in seen.outputs),
            process.specs(call, node),
        )


def _batch(who: Who, forms: _Forms, start: int, stop: int) -> Batch:
    process = who.process
    rows, ranges = process.rows(start, stop), process.ranges(start, stop)
    strands = process.strands(start, stop)
    count = len(rows.seq)
    calls: dict[int, Call | None] = {-1: None}
    for one in np.unique(rows.call).tolist():
        if one >= 0:
            calls[one] = process.call(CallId(one))
    of = [calls[one] for one in rows.call.tolist()]
    row = np.repeat(np.arange(count), np.diff(ranges.offsets)) if count else np.empty(0, np.int64)
    low, high, seen = _extremes(ranges, row, count)
    thread = np.full(count, strands) if isinstance(strands, int) else strands
    found = [forms.form(node, call) for node, call in zip(rows.node.tolist(), of, strict=True)]
    return Batch(who, rows, found, of, ranges, row, thread, low, high, seen)


def _extremes(
    ranges: Ranges, row: Ints, count: int
) -> tuple[Floats, Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Smallest and largest of all outputs of each row; an output that is empty says nothing."""
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    looked = ~(ranges.low > ranges.high)  # NaN is neither, and was looked at
    with np.errstate(invalid="ignore"):  # numpy warns of each NaN, which is what is wanted here
        np.minimum.at(low, row[looked], ranges.low[looked])
        np.maximum.at(high, row[looked], ranges.high[looked])
    seen = np.zeros(count, np.bool_)
    seen[row[looked]] = True
    return low, high, seen


__all__ = ["INF", "NAN", "RAISED", "Batch", "Form", "Table"]
