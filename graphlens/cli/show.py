"""`graphlens show`: what was recorded, as text or as JSON."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from graphlens import runs
from graphlens.cli import _who_text
from graphlens.cli._summary import how_it_ended
from graphlens.text import clean
from graphlens_tracers.errors import Usage

Answer = dict[str, Any]  # Any: JSON
WHAT = ("ops", "op", "tensor", "modules", "steps", "graphs", "health", "source", "against", "boxes")
TAKE_A_WORD = ("--process", "--output", "--input", "--view", "--save", "--rules", "--step")
"""Options that are followed by a word of theirs."""


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "show",
        help="print what was recorded, as text or JSON",
        description="Print what was recorded. Without WHAT: what ran, how it ended, what was not seen.",
        epilog="ops: every operation in execution order; op N: one of them in full (PROCESS:N in a run of "
        "several, where ranks have their rank as number); tensor N: its elements, where they were kept; "
        "modules: what ran in each; steps: every call, and where it was ill; graphs: every way through a "
        "step, how often it ran and where it parts from the one before; health: what rules hit, when, "
        "and how far it spread; source FILE: a file as it was, with what each line computed, in all or with "
        "--step in one step; op N --steps: the operation in all calls; against OTHER: what differs from "
        "another run, and where numbers part; boxes [N]: the step or function of op N, drawn.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="a path, a name that `graphlens runs` prints, or `last`")
    parser.add_argument("what", metavar="WHAT", nargs="?", help=" | ".join(WHAT))
    parser.add_argument("which", metavar="N|FILE|RUN", nargs="?", help="which op, file, other run")
    parser.add_argument(
        "--process",
        metavar="NAME|NUMBER",
        help="only this process or thread, as `show RUN` lists it: 0, 'rank 1', 'DataLoader worker 0'",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--output", type=int, metavar="K", help="with `tensor`: this output; default: 0")
    which.add_argument("--input", type=int, metavar="K", help="with `tensor`: this input")
    parser.add_argument(
        "--view",
        metavar="EXPRESSION",
        help="with `tensor`: what to see of it: 'x[0].flip(1)', 'x.isnan().sum(0)'",
    )
    parser.add_argument("--step", type=int, metavar="K", help="with `source`: only what this step computed")
    parser.add_argument(
        "--steps", action="store_true", default=None, help="with `op`: the same operation in every call"
    )
    parser.add_argument("--save", metavar="FILE.npy", help="with `tensor`: write it as NumPy's own file")
    parser.add_argument(
        "--rules",
        metavar="RULES",
        help="with `health`: what numbers are held against: 'nan inf absmax>1e4 |grad|<1e-7 all-zero uninit'",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="JSON; with `ops`, an object a line")
    form.add_argument("--plain", action="store_true", help="text, which is the default")


def options_first(words: list[str]) -> list[str]:
    """The words of this command, those with a dash before the others: argparse wants them apart."""
    options: list[str] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            others += [word, *rest]
        elif word.startswith("-") and word != "-":
            options.append(word)
            options += [value for value in [next(rest, None)] if value] if word in TAKE_A_WORD else []
        else:
            others.append(word)
    return options + others


def go(args: argparse.Namespace) -> int:
    """Exit code 0; errors are raised."""
    _check(args)
    path = runs.resolve(args.run)
    from graphlens.cli import (
        _against,
        _answers,
        _calls,
        _operations,
        _source,
        _tensor,
        _who,
    )  # numpy and the store: not before the words are right
    from graphlens.session import load

    run = load(path)
    several = len(run.processes()) > 1
    whos = _who.chosen(run, args.process)
    names = _who.names_of(whos)
    match args.what:
        case None:
            _print(_answers.run_answer(run, whos), _run_text, args.json)
        case "ops":
            found = _operations.op_answers(run, whos)
            _write(map(_operations.line_of, found) if args.json else (op_line(one, several) for one in found))
        case "op":
            if args.steps:
                _print(_calls.op_calls_answer(run, args.which, args.process), _calls.text_of, args.json)
                return 0
            answer = _operations.op_answer(run, args.which, args.process)
            _print(answer, partial(_op_text, several), args.json)
        case "tensor":
            _print(_tensor.tensor_answer(run, args), _tensor.text_of, args.json)
        case "modules":
            _print(_answers.modules_answer(whos, run.info.cwd), partial(_modules_text, names), args.json)
        case "steps":
            _print(_answers.steps_answer(whos), partial(_steps_text, names), args.json)
        case "graphs":
            _print(_answers.graphs_answer(whos), partial(_graphs_text, names), args.json)
        case "health":
            from graphlens.cli import _health  # the verdict: needed here alone

            answer = _health.health_answer(run, args.process, args.rules)
            _print(answer, _health.text_of, args.json)
        case "boxes":
            from graphlens.cli import _boxes  # the terminal UI's drawing: needed here alone

            _print(_boxes.boxes_answer(run, whos, args.which), _boxes.text_lines, args.json)
        case "against":
            from graphlens import against  # needed here alone

            other = load(runs.resolve(args.which))
            _print(against.against_answer(run, other), _against.text_of, args.json)
        case "source":
            _print(_source.source_answer(run, whos, args.which, args.step), _source.text_of, args.json)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.what is not None and args.what not in WHAT:
        raise Usage(f"there is no {clean(args.what)!r} to show; one of: {', '.join(WHAT)}")
    op = "the number of an op"
    words = {"op": op, "tensor": op, "source": "a file", "against": "another run"}
    needs = words.get(args.what or "")
    if needs and args.which is None:
        raise Usage(f"`show RUN {args.what}` needs {needs}")
    if not needs and args.which is not None and args.what != "boxes":
        raise Usage(f"`show RUN {args.what}` takes nothing more: {clean(args.which)!r}")
    for option, what in (("step", "source"), ("steps", "op")):
        if args.what != what and getattr(args, option) is not None:
            raise Usage(f"--{option} is for `show RUN {what} {'FILE' if what == 'source' else 'N'}`")
    for option in ("output", "input", "view", "save"):
        if args.what != "tensor" and getattr(args, option) is not None:
            raise Usage(f"--{option} is for `show RUN tensor N`")
    if args.what != "health" and args.rules is not None:
        raise Usage("--rules is for `show RUN health`")


def _print(answer: Answer, text: Any, as_json: bool) -> None:  # Any: Answer to lines
    import json  # `--json` alone needs it

    _write([json.dumps(answer, indent=1)] if as_json else text(answer))


def _write(lines: Iterable[str]) -> None:
    """Lines to standard output, in large pieces."""
    part: list[str] = []
    for line in lines:
        part.append(line)
        if len(part) == 512:
            sys.stdout.write("\n".join(part) + "\n")
            part.clear()
    if part:
        sys.stdout.write("\n".join(part) + "\n")


# ── text ─────────────────────────────────────────────────────────────────────────────────────


def duration(ns: float) -> str:
    """ "21.5 µs"; "–" for nothing: that is a time which nobody knows."""
    if not ns:
        return "–"
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.0f} ns"


def size(count: float) -> str:
    """ "1.5 MB"."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.3g} {unit}"
    return f"{count:.0f} bytes"


