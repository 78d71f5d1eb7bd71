"""The health of a run for `graphlens show`: alerts, steps by operations, spread by module."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from graphlens.health import OPTIMIZER, Cells, Group, Step, find, worst
from graphlens.plain import Answer
from graphlens.processes import find as find_process
from graphlens.rules import STANDARD, Alert, parsed
from graphlens.session import Run
from graphlens.text import clean
from graphlens_tracers.errors import Usage

WORDS = ("no number", "finite", "large", "inf", "nan")
"""What each kind of cell is called."""
SIGNS = "_-=iX"
"""The same in a strip of text."""
STRIP = 60
"""Signs of the longest strip."""


def health_answer(run: Run, wanted: str | None, rules: str | None) -> Answer:
    """What the Health mode of the terminal UI shows, but for the verdict itself, which `why` prints.

    Args:
        wanted: The process; without one that of the verdict, or that which trains.
        rules: What numbers are held against; without any what the UI begins with.

    Raises:
        UnknownName: There is no such process.
        Usage: What is said of a rule that is none.
    """
    try:
        held = parsed(STANDARD if rules is None else rules)
    except ValueError as error:
        raise Usage(clean(str(error), 300)) from error
    process = run.main if wanted is None else find_process(run, wanted).process
    findings = find(run, process, held, only=wanted is not None)
    origin, who = findings.answer["origin"], findings.who
    focus = findings.steps[findings.focus] if 0 <= findings.focus < len(findings.steps) else None
    first = 0 if focus is None else int(focus.call.first)
    return {
        "schema": "graphlens/health/1",
        "process": None if who is None else who.number,
        "process_name": None if who is None else who.name,
        "status": findings.answer["status"],
        "origin": origin and {key: origin[key] for key in ("process", "seq", "step", "kind", "op")},
        "later": {"not_finite": findings.later[0], "ops": findings.later[1]},
        "alerts": [_alert(one) for one in findings.alerts],
        "calls": runs_of(findings.whole),
        "steps": [_step(one) for one in findings.steps],
        "focus": None if focus is None else {"step": focus.call.step, "first": first, "ops": focus.ops},
        "phases": [
            {"name": name, "first": first + start, "last": first + stop - 1}
            for name, start, stop in findings.phases
        ],
        "sizes": [None if np.isnan(size) else float(size) for size in findings.sizes],
        "modules": [_module(one) for one in findings.groups],
        "coverage": findings.answer["coverage"],
    }


def _alert(alert: Alert) -> Answer:
    rule = alert.rule
    return {"rule": rule.text, "meaning": rule.meaning, "ops": alert.count, "first": alert.first}


def _step(step: Step) -> Answer:
    call = step.call
    return {
        "step": call.step,
        "role": str(call.role),
        "first": call.first,
        "last": call.last,
        "ops": step.ops,
        "cells": runs_of(step.cells),
    }


def _module(group: Group) -> Answer:
    passes = zip(("forward", "backward"), (group.forward, group.backward), group.counts, strict=True)
    return {
        "module": group.name,
        **{
            name: {"ops": dict(zip(WORDS, counts, strict=True)), "cells": runs_of(cells)}
            for name, cells, counts in passes
        },
    }


def runs_of(cells: Cells) -> list[tuple[str, int]]:
    """Cells in order, as (what they are, how many in a row)."""
    return [(WORDS[kind], sum(1 for _ in same)) for kind, same in itertools.groupby(cells.tolist())]


# ── text ─────────────────────────────────────────────────────────────────────────────────────


def text_of(answer: Answer) -> Iterator[str]:
    """What a person reads, or has read out."""
    origin, later = answer["origin"], answer["later"]
    if answer["process"] is None:
        yield "nothing was recorded"
        return
    if origin is None:
        yield f"{answer['status']}: no operation made a NaN or an infinity that did harm"
    else:
        step = "before the first step" if origin["step"] is None else f"in step {origin['step']}"
        what = "NaN" if origin["kind"] == "nan" else "infinity"
        after = f"; {later['not_finite']:,} of {later['ops']:,} later ops not finite" if later["ops"] else ""
        yield f"first harm: {what} {step}, op {origin['seq']} {clean(origin['op'], 60)}{after}"
    yield f"process {answer['process']}: {clean(answer['process_name'], 60)}"
    yield ""
    yield "alerts, in operations of the whole run:"
    for one in answer["alerts"]:
        first = "" if one["first"] is None else f", op {one['first']} first"
        yield f"  {one['ops']:>9,}  {clean(one['rule']):<12}  {one['meaning']}{first}"
    yield from _steps_text(answer)
    yield from _modules_text(answer)


def _steps_text(answer: Answer) -> Iterator[str]:
    yield ""
    yield "steps by operations: " + ", ".join(
        f"{sign} {word}" for sign, word in zip(SIGNS, WORDS, strict=True)
    )
    steps = answer["steps"]
    if sum(many for _, many in answer["calls"]) > len(steps):
        yield f"  {'the run':<13} {_strip(answer['calls'], STRIP)}"
    longest = max((one["ops"] for one in steps), default=1)
    for one in steps:
        name = one["role"] if one["step"] is None else f"step {one['step']}"
        name += "" if one["role"] == "train" or one["step"] is None else f" {one['role']}"
        strip = _strip(one["cells"], max(1, STRIP * one["ops"] // max(1, longest)))
        bad = _counted(one["cells"])
        yield f"  {clean(name):<13} {strip:<{STRIP}} {one['ops']:,} ops{bad}"
    if answer["focus"] is None:
        return
    step = answer["focus"]["step"]
    name = "outside of steps" if step is None else f"step {step}"
    phases = ", ".join(f"{one['name']} {one['first']}-{one['last']}" for one in answer["phases"])
    sizes = [size for size in answer["sizes"] if size is not None]
    largest = f"; largest finite size {max(sizes):.4g}" if sizes else ""
    yield f"  {name}: {phases or 'no phases'}{largest}"


def _modules_text(answer: Answer) -> Iterator[str]:
    if not answer["modules"]:
        return
    step = answer["focus"]["step"]
    yield ""
    yield f"spread by module{'' if step is None else f' in step {step}'}, the last to run first:"
    for one in answer["modules"]:
        parts = [f"{name} {_kinds(one[name]['ops'])}" for name in ("forward", "backward")]
        shown = [part for part in parts if not part.endswith(" none")]
        if one["module"] == OPTIMIZER:  # it has no passes
            shown = [_kinds(one["forward"]["ops"])]
        yield f"  {clean(one['module'], 60):<28} {'; '.join(shown)}"


def _kinds(ops: dict[str, int]) -> str:
    return ", ".join(f"{many:,} {word}" for word, many in ops.items() if many) or "none"


def _counted(runs: Sequence[tuple[str, int]]) -> str:
    """Which kinds of harm are among cells; how many there are is said by `show RUN steps`."""
    kinds = {word for word, _ in runs}
    return "".join(f", {name}" for word, name in (("inf", "infinity"), ("nan", "NaN")) if word in kinds)


def _strip(runs: Sequence[tuple[str, int]], most: int) -> str:
    kinds = [WORDS.index(word) for word, _ in runs]
    cells = np.repeat(np.array(kinds, np.uint8), [many for _, many in runs])
    return "".join(SIGNS[kind] for kind in worst(cells, most).tolist())
