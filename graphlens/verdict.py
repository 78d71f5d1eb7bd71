"""The verdict on a run as plain data: what `graphlens why` and `check` say, and the Health mode shows.

Field names are a contract: they are only ever added to, at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphlens.analyses.births import Bad
from graphlens.analyses.causes import Input, advice_for, cause_of, inputs_of
from graphlens.analyses.examples import Example, examples, tensors_of
from graphlens.analyses.flow import Flow, Made
from graphlens.analyses.numerics import Benign, Verdict, verdict
from graphlens.analyses.pipelines import unseen_makers
from graphlens.analyses.ranks import first_of, summed
from graphlens.plain import Answer, coverage, inside, made_at, number, shown_path
from graphlens.processes import Who, named
from graphlens.session import Call, Process, Run
from graphlens_tracers.events import NodeSeen, Phase, Seq

FARTHEST, NEXT, MOST = 500, 3, 12
"""Operations: that the way into an origin is followed back; that are told in any case; and at most."""
GREW = 2.0
"""So many times larger than all before them numbers have to be to be told, too."""


def verdict_answer(run: Run) -> Answer:
    """The verdict on a run: the first harm of all its processes."""
    whos = named(run)
    found = [(who, verdict(who.process)) for who in whos]
    looked = coverage(run, whos)
    first = first_of([one for _, one in found])
    status = "found" if first is not None else "clean" if looked["complete"] else "incomplete"
    answer: Answer = {
        "schema": "graphlens/why/1",
        "status": status,
        "origin": None,
        "reached": None,
        "path": [],
        "others": [],
        "benign": [one for who, its in found for one in _benign_answers(who, its, run.info.cwd)],
        "advice": [],
        "coverage": looked,
        "before": [],
    }
    if first is not None:
        of = {id(its): who for who, its in found}
        one, ill = summed(first[0], [its for _, its in found]), first[1]
        says = _Says(of[id(first[0])], one, run.info.cwd)
        assert one.origin is not None and one.reached is not None
        answer["origin"] = says.origin(one.origin, one.phase)
        answer["reached"] = says.reached()
        answer["path"] = [says.place(seq) for seq in one.path]
        answer["before"] = [says.place(seq) for seq in says.before(one.origin.seq)]
        answer["others"] = [says.origin(other, other.phase) for other in one.others]
        answer["others"] += [
            _Says(of[id(its)], its, run.info.cwd).origin(its.origin, its.phase)
            for its in ill
            if its.origin is not None
        ]
        answer["advice"] = says.advice()
    return answer


class _Says:
    """What one process's verdict is, in words."""

    def __init__(self, who: Who, found: Verdict, cwd: str) -> None:
        self._who, self._found, self._cwd = who, found, cwd
        self._process: Process = who.process
        self._flow: Flow = found.flow

    def origin(self, bad: Bad, phase: Phase) -> Answer:
        """Where something was born, and why."""
        process, node = self._process, bad.node
        site = process.site_of(node)
        lines = _lines(process, None if site is None else site.file)
        code = lines[site.line - 1].strip() if site is not None and 0 < site.line <= len(lines) else None
        forward = None if node.twin is None else process.nodes.get(node.twin)
        kept = tensors_of(process, bad)
        unseen = self._flow.node(bad.seq).node != node.node
        inputs = [] if unseen else inputs_of(self._flow, bad, self._expression(node, lines), kept.read)
        fact = next((self._flow.fact(Made(bad.seq, slot)) for slot in bad.slots), None)
        where = fact.numerics.where if fact is not None and fact.numerics is not None else ()
        specs = [output.spec for output in node.outputs]
        thread = bad.call.thread or process.started.thread or "MainThread"
        return {
            "seq": bad.seq,
            "step": self._found.step_of(bad.call),
            "kind": bad.kind,
            "op": node.op,
            "phase": str(phase),
            "file": None if site is None else shown_path(site.file, self._cwd),
            "line": None if site is None else site.line,
            "function": None if site is None else site.function,
            "code": code,
            "module": inside(process.scope_path(node)),
            "forward": self._forward(bad, forward),
            "thread": thread,
            "rank": process.rank,
            "iteration": bad.call.iteration,
            "inputs": [_input(one) for one in inputs],
            "where": [list(place) for place in where],
            "cause": bad.deduced or bad.by_hand or cause_of(bad, inputs, specs),
            "expression": self._expression(node, lines),
            "birth": bad.birth,
            "growth": self._growth(bad),
            "module_path": process.scope_path(node),
            **made_at(process, node.scope, self._cwd),
            "reached": self._found.reached.kind if self._found.reached is not None else None,
            "process": self._who.number,
            "examples": [] if bad.deduced else [_example(one) for one in examples(bad, kept)],
            "unreadable": kept.trouble or None,
            "deduced": bool(bad.deduced),
        }

    def _growth(self, bad: Bad) -> Answer | None:
        growth = self._found.growth if bad is self._found.origin else None
        if growth is None:
            return None
        series = [{"step": step, "size": number(size)} for step, size in growth.series]
        return {"factor": growth.factor, "since": growth.since, "series": series}

    def _expression(self, node: NodeSeen, lines: Sequence[str]) -> str:
        """The exact part of the line, where that is known and is on one line."""
        site = self._process.site_of(node)
        if site is None or site.column < 0 or site.end_line != site.line or not 0 < site.line <= len(lines):
            return ""
        return lines[site.line - 1].encode()[site.column : site.end].decode(errors="replace")

    def _forward(self, bad: Bad, forward: NodeSeen | None) -> Answer | None:
        if forward is None:
            return None
        site = self._process.site_of(forward)
        return {
            "seq": self._flow.ran(bad.call, forward.node),
            "op": forward.op,
            "file": None if site is None else shown_path(site.file, self._cwd),
            "line": None if site is None else site.line,
        }

    def before(self, origin: Seq) -> list[Seq]:
        """The way of the largest finite numbers into the origin: the last ones, and those that grew.

        Where there are none it goes over infinities: a mask that was meant so.
        """
        flow, call = self._flow, self._outermost(origin)
        way: list[tuple[Seq, float]] = []
        at = origin
        while len(way) < FARTHEST:
            known = [
                (0.0 if found.inf else max(abs(found.low), abs(found.high)), source.seq)
                for source in flow.sources(at)
                if isinstance(source, Made)
                and (call is None or source.seq >= call.first)
                and (found := flow.range(source)) is not None
                and not found.nan
            ]
            if not known or max(known)[1] >= at:
                break
            size, at = max(known)
            way.append((at, size))
        told: list[Seq] = []
        largest = 0.0
        for seq, size in reversed(way):
            if size >= GREW * largest or seq in [near for near, _ in way[:NEXT]]:
                told.append(seq)
            largest = max(largest, size)
        return told[-MOST:]

    def _outermost(self, seq: Seq) -> Call | None:
        found = self._flow.at(seq)
        call = None if found is None else found[1]
        while call is not None and call.parent is not None:
            call = self._flow.calls[call.parent]
        return call

    def reached(self) -> Answer:
        """The first harm."""
        harm = self._found.reached
        assert harm is not None
        found = self._flow.at(harm.seq)
        step = None if found is None else self._found.step_of(found[1])
        return {"kind": harm.kind, "seq": harm.seq, "step": step, "name": harm.name}

    def place(self, seq: Seq) -> Answer:
        """An operation on the way to the harm."""
        node = self._flow.node(seq)
        site = self._process.site_of(node)
        numbers = [self._flow.range(Made(seq, slot)) for slot in range(len(node.outputs))]
        known = next((one for one in numbers if one is not None), None)
        return {
            "seq": seq,
            "op": node.op,
            "file": None if site is None else shown_path(site.file, self._cwd),
            "line": None if site is None else site.line,
            "module": inside(self._process.scope_path(node)),
            "phase": str(node.phase),
            "min": None if known is None else number(known.low),
            "max": None if known is None else number(known.high),
        }

    def advice(self) -> list[str]:
        """What is done about it."""
        bad = self._found.origin
        assert bad is not None
        node = bad.node
        forward = None if node.twin is None else self._process.nodes.get(node.twin)
        inputs = inputs_of(self._flow, bad)
        if bad.by_hand:
            return []
        specs = [output.spec for output in node.outputs]
        found = advice_for(bad, forward, bad.deduced or cause_of(bad, inputs, specs))
        return found + [self._unseen(one) for one in unseen_makers(self._process, bad)]

    def _unseen(self, node: NodeSeen) -> str:
        site = self._process.site_of(node)
        file = None if site is None else shown_path(site.file, self._cwd)
        where = "" if site is None else f" at {file}:{site.line} in {site.function}"
        return f"look at {node.op}{where}: what functions of tf.data compute is not seen"


