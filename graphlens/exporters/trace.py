"""What ran when, as a trace for Perfetto and chrome://tracing: steps, the modules in them, operations.

Each process is a process, each thread a thread; an arrow goes from a forward operation to its backward.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from graphlens.exporters import Options
from graphlens.text import clean
from graphlens_tracers.events import ModuleCallId, NodeId

if TYPE_CHECKING:
    from graphlens.exporters._table import Batch, Table
    from graphlens.processes import Who
    from graphlens.session import Call
    from graphlens.store import Process, Run

_Event = dict[str, Any]  # Any: JSON


class Trace:
    """The exporter."""

    name = "trace"
    suffix = ".trace.json"

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write what ran of what `options` choose; one event a line."""
        from graphlens.exporters._table import Table  # numpy: not for finding out which formats there are

        table = Table(run, options)
        whos = table.whos()
        out.write(b'{"displayTimeUnit":"ns","otherData":{"schema":"graphlens/trace/1"},"traceEvents":[\n')
        comma = b""
        for who in whos:
            for event in _events(table, who):
                out.write(comma + json.dumps(event, separators=(",", ":")).encode())
                comma = b",\n"
        out.write(b"\n]}\n")


EXPORTER = Trace()


def _events(table: Table, who: Who) -> Iterator[_Event]:
    process = who.process
    yield {"ph": "M", "name": "process_name", "pid": who.number, "tid": 0, "args": {"name": clean(who.name)}}
    spans: dict[int, _Spans] = {}
    latest: dict[int, tuple[int, int]] = {}
    arrows = 0
    for batch in table.batches(who):
        for k, event in enumerate(_ops(batch)):
            thread = event["tid"]
            if thread not in spans:
                spans[thread] = _Spans(process, who.number, thread)
                yield _thread(process, batch.calls[k], who.number, thread)
            node = process.nodes.get(NodeId(int(batch.rows.node[k])))
            began, took = int(batch.rows.began[k]), int(batch.rows.took[k])
            yield from spans[thread].turn(batch.calls[k], None if node is None else node.module_call, began)
            spans[thread].end = began + took
            yield event
            twin = None if node is None or node.twin is None else latest.get(node.twin)
            if twin is not None:
                arrows += 1
                start, under = twin
                both = {"cat": "backward", "name": "backward", "id": arrows, "pid": who.number}
                yield {"ph": "s", **both, "tid": under, "ts": _us(start)}
                yield {"ph": "f", "bp": "e", **both, "tid": thread, "ts": event["ts"]}
            if node is not None:
                latest[node.node] = began, thread
    for thread in spans.values():
        yield from thread.close(0)


def _thread(process: Process, call: Call | None, number: int, thread: int) -> _Event:
    name = (call.thread if call else "") or process.started.thread or "MainThread"
    return {"ph": "M", "name": "thread_name", "pid": number, "tid": thread, "args": {"name": clean(name)}}


def _us(ns: int) -> float:
    """Microseconds, exact to the nanosecond for more than 100 days."""
    return ns / 1000


def _ops(batch: Batch) -> Iterator[_Event]:
    from graphlens.letters import spec_text

    rows = batch.rows
    times = rows.began.tolist(), rows.took.tolist(), batch.thread.tolist()
    columns = zip(rows.seq.tolist(), batch.forms, *times, strict=True)
    for seq, form, began, took, thread in columns:
        args: _Event = {"op": seq, "out": [spec_text(spec) for spec in form.specs[:8]]}
        if form.file:
            args["source"] = clean(f"{form.file}:{form.line}")
        yield {
            "ph": "X", "name": clean(form.op), "cat": form.phase, "pid": batch.who.number, "tid": thread,
            "ts": _us(began), "dur": _us(took), "args": args,
        }  # fmt: skip


class _Spans:
    """The step and the modules that one thread is in, as spans around what runs in them.

    A span of the trace is written when it is over: its events need not be in order.
    """

    def __init__(self, process: Process, pid: int, tid: int) -> None:
        self.process, self.pid, self.tid = process, pid, tid
        self.open: list[tuple[object, str, str, int]] = []  # what, its name, its category, when it began
        self.end = 0

    def turn(self, call: Call | None, module: ModuleCallId | None, began: int) -> Iterator[_Event]:
        """The next operation is in this call, and in this call of a module."""
        wanted = [*self._calls(call), *self._modules(module)]
        same = 0
        while same < min(len(wanted), len(self.open)) and self.open[same][0] == wanted[same][0]:
            same += 1
        yield from self.close(same)
        self.open += [(*one, began) for one in wanted[same:]]

    def close(self, depth: int) -> Iterator[_Event]:
        """End all spans but the outer `depth`."""
        while len(self.open) > depth:
            _, name, kind, began = self.open.pop()
            yield {
                "ph": "X", "name": name, "cat": kind, "pid": self.pid, "tid": self.tid, "ts": _us(began),
                "dur": _us(self.end - began),
            }  # fmt: skip

    def _calls(self, call: Call | None) -> list[tuple[object, str, str]]:
        found: list[tuple[object, str, str]] = []
        known = set()
        while call is not None and call.call not in known:
            known.add(call.call)
            name = f"{call.role} {call.step}" if call.step is not None and call.parent is None else call.role
            found.append((("call", call.call), clean(name), "step"))
            call = None if call.parent is None else self._call(call.parent)
        return found[::-1]

    def _call(self, call: Any) -> Call | None:
        try:
            return self.process.call(call)
        except KeyError:  # a run that was cut off
            return None

    def _modules(self, module: ModuleCallId | None) -> list[tuple[object, str, str]]:
        found: list[tuple[object, str, str]] = []
        calls = self.process.module_calls
        while module is not None and module in calls and len(found) < 200:
            seen = calls[module]
            scope = self.process.scopes.get(seen.scope)
            name = "?" if scope is None else f"{scope.path.rpartition('.')[2]} ({scope.kind})"
            found.append((("module", module), clean(name), "module"))
            module = seen.parent
        return found[::-1]
