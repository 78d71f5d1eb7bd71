"""`graphlens show RUN source FILE`: a file as it was, and what each of its lines computed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from graphlens.cli._operations import output_answer
from graphlens.cli.show import duration, health, shape_of
from graphlens.plain import Answer, shown_path
from graphlens.processes import Who
from graphlens.rows import INF, NAN, Ints
from graphlens.session import Process, Run
from graphlens.source_lines import AT_ONCE, Part, Places, Ran, parts_of_step
from graphlens.text import clean, clean_line, lines_of
from graphlens_tracers.errors import UnknownName


def source_answer(run: Run, whos: Sequence[Who], wanted: str, step: int | None = None) -> Answer:
    """A source file as it was, with what each line computed in these processes.

    Args:
        wanted: Its path, or the end of it.
        step: Only what this step computed; None: everything.

    Raises:
        UnknownName: No file of that name was kept, or more than one; or there was no such step.
    """
    file, digest = _file(run, whos, wanted)
    text = run.source(digest)
    lines: list[Answer] = [
        {"line": k, "code": code, "nodes": 0, "ops": 0, "nan": 0, "inf": 0, "took_ns": 0, "telling": None}
        for k, code in enumerate(lines_of(text or ""), 1)
    ]
    stepped = False
    for who in whos:
        if who.process.sources.get(file) != digest:  # another one has run another text of it
            continue
        parts = [Part(0, int(who.process.end))] if step is None else parts_of_step(who.process, step)
        stepped = stepped or bool(parts)
        _add_to_lines(lines, who, file, parts)
    if step is not None and not stepped:
        raise UnknownName(f"no step {step} in the processes that ran {clean(shown_path(file, run.info.cwd))}")
    return {
        "schema": "graphlens/source/1",
        "file": shown_path(file, run.info.cwd),
        "digest": digest,
        "lines": lines,
        "kept": text is not None,
        "step": step,
    }


def _file(run: Run, whos: Sequence[Who], wanted: str) -> tuple[str, str]:
    """The one file of that name, and its digest."""
    cwd = run.info.cwd
    digests: dict[str, str] = {}
    for who in whos:
        for file, digest in list(who.process.sources.items()):
            digests.setdefault(file, digest)
    exact = [file for file in digests if wanted in (file, shown_path(file, cwd))]
    ends = [file for file in digests if file.endswith(os.sep + wanted.lstrip(os.sep))]
    matching = exact or ends
    if len(matching) != 1:
        have = ", ".join(clean(shown_path(file, cwd)) for file in sorted(matching or digests)) or "none"
        what = "more than one source file ends in" if matching else "no source file"
        raise UnknownName(f"{what} {clean(wanted)!r}; this run has: {have}")
    return matching[0], digests[matching[0]]


def _add_to_lines(lines: list[Answer], who: Who, file: str, parts: Sequence[Part]) -> None:
    process, places = who.process, Places(who.process)
    ran = places.ran(file, parts)
    _, declared = places.nodes_on(file)
    for number, count in zip(*(one.tolist() for one in np.unique(declared, return_counts=True)), strict=True):
        if 1 <= number <= len(lines):
            lines[number - 1]["nodes"] += count
    bad = process.bad_rows()
    took, flags = _columns(process, ran, parts)
    edges = np.flatnonzero(np.diff(ran.line, prepend=-1, append=1 << 60)).tolist()
    for low, high in itertools.pairwise(edges):
        number = int(ran.line[low])
        if not 1 <= number <= len(lines):
            continue
        line = lines[number - 1]
        line["ops"] += high - low
        line["nan"] += int(np.count_nonzero(flags[low:high] & NAN))
        line["inf"] += int(np.count_nonzero(flags[low:high] & INF))
        line["took_ns"] += int(took[low:high].sum())
        if line["telling"] is None or not line["telling"]["ill"]:
            told = _telling(who, ran.of(number), bad)
            if line["telling"] is None or (told is not None and told["ill"]):
                line["telling"] = told


def _columns(process: Process, ran: Ran, parts: Sequence[Part]) -> tuple[Ints, npt.NDArray[np.uint8]]:
    """How long each of these operations took, and its flags."""
    took, flags = np.zeros(len(ran.seq), np.int64), np.zeros(len(ran.seq), np.uint8)
    for part in parts:
        for start in range(part.first, part.stop, AT_ONCE):
            rows = process.rows(start, min(start + AT_ONCE, part.stop))
            if not len(rows.seq):
                continue
            at = np.minimum(np.searchsorted(rows.seq, ran.seq), len(rows.seq) - 1)
            here = rows.seq[at] == ran.seq
            took[here], flags[here] = rows.took[at[here]], rows.flags[at[here]]
    return took, flags


def _telling(who: Who, ran: Ran, bad: Ints) -> Answer | None:
    seq = ran.telling(bad)
    if seq is None:
        return None
    op = who.process.op(seq)
    return {
        "seq": seq,
        "process": who.number,
        "op": op.node.op,
        "phase": str(op.node.phase),
        "ill": bool(np.isin(seq, bad)),
        "outputs": [output_answer(one) for one in op.outputs],
    }


def text_of(answer: Answer) -> Iterator[str]:
    """A line a line: how many operations, their time, NaN or infinity, the code, what it gave."""
    step = "" if answer["step"] is None else f"   step {answer['step']}"
    yield clean(answer["file"], 500) + step
    if not answer["kept"]:
        yield "the text was not kept: it was too large, or could not be read when the script ran"
    for one in answer["lines"]:
        ops = f"{one['ops']:,}" if one["ops"] else ""
        time_ = duration(one["took_ns"]) if one["ops"] else ""
        mark = "NaN" if one["nan"] else "inf" if one["inf"] else ""
        line = f"{ops:>9} {time_:>8} {mark:>3} {one['line']:>5}  {clean_line(one['code'])}"
        told = one["telling"]
        if told is not None:
            outputs = "; ".join(f"{shape_of(out)} {health(out)}" for out in told["outputs"]) or "-"
            line = f"{line:<100}  # {clean(told['op'])} {outputs}"
        yield line.rstrip()