def _lines(process: Process, file: str | None) -> list[str]:
    text = None if file is None else process.source(file)
    return text.splitlines() if text else []


def _example(one: Example) -> Answer:
    read = [{"input": k, "value": _element(value)} for k, value in sorted(one.read.items())]
    return {"at": list(one.place), "made": _element(one.made), "read": read}


def _element(value: complex) -> float | str | None:
    return str(value) if isinstance(value, complex) else number(value)


def _input(one: Input) -> Answer:
    spec = one.spec
    return {
        "value": one.value,
        "name": one.name,
        "shape": None if spec is None or spec.shape is None else list(spec.shape),
        "dtype": None if spec is None else spec.dtype,
        "min": number(one.low),
        "max": number(one.high),
        "nan": one.nan,
        "pos_inf": one.pos_inf,
        "neg_inf": one.neg_inf,
        "zeros": one.zeros,
    }


def _benign_answers(who: Who, found: Verdict, cwd: str) -> Iterator[Answer]:
    for one in found.benign:
        site = who.process.site_of(one.bad.node)
        yield {
            "seq": one.bad.seq,
            "op": one.bad.node.op,
            "reason": reason(one),
            "kind": one.bad.kind,
            "step": one.bad.call.step,
            "count": one.count,
            "file": None if site is None else shown_path(site.file, cwd),
            "line": None if site is None else site.line,
            "module": inside(who.process.scope_path(one.bad.node)),
            "process": who.number,
        }


def reason(one: Benign) -> str:
    """Why it does no harm."""
    what = {
        "declared": f"constant {one.bad.kind}",
        "outside": f"{one.bad.kind} from outside",
        "uninitialised": "memory that nobody has written",
    }.get(one.bad.birth or "", one.bad.kind)
    return f"{what}, {one.end}"