def value(number: float | str | None) -> str:
    """A minimum or maximum in few characters."""
    return "-" if number is None else number if isinstance(number, str) else f"{number:.4g}"


def shape_of(answer: Answer) -> str:
    """ "float32[8, 16]"."""
    shape = answer["shape"]
    inside = "…" if shape is None else ", ".join("?" if n is None else str(n) for n in shape)
    return clean(f"{answer['dtype']}[{inside}]")


def health(output: Answer) -> str:
    """What the numbers of an output were, in a few words."""
    if output["min"] is None and output["nan"] is None:
        return "not looked at"
    parts = [f"{value(output['min'])} … {value(output['max'])}"] if output["min"] is not None else ["empty"]
    for key, name in (("nan", "NaN"), ("pos_inf", "+inf"), ("neg_inf", "-inf")):
        if output[key]:
            parts.append(f"{output[key]:,} {name}")
    return ", ".join(parts)


def where(answer: Answer) -> str:
    """ "train.py:12", or "" without a line."""
    return clean(f"{answer['file']}:{answer['line']}") if answer.get("file") else ""


def _run_text(answer: Answer) -> Iterator[str]:
    yield clean(f"{answer['name']}   {' '.join(answer['argv'])}", 500)
    yield from _how(answer)
    frameworks = [clean(f"{one['name']} {one['version']}") for one in answer["frameworks"]]
    processes = answer["processes"]
    several = f"{len(processes)} processes" if len(processes) != 1 else "1 process"
    yield ", ".join([*(frameworks or ["no framework"]), f"level {clean(answer['level'])}", several])
    counts = f"{answer['ops']:,} ops in {answer['steps']:,} steps and {answer['graphs']:,} graphs"
    yield f"{counts}, {size(answer['size_bytes'])}"
    if answer["phases"]:
        yield "  " + ", ".join(f"{phase} {count:,}" for phase, count in answer["phases"].items())
    bad = answer["non_finite"]
    if bad["ops"]:
        first = bad["first"]
        at = f"{first['process']}:{first['seq']}" if len(processes) > 1 else first["seq"]
        kinds = f"{bad['nan']:,} with NaN, {bad['inf']:,} with infinity"
        yield f"not finite: {bad['ops']:,} ops ({kinds}), op {at} first"
    elif answer["ops"]:
        yield f"not finite: {_nothing_bad(answer)}"
    if len(processes) > 1:
        yield from _who_text.table(processes)
    for process in processes:
        if process["running"] is not None:
            yield _was_running(process["running"], answer["state"] == "running")
        if process["dropped"]:
            yield f"dropped: {process['dropped']:,} ops could not be written"
    names = {one["id"]: one["name"] for one in processes} if len(processes) > 1 else {}
    yield from _who_text.gap_lines(answer["coverage"]["gaps"], names)


