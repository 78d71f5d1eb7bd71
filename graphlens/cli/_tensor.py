"""A kept tensor as `graphlens show RUN tensor N` prints or saves it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from graphlens.elements import Array, Elements
from graphlens.expressions import evaluate
from graphlens.ops import command_to_see
from graphlens.plain import Answer, number
from graphlens.processes import of_op
from graphlens.session import Process, Run
from graphlens.statistics import statistics
from graphlens.text import clean
from graphlens_tracers.errors import CannotWrite, UnknownOp, ValueGone
from graphlens_tracers.events import Seq

WIDTH = 100
"""Characters of a line of numbers."""


def tensor_answer(run: Run, args: argparse.Namespace) -> Answer:
    """Elements of one output or input of an operation, or what an expression makes of them.

    Raises:
        ValueGone: They were not kept.
        UnknownOp, UnknownName, Usage, BadRunFile, CannotWrite: As they say.
    """
    who, seq = of_op(run, args.which, args.process)
    elements = _elements(who.process, Seq(seq), args.output, args.input)
    shown = elements.array if args.view is None else evaluate(args.view, elements.array)
    if args.save is not None:
        _save(args.save, shown)
    flat = shown.reshape(-1)
    found = statistics(shown)
    return {
        "schema": "graphlens/tensor/1",
        "seq": seq,
        "process": who.number,
        "output": args.output or 0 if args.input is None else None,
        "input": args.input,
        "shape": list(elements.spec.shape or ()),
        "dtype": elements.spec.dtype,
        "start": elements.start,
        "whole": elements.whole,
        "view": args.view,
        "view_shape": list(shown.shape),
        **{name: _plain(value) for name, value in asdict(found).items()},
        "saved": args.save,
        "text": np.array2string(shown, max_line_width=WIDTH, threshold=1000),
        "elements": [str(one) if isinstance(one, complex) else number(one) for one in flat.tolist()],
    }


def _elements(process: Process, seq: Seq, output: int | None, given: int | None) -> Elements:
    op = process.op(seq)
    count, what = (len(op.outputs), "output") if given is None else (len(op.inputs), "input")
    k = (output or 0) if given is None else given
    if not 0 <= k < count:
        several = f"{count} {what}{'' if count == 1 else 's'}"
        raise UnknownOp(f"op {seq} {clean(op.node.op)} has {several}: there is no {what} {k}")
    kept = process.kept(seq).get((None, k) if given is None else (k, None))
    if kept is None:
        there = ", ".join(
            f"output {slot}" if slot is not None else f"input {position}"
            for position, slot in process.kept(seq)
        )
        raise ValueGone(
            f"{what} {k} of op {seq} {clean(op.node.op)} was not kept; to see it: graphlens "
            f"{clean(command_to_see(process, op), 300)} SCRIPT"
            + (f"; of this op there are: {there}" if there else "")
        )
    return process.elements(kept)


def _save(file: str, array: Array) -> None:
    try:
        with Path(file).open("wb") as out:
            np.save(out, array, allow_pickle=False)
    except OSError as error:
        raise CannotWrite(f"cannot write {file}: {error.strerror}; name another file") from error


def text_of(answer: Answer) -> Iterator[str]:
    """What it is, and its elements; of many the first and the last."""
    which = f"input {answer['input']}" if answer["output"] is None else f"output {answer['output']}"
    shape = ", ".join(map(str, answer["shape"]))
    yield f"op {answer['seq']}, {which}: {answer['dtype']}[{shape}]"
    if not answer["whole"]:
        first = answer["start"]
        yield f"only elements from {first:,} on were kept, in order"
    if answer["view"] is not None:
        yield f"{clean(answer['view'], 200)}: [{', '.join(map(str, answer['view_shape']))}]"
    yield from _statistics_text(answer)
    if answer["saved"]:
        yield f"saved as {clean(answer['saved'], 500)}"
    yield from answer["text"].splitlines()


def _statistics_text(answer: Answer) -> Iterator[str]:
    if answer["low"] is not None:
        low, half, high = answer["percentiles"]
        yield (
            f"{answer['low']:.6g} … {answer['high']:.6g}, mean {answer['mean']:.6g} ± {answer['spread']:.6g}"
            f", p1 {low:.6g}, p50 {half:.6g}, p99 {high:.6g}"
        )
    counts = (("zeros", "zeros"), ("nan", "NaN"), ("pos_inf", "+inf"), ("neg_inf", "-inf"))
    some = [f"{answer[key]:,} {name}" for key, name in counts if answer[key]]
    if some:
        yield f"of {answer['size']:,}: {', '.join(some)}"


def _plain(value: object) -> object:
    """JSON of a number, or of several."""
    if isinstance(value, tuple):
        return [number(one) for one in value]
    return number(value) if isinstance(value, float) else value
