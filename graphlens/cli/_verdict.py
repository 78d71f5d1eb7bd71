"""The verdict on a run as plain data and as text: what `graphlens why` and `check` say.

Field names are a contract: they are only ever added to, at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphlens.analyses.births import Bad
from graphlens.analyses.causes import Input, advice_for, cause_of, inputs_of
from graphlens.analyses.flow import Flow, Made
from graphlens.analyses.numerics import Benign, Verdict, verdict
from graphlens.analyses.pipelines import unseen_makers
from graphlens.analyses.ranks import first_of
from graphlens.cli._answers import made_at, number
from graphlens.cli._places import Answer, inside, shown_path
from graphlens.cli._who import gap_answers
from graphlens.cli.show import value
from graphlens.processes import Who, named
from graphlens.session import Process, Run
from graphlens.text import clean
from graphlens_tracers.events import NodeSeen, Phase, Seq

MOST_SHOWN = 8
"""Operations of a path, and harmless places, that the text lists."""


def verdict_answer(run: Run) -> Answer:
    """The verdict on a run: the first harm of all its processes."""
    whos = named(run)
    found = [(who, verdict(who.process)) for who in whos]
    gaps = gap_answers(run, whos)
    looked = run.info.level != "structure"
    complete = looked and not [gap for gap in gaps if not _keeps_numbers(gap)]
    first = first_of([one for _, one in found])
    status = "found" if first is not None else "clean" if complete else "incomplete"
    answer: Answer = {
        "schema": "graphlens/why/1",
        "status": status,
        "origin": None,
        "reached": None,
        "path": [],
        "others": [],
        "benign": [one for who, its in found for one in _benign_answers(who, its, run.info.cwd)],
        "advice": [],
        "coverage": {"complete": complete, "gaps": gaps},
    }
    if first is not None:
        one, ill = first
        of = {id(its): who for who, its in found}
        says = _Says(of[id(one)], one, run.info.cwd)
        assert one.origin is not None and one.reached is not None
        answer["origin"] = says.origin(one.origin, one.phase)
        answer["reached"] = says.reached()
        answer["path"] = [says.place(seq) for seq in one.path]
        answer["others"] = [says.origin(other, other.phase) for other in one.others]
        answer["others"] += [
            _Says(of[id(its)], its, run.info.cwd).origin(its.origin, its.phase)
            for its in ill
            if its.origin is not None
        ]
        answer["advice"] = says.advice()
    return answer


def _keeps_numbers(gap: Answer) -> bool:
    """Whether everything was looked at in spite of it: numbers are the same but for rounding."""
    return bool(gap["kind"] == "compiled" and "fuse" in gap["what"])


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
        inputs = inputs_of(self._flow, bad, self._expression(node, lines))
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
            "cause": cause_of(bad, inputs, specs),
            "expression": self._expression(node, lines),
            "birth": bad.birth,
            "growth": self._growth(bad),
            "module_path": process.scope_path(node),
            **made_at(process, node.scope, self._cwd),
            "reached": self._found.reached.kind if self._found.reached is not None else None,
            "process": self._who.number,
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
        found = advice_for(bad, forward, cause_of(bad, inputs, [output.spec for output in node.outputs]))
        return found + [self._unseen(one) for one in unseen_makers(self._process, bad)]

    def _unseen(self, node: NodeSeen) -> str:
        site = self._process.site_of(node)
        file = None if site is None else shown_path(site.file, self._cwd)
        where = "" if site is None else f" at {file}:{site.line} in {site.function}"
        return f"look at {node.op}{where}: what functions of tf.data compute is not seen"


def _lines(process: Process, file: str | None) -> list[str]:
    text = None if file is None else process.source(file)
    return text.splitlines() if text else []


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


# ── text ─────────────────────────────────────────────────────────────────────────────────────


def text_of(answer: Answer, name: str) -> Iterator[str]:
    """The verdict as a person reads it."""
    origin = answer["origin"]
    if origin is None:
        yield f"{name}: {_nothing(answer)}"
    else:
        yield from _origin_text(answer, origin)
    benign = answer["benign"]
    if benign:
        yield ""
        yield f"harmless ({len(benign)}):"
        for one in benign[:MOST_SHOWN]:
            times = f" ×{one['count']:,}" if one["count"] > 1 else ""
            yield f"  {clean(one['op'])} {_at(one)}  {clean(one['reason'])}{times}"
        if len(benign) > MOST_SHOWN:
            yield f"  and {len(benign) - MOST_SHOWN} more: --json lists all"
    gaps = answer["coverage"]["gaps"]
    if gaps:
        yield ""
        yield (
            "not seen:"
            if not answer["coverage"]["complete"]
            else "seen, but otherwise than without graphlens:"
        )
        for gap in gaps[:MOST_SHOWN]:
            yield f"  {gap['count']:,} × {clean(gap['what'], 300)}"


def _nothing(answer: Answer) -> str:
    if answer["status"] == "clean":
        return "clean: everything was looked at, and nothing that is not finite did harm"
    return "nothing harmful was found, but not everything was looked at"


def _origin_text(answer: Answer, origin: Answer) -> Iterator[str]:
    what = {"nan": "NaN", "inf": "infinity"}[origin["kind"]]
    step = "before the first step" if origin["step"] is None else f"step {origin['step']}"
    rank = f", rank {origin['rank']}" if origin["rank"] else ""
    turn = "" if origin["iteration"] is None else f", iteration {origin['iteration']}"
    yield f"{what} born in {clean(origin['op'])}, {origin['phase']}, {step}{turn}{rank}: op {origin['seq']}"
    if origin["file"]:
        yield f"  {_at(origin)}  in {clean(origin['function'] or '')}"
        yield f"    {clean(origin['code'] or '', 200)}"
    if origin["module"]:
        made = f", made at {origin['made_file']}:{origin['made_line']}" if origin["made_file"] else ""
        yield clean(f"  module {origin['module']}{made}", 300)
    if origin["forward"] is not None:
        forward = origin["forward"]
        yield f"  it is the gradient of {clean(forward['op'])} {_at(forward)}"
    if origin["cause"]:
        yield f"  {clean(origin['cause'], 300)}"
    growth = origin["growth"]
    if growth is not None:
        first, last = growth["series"][0]["size"], growth["series"][-1]["size"]
        since = "" if growth["since"] is None else f", since step {growth['since']}"
        yield (
            f"  it grew {len(growth['series'])} times in turn, from {first:.3g} to {last:.3g}: "
            f"to {growth['factor']:.3g} times as much each time{since}"
        )
    for k, one in enumerate(origin["inputs"]):
        yield f"  input {k}: {_input_text(one)}"
    if origin["where"]:
        places = ", ".join(str(place) for place in origin["where"][:4])
        yield f"  not finite at {places}{' …' if len(origin['where']) > 4 else ''}"
    reached = answer["reached"]
    named_ = f" {clean(reached['name'])}" if reached["name"] else ""
    yield f"reached the {reached['kind']}{named_} at op {reached['seq']}, by"
    yield from _path_text(answer["path"])
    for other in answer["others"]:
        yield f"also: {other['kind']} born in {clean(other['op'])} {_at(other)}, op {other['seq']}"
    for words in answer["advice"]:
        yield f"try: {words}"


def _path_text(path: Sequence[Answer]) -> Iterator[str]:
    shown = list(path)
    if len(shown) > MOST_SHOWN:
        half = MOST_SHOWN // 2
        shown = [*shown[:half], {}, *shown[-half:]]
    for one in shown:
        if not one:
            yield f"    … {len(path) - MOST_SHOWN} more"
            continue
        module = f"  {clean(one['module'])}" if one["module"] else ""
        yield f"    {one['seq']:>7}  {clean(one['op']):<34} {_at(one)}{module}"


def _input_text(one: Answer) -> str:
    shape = "…" if one["shape"] is None else ", ".join("?" if n is None else str(n) for n in one["shape"])
    numbers = "not looked at" if one["min"] is None else f"{value(one['min'])} … {value(one['max'])}"
    if one["min"] is None and (one["nan"] or one["pos_inf"] or one["neg_inf"]):
        numbers = "nothing finite"
    counts = [
        f"{one[key]:,} {what}"
        for key, what in (("nan", "NaN"), ("pos_inf", "+inf"), ("neg_inf", "-inf"), ("zeros", "zeros"))
        if one[key]
    ]
    return ", ".join([clean(f"{one['name']} {one['dtype']}[{shape}] {numbers}".strip()), *counts])


def _at(one: Answer) -> str:
    return clean(f"{one['file']}:{one['line']}") if one.get("file") else ""