def _nothing_bad(answer: Answer) -> str:
    """That nothing was found is not said as if everything had been looked at."""
    if answer["level"] == "structure":
        return "not looked at, at level structure"
    found = "none of the numbers that were looked at"
    return found if answer["coverage"]["complete"] else f"{found}, and not everything was"


def _how(answer: Answer) -> Iterator[str]:
    state, ended = answer["state"], answer["ended"]
    if state == "running":
        yield f"running for {duration(max(0.0, time.time() - answer['started']) * 1e9)}"
    elif state == "lost":
        yield "lost: the script and its host are gone, and nobody noted how it ended"
    else:
        took = "" if ended is None else f", after {duration((ended - answer['started']) * 1e9)}"
        yield f"finished: {how_it_ended(answer['exit_code'], answer['signal'])}{took}"


def _was_running(running: Answer, still: bool) -> str:
    place = " in " + clean(running["module"]) if running["module"] else ""
    line = f" ({where(running)})" if where(running) else ""
    when = "running now" if still else "running when it ended"
    return f"{when}: op {running['seq']} {clean(running['op'])}{place}{line}"


def op_line(answer: Answer, several: bool = False) -> str:
    """One operation as a line of text: number, step, phase, op, outputs, module, place."""
    seq = f"{answer['process']}:{answer['seq']}" if several else str(answer["seq"])
    step = "" if answer["step"] is None else str(answer["step"])
    outputs = "; ".join(f"{shape_of(one)} {health(one)}" for one in answer["outputs"]) or "-"
    parts = [
        f"{seq:>7} {step:>5} {answer['phase']:<9} {clean(answer['op']):<32} {outputs}",
        clean(answer["module"]),
        where(answer),
        clean(answer["error"] or ""),
    ]
    return "  ".join(part for part in parts if part)


def _op_text(several: bool, answer: Answer) -> Iterator[str]:
    seq = f"{answer['process']}:{answer['seq']}" if several else answer["seq"]
    took = f", took {duration(answer['took_ns'])}" if answer["took_ns"] else ""
    yield f"op {seq}  {clean(answer['op'])}  {answer['phase']}{took}"
    if answer["error"]:
        yield f"raised: {clean(answer['error'], 500)}"
    step = "before the first step" if answer["step"] is None else f"step {answer['step']}"
    yield f"{step}, graph {answer['graph']}, call {answer['call']} ({answer['role']}), node {answer['node']}"
    if several:
        thread = answer["thread_name"]
        also = (
            f", on thread {clean(thread)}" if thread and not answer["process_name"].endswith(thread) else ""
        )
        yield f"process {answer['process']}: {clean(answer['process_name'])}{also}"
    if answer["module_path"]:
        yield f"in {clean(answer['module_path'])}{_made_at(answer)}"
    if answer["file"]:
        yield f"at {where(answer)}   {clean(answer['code'] or '', 120)}"
    for frame in answer["frames"][1:]:
        yield f"   called from {where(frame)} {clean(frame['function'])}"
    if answer["forward"] is not None:
        forward = answer["forward"]
        yield f"backward of op {forward['seq']} {clean(forward['op'])} {where(forward)}"
    if answer["repeats"] is not None:
        first = answer["repeats"]
        yield f"computes op {first['seq']} {clean(first['op'])} again {where(first)}"
    if answer["formula"]:
        yield f"part of {clean(answer['formula'])}"
    for k, one in enumerate(answer["arguments"]):
        made = "" if one["maker"] is None else f", made by op {one['maker']}"
        name = "nothing" if one["value"] is None else f"{clean(one['name'] or '')} {shape_of(one)}"
        kind = "" if one["kind"] in (None, "made") else f", {one['kind']}"
        yield f"input {k}: {name}{kind}{made}"
    for k, (one, places) in enumerate(zip(answer["outputs"], answer["where"], strict=True)):
        written = [i for i, slot in answer["writes"] if slot == k]
        note = f", written into input {written[0]}" if written else ""
        at = f", at {places[0]}" if places else ""
        yield f"output {k}: {shape_of(one)} {health(one)}{at}{note}"
    for one in answer["by_hand"]:
        what = f"{one['which']}put {one['index']}"
        yield f"by hand: {what} was replaced by {clean(one['text'], 300)} while the script was held"
    yield f"arguments: {clean(answer['form'], 500)}"


def _made_at(answer: Answer) -> str:
    """Where the script has made a module."""
    return clean(f", made at {answer['made_file']}:{answer['made_line']}") if answer["made_file"] else ""


def _modules_text(names: dict[int, str], answer: Answer) -> Iterator[str]:
    yield f"{'ops':>9} {'time':>8} {'NaN':>7} {'inf':>7}  module"
    depths: dict[str | None, int] = {None: -1}
    last: list[int] = []
    for one in answer["modules"]:
        yield from _who_text.heading(one, last, names)
        path, parent = one["path"], one["parent"]
        depths[path] = min(depths.get(parent, -1) + 1, 40)
        name = path[len(parent) + 1 :] if parent and path.startswith(f"{parent}.") else path
        yield (
            f"{one['ops']:>9,} {duration(one['took_ns']):>8} {one['nan']:>7,} {one['inf']:>7,}  "
            f"{'  ' * depths[path]}{clean(name)} ({clean(one['kind'])}{_made_at(one)})"
        )


def _steps_text(names: dict[int, str], answer: Answer) -> Iterator[str]:
    """A line a call, functions below what called them; of the rounds of loops how many there were."""
    counts = any(one["epoch"] is not None for one in answer["calls"])
    epochs = f"{'epoch':>6} " if counts else ""
    yield f"{epochs}{'step':>6} {'role':<6} {'graph':>5} {'ops':>18} {'NaN':>7} {'inf':>7}  first bad op"
    rounds = Counter(
        (one["process"], one["parent"]) for one in answer["calls"] if one["iteration"] is not None
    )
    depths: dict[tuple[int, int | None], int] = {}
    last: list[int] = []
    for one in answer["calls"]:
        depth = depths[one["process"], one["call"]] = depths.get((one["process"], one["parent"]), -1) + 1
        if one["iteration"] is not None:
            continue
        yield from _who_text.heading(one, last, names)
        step = "" if one["step"] is None else one["step"]
        ops = f"{one['first']}–{one['last']}" if one["ops"] else "none"
        first = "" if one["first_bad"] is None else one["first_bad"]
        how = "" if one["ended"] else "not ended"
        epoch = "" if one["epoch"] is None else one["epoch"]
        begins = (f"{epoch:>6} " if counts else "") + f"{step:>6} {one['role']:<6}"
        begins = " " * len(begins) if depth else begins
        line = (
            f"{begins} {one['graph']:>5} {ops:>18} {one['nan']:>7,} {one['inf']:>7,}  "
            f"{first} {how} {clean(one['error'] or '')}"
        ).rstrip()
        said = [f"{'  ' * depth}in it: {clean(one['graph_name'])}"] if depth else []
        many = rounds[one["process"], one["call"]]
        if many:
            said.append(f"with {many:,} rounds of conditions and bodies of loops")
        inside = ", ".join(said)
        yield f"{line:<64}{inside}" if inside else line


def _graphs_text(names: dict[int, str], answer: Answer) -> Iterator[str]:
    yield f"{'graph':>5} {'nodes':>7} {'calls':>7}  name"
    last: list[int] = []
    for one in answer["graphs"]:
        yield from _who_text.heading(one, last, names)
        base = "" if one["base"] is None else f", as graph {one['base']} up to node {one['keep']}"
        counts = f"{one['graph']:>5} {one['nodes']:>7,} {one['calls']:>7,}"
        because = f"; traced again: {clean(one['because'], 200)}" if one["because"] else ""
        parts = f"; {clean(one['parts'], 300)}" if one["parts"] else ""
        yield f"{counts}  {clean(one['name'])} ({one['kind']}{base}{because}{parts})"
