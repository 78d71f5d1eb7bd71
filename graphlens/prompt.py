"""The words of the debugger: one line in, one answer out, as data and as text.

`graphlens debug` reads them from standard input, the terminal UI from its command line. Words that
make the script go on give no answer: what comes next is a stop, or the end.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphlens import project
from graphlens.debugger import Debugger, Stop
from graphlens.elements import array_of
from graphlens.text import clean, clean_line
from graphlens_tracers.control import Breakpoint, Way, words_of
from graphlens_tracers.errors import NotLive, Usage

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Word:
    """One command.

    Attributes:
        names: The first is the one that the help shows first.
        takes: What may follow it.
    """

    names: tuple[str, ...]
    takes: str
    help: str


WORDS = (
    Word(("step", "s"), "[N]", "to the next operation; N: the Nth"),
    Word(("next", "n", "over"), "[N]", "over: to the next one at this depth of modules and functions"),
    Word(("out", "u", "finish"), "", "out of this module call, or function"),
    Word(("line", "l"), "[N]", "to the next line of your source"),
    Word(("until",), "phase|training-step|non-finite|#NUMBER|WHERE", "on, until there"),
    Word(("after", "a"), "", "run this operation, and stop right after it"),
    Word(("continue", "c"), "", "on, to the next breakpoint"),
    Word(
        ("break", "b"),
        "WHERE [if CONDITION]",
        "stop at log, aten.log*, layers.*.attn, FILE:LINE, #84, backward",
    ),
    Word(("tbreak",), "WHERE [if CONDITION]", "the same, once"),
    Word(
        ("watch", "w"),
        "RULE",
        "stop after what makes nan, inf, non-finite, absmax>1e4, or an expression of out",
    ),
    Word(("breakpoints", "info"), "", "the breakpoints and how often they were hit"),
    Word(("delete",), "[NUMBER]", "take a breakpoint away, or all"),
    Word(("enable",), "NUMBER", "let a breakpoint stop again"),
    Word(("disable",), "NUMBER", "let it not"),
    Word(("ignore",), "NUMBER HITS", "let its first hits pass"),
    Word(("edit",), "NUMBER WHERE [if CONDITION]", "let a breakpoint be somewhere else"),
    Word(("condition",), "NUMBER [CONDITION]", "let it stop only if this is true; without one: always"),
    Word(("save",), "", "keep the breakpoints with the project, in .graphlens.toml"),
    Word(("where", "bt"), "", "where the script is: its lines, and modules"),
    Word(("rank",), "N", "look at another rank that is held, too"),
    Word(("frame", "f"), "N", "look at another frame: 0 is the innermost"),
    Word(("locals",), "", "local variables of the frame"),
    Word(("inputs", "i"), "", "the operation's tensors in"),
    Word(("outputs", "o"), "", "its tensors out, once it has run"),
    Word(("print", "p"), "EXPRESSION", "evaluate in the frame; in0, out0 are the operation's"),
    Word(("eval", "e", "!"), "CODE", "an expression or statements, in the frame"),
    Word(("set",), "in0|out0 = EXPRESSION", "replace a tensor, and go on with it later; x is what it was"),
    Word(("pdb",), "", "Python's own debugger in this frame, in the script's terminal"),
    Word(("why",), "", "which number went wrong first, so far"),
    Word(
        ("show",),
        "op N | tensor N | steps | ...",
        "what was recorded so far, as graphlens show RUN; also when the script has ended",
    ),
    Word(("pause",), "", "stop a script that runs, at its next operation"),
    Word(("restart",), "", "run the script again, up to the operation it was last held at"),
    Word(("detach", "quit", "q"), "", "let the script go on without us"),
    Word(("kill", "k"), "", "end the script"),
    Word(("help", "h"), "", "these words"),
)
"""In the order of the help."""
_WORDS = {name: word.names[0] for word in WORDS for name in word.names}
GOES = {"step": Way.STEP, "next": Way.OVER, "out": Way.OUT, "line": Way.LINE, "after": Way.AFTER,
        "continue": Way.CONTINUE}  # fmt: skip


class Prompt:
    """Obeys words about one stop of a debugger.

    Attributes:
        stop: The one that words are about; None while the script runs.
        frame: The frame that is looked at, 0 for the innermost.
        changes: What was replaced by hand: (operation's number, which tensor, expression).
        ended: How the script ended, in words: there is nobody to ask then; "" while it runs.
    """

    def __init__(
        self,
        debugger: Debugger,
        why: Callable[[], Answer] | None = None,
        show: Callable[[list[str]], Answer] | None = None,
    ) -> None:
        """Begin without a stop.

        Args:
            why: The verdict so far; None where nobody can give it.
            show: What `graphlens show RUN` answers to these words; likewise.
        """
        self.debugger = debugger
        self.stop: Stop | None = None
        self.frame = 0
        self.changes: list[tuple[int, str, str]] = []
        self.ended = ""
        self._at = 0
        self._verdict, self._shown = why, show

    def stopped(self, stop: Stop) -> Answer:
        """A thread has stopped: words are about it from now on."""
        self.stop, self.frame, self._at = stop, 0, stop.said["seq"]
        said = {key: value for key, value in stop.said.items() if key != "gone"}
        others = [one.said for one in self.debugger.stops if one is not stop and not one.over]
        held = [{"rank": one.get("rank"), "pid": one["pid"], "seq": one["seq"]} for one in others]
        return {"answer": "stopped", **said, "held": held}

    def obey(self, line: str) -> Answer | None:
        """Do what a line says; None when the script goes on.

        Raises:
            Usage, ValueError: It means nothing here.
            NotLive: The script has gone.
        """
        line = line.strip()
        word, _, rest = line.partition(" ")
        if line.startswith("!"):
            word, rest = "!", line[1:]
        name, rest = _WORDS.get(word, ""), rest.strip()
        if not name:
            near = difflib.get_close_matches(word, _WORDS, 1)
            raise Usage(
                f"there is no word {word!r}" + (f"; did you mean {near[0]!r}?" if near else "; see help")
            )
        if name in GOES:
            self._on(GOES[name], _count(rest))
            return None
        answer: Answer | None = getattr(self, f"_{name}")(rest)
        return answer

    def _held(self) -> Stop:
        self._alive()
        if self.stop is None:
            raise Usage("the script runs: `pause` stops it")
        return self.stop

    def _alive(self) -> None:
        if self.ended:
            raise NotLive(f"the script has ended: {self.ended}")

    def _on(self, way: Way, times: int = 1, to: int = 0) -> None:
        """Let it go on. It may stop again before this returns: `stop` is the new one then."""
        stop, self.stop = self._held(), None
        stop.go(way, times, to)

    # ── going on ─────────────────────────────────────────────────────────────────────────────

    def _until(self, rest: str) -> None:
        self._held()
        ways = {"phase": Way.PHASE, "training-step": Way.TRAINING_STEP, "step": Way.TRAINING_STEP,
                "non-finite": Way.NON_FINITE, "nan": Way.NON_FINITE, "line": Way.LINE}  # fmt: skip
        if rest in ways:
            self._on(ways[rest])
        elif rest.startswith("#") and rest[1:].isdigit():
            self._on(Way.AT, to=int(rest[1:]))
        else:
            self.debugger.add(rest, temporary=True)
            self._on(Way.CONTINUE)

    def _pause(self, _rest: str) -> Answer:
        self._alive()
        self.debugger.pause()
        return {"answer": "pausing", "text": "the script stops at its next operation"}

    def _detach(self, _rest: str) -> Answer:
        self.debugger.close()
        self.stop = None
        return {"answer": "detached"}

    def _kill(self, _rest: str) -> Answer:
        self._alive()
        return {"answer": "kill"}

    def _restart(self, _rest: str) -> Answer:
        return {"answer": "restart", "to": self._at}

    # ── breakpoints ──────────────────────────────────────────────────────────────────────────

    def _break(self, rest: str) -> Answer:
        return _breakpoint(self.debugger.add(self._here(rest)))

    def _tbreak(self, rest: str) -> Answer:
        return _breakpoint(self.debugger.add(self._here(rest), temporary=True))

    def _here(self, where: str) -> str:
        """A bare number is a line of the file that the script is in."""
        first, _, rest = where.partition(" ")
        if not first.isdigit():
            return where
        stack = self._held().said["stack"]
        if not stack:
            raise Usage("the script is in no file here: FILE:LINE, or #NUMBER for an operation")
        return f"{stack[min(self.frame, len(stack) - 1)]['file']}:{first} {rest}".strip()

    def _watch(self, rest: str) -> Answer:
        return _breakpoint(self.debugger.watch(rest))

    def _breakpoints(self, _rest: str) -> Answer:
        return {"answer": "breakpoints", "breakpoints": [_as_data(one) for one in self.debugger.breakpoints]}

    def _delete(self, rest: str) -> Answer:
        for number in [_whole(rest)] if rest else [one.number for one in self.debugger.breakpoints]:
            self.debugger.delete(number)
        return self._breakpoints("")

    def _enable(self, rest: str) -> Answer:
        self.debugger.enable(_whole(rest), True)
        return self._breakpoints("")

    def _disable(self, rest: str) -> Answer:
        self.debugger.enable(_whole(rest), False)
        return self._breakpoints("")

    def _ignore(self, rest: str) -> Answer:
        number, _, hits = rest.partition(" ")
        self.debugger.find(_whole(number)).ignore = _whole(hits)
        self.debugger.changed()
        return self._breakpoints("")

    def _edit(self, rest: str) -> Answer:
        number, _, where = rest.partition(" ")
        return _breakpoint(self.debugger.edit(_whole(number), self._here(where.strip())))

    def _condition(self, rest: str) -> Answer:
        number, _, condition = rest.partition(" ")
        one = self.debugger.find(_whole(number))
        where = words_of(replace(one, condition=""))
        condition = condition.strip()
        return _breakpoint(self.debugger.edit(one.number, where + f" if {condition}" * bool(condition)))

    def _save(self, _rest: str) -> Answer:
        path = project.save(Path.cwd(), self.debugger.breakpoints)
        return {"answer": "saved", "text": f"the breakpoints are kept in {path}"}

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def _where(self, _rest: str) -> Answer:
        said = self._held().said
        return {"answer": "where", "frame": self.frame, "stack": said["stack"], "modules": said["modules"],
                "forward": said.get("forward")}  # fmt: skip

    def _rank(self, rest: str) -> Answer:
        self._alive()
        for stop in list(self.debugger.stops):
            if stop.said.get("rank") == _whole(rest) and not stop.over:
                return self.stopped(stop)
        raise Usage(f"rank {rest} is not held")

    def _frame(self, rest: str) -> Answer:
        count = len(self._held().said["stack"])
        at = _whole(rest)
        if at >= count:
            raise Usage(f"there are {count} frames: 0 is the innermost")
        self.frame = at
        return self._where("")

    def _locals(self, _rest: str) -> Answer:
        return {"answer": "locals", **self._held().ask("locals", frame=self.frame)[0]}

    def _inputs(self, _rest: str) -> Answer:
        return {"answer": "tensors", "inputs": self._held().said["inputs"]}

    def _outputs(self, _rest: str) -> Answer:
        said = self._held().said
        if said["when"] == "before":
            raise Usage("it has not run yet: `after` runs it, and stops right after it")
        return {"answer": "tensors", "outputs": said["outputs"]}

    def _print(self, rest: str) -> Answer:
        if not rest:
            raise Usage("print what? for example: print in0[0].abs().max()")
        return self._evaluated(rest, elements=True)

    def _eval(self, rest: str) -> Answer:
        return self._evaluated(rest, elements=False)

    def _evaluated(self, text: str, *, elements: bool) -> Answer:
        found, data = self._held().ask("eval", text=text, frame=self.frame, elements=elements)
        answer: Answer = {"answer": "value", "tensor": found.get("tensor")}
        answer |= {name: found.get(name, "") for name in ("text", "printed", "error")}
        if data or "shape" in found:
            array = array_of(found["dtype"], found["shape"], data)
            answer["text"] = np.array2string(array, max_line_width=100, threshold=200)
        return answer

    def _set(self, rest: str) -> Answer:
        which, _, text = rest.partition("=")
        which, text = which.strip(), text.strip()
        kind, index = which.rstrip("0123456789"), which[len(which.rstrip("0123456789")) :] or "0"
        if kind not in ("in", "out") or not text:
            raise Usage("set what to what? for example: set out0 = x.clamp(min=1e-6)")
        stop = self._held()
        answer, _ = stop.ask("replace", which=kind, index=int(index), text=text, frame=self.frame)
        self.changes.append((stop.said["seq"], which, text))
        return {"answer": "replaced", "which": which, "text": text, "later": bool(answer.get("later"))}

    def _pdb(self, _rest: str) -> Answer:
        self._held().ask("pdb", frame=self.frame)
        return {"answer": "pdb is over"}

    def _why(self, _rest: str) -> Answer:
        if self._verdict is None:
            raise Usage("nobody can say so here: graphlens why RUN")
        return {"answer": "verdict", **self._verdict()}

    def _show(self, rest: str) -> Answer:
        if self._shown is None:
            raise Usage("nobody can say so here: graphlens show RUN")
        try:
            words = shlex.split(rest)
        except ValueError as error:
            raise Usage(f"{rest!r}: {error}") from error
        return {"answer": "shown", **self._shown(words)}

    def _help(self, _rest: str) -> Answer:
        return {"answer": "help", "words": [asdict(word) for word in WORDS]}


def _count(rest: str) -> int:
    return _whole(rest) if rest else 1


def _whole(text: str) -> int:
    if not text.isdigit() or len(text) > 15:
        raise Usage(f"{text!r} is no number")
    return int(text)


def _breakpoint(made: Breakpoint) -> Answer:
    return {"answer": "breakpoint", **_as_data(made)}


def _as_data(one: Breakpoint) -> Answer:
    return {**asdict(one), "text": str(one)}


# ── as text ──────────────────────────────────────────────────────────────────────────────────


def text_of(answer: Answer) -> Iterator[str]:
    """An answer as lines for a person."""
    kind = answer["answer"]
    if kind == "stopped":
        yield from stop_text(answer)
    elif kind == "breakpoint":
        yield f"breakpoint {answer['number']}: {clean(answer['text'])}"
    elif kind == "breakpoints":
        yield from _breakpoints_text(answer["breakpoints"])
    elif kind == "where":
        yield from _where_text(answer)
    elif kind == "locals":
        for name, value in answer["locals"].items():
            yield f"{clean(name)} = {clean(value, 200)}"
    elif kind == "tensors":
        for name in ("inputs", "outputs"):
            for k, tensor in enumerate(answer.get(name, ())):
                yield f"  {name[:-1].removesuffix('put')}{k}  {tensor_text(tensor)}"
    elif kind == "value":
        yield from map(clean_line, answer["printed"].splitlines())
        yield from map(clean_line, (answer["error"] or answer["text"]).splitlines())
    elif kind == "replaced":
        later = "; it will be when the operation has run" if answer["later"] else ""
        yield f"{clean(answer['which'])} is replaced by {clean(answer['text'])}{later}"
    elif kind == "shown":
        yield from answer["lines"]
    elif kind == "help":
        for word in answer["words"]:
            yield f"  {', '.join(word['names']) + ' ' + word['takes']:<44} {word['help']}"
    elif kind == "error":
        yield clean_line(answer["error"])
    elif kind in ("interrupted", "pausing", "saved"):
        yield clean_line(answer["text"])
    else:
        yield kind


def stop_text(said: Answer) -> Iterator[str]:
    """Where a thread has stopped."""
    step = "" if said["step"] is None else f" · step {said['step']}"
    place = f" · {clean(said['module'])}" if said["module"] else ""
    what = f"{said['when']} op {said['seq']} {clean(said['op'])} · {said['phase']}"
    yield f"{what}{step}{place}  ({clean(said['why'])})"
    if "rank" in said:
        yield f"  {ranks_text(said)}"
    yield from _graph_text(said)
    for frame in said["stack"][:1]:
        yield f"  {clean(frame['file'])}:{frame['line']} in {clean(frame['function'])}"
        yield f"    {clean_line(frame['code'])}"
    forward = said.get("forward")
    if forward:
        where = f" at {clean(forward['file'])}:{forward['line']}" if "file" in forward else ""
        yield f"  differentiates {clean(forward['op'])}{where}"
    yield from text_of({"answer": "tensors", "inputs": said["inputs"], "outputs": said["outputs"]})


def ranks_text(said: Answer) -> str:
    """Which rank is held, which others are, too, and which will wait for them."""
    held = {said["rank"], *(one["rank"] for one in said.get("held", ()))}
    also = ", ".join(map(str, sorted(held - {said["rank"], None})))
    others = [rank for rank in range(said["world"]) if rank not in held]
    text = f"rank {said['rank']} of {said['world']}" + (f"; held, too: {also}" if also else "")
    if others:
        some = ", ".join(map(str, others[:8])) + (", …" if len(others) > 8 else "")
        text += f"; {some} will wait at the next collective, as long as its timeout lets them"
    return text


def _graph_text(said: Answer) -> Iterator[str]:
    """Of an operation of a graph: its node, where that stands, and the functions around it."""
    for place in said.get("source", ())[:1]:
        where = f"{clean(place['file'])}:{place['line']} in {clean(place['function'])}"
        yield f"  {clean(said['node'])} at {where}"
    inside = [
        clean(one["function"]) + (f" (iteration {one['iteration']})" if one["iteration"] is not None else "")
        for one in said.get("graphs", ())
    ]
    if inside:
        yield "  in " + " › ".join(inside)


def tensor_text(tensor: Answer | None) -> str:
    """One tensor in a line."""
    if tensor is None:
        return "no tensor"
    text = f"{clean(tensor['dtype'])}[{','.join(map(str, tensor['shape']))}]"
    if tensor.get("name"):
        text = f"{clean(tensor['name'])} {text}"
    if "min" in tensor:
        low, high = tensor["min"], tensor["max"]
        text += "  nothing finite" if low is None else f"  {low:.6g} … {high:.6g}"
        counts = (("nan", "NaN"), ("pos_inf", "+inf"), ("neg_inf", "-inf"))
        text += "".join(f"  {name}×{tensor[key]}" for key, name in counts if tensor[key])
    return text


def _breakpoints_text(breakpoints: list[Answer]) -> Iterator[str]:
    if not breakpoints:
        yield "no breakpoints"
    for one in breakpoints:
        state = "" if one["enabled"] else "  off"
        once = "  once" if one["temporary"] else ""
        once += f"  after {one['ignore']} hits" if one["ignore"] else ""
        yield f"{one['number']:>3}  {clean(one['text'])}  hits {one['hits']}{once}{state}"


def _where_text(answer: Answer) -> Iterator[str]:
    for k, frame in enumerate(answer["stack"]):
        mark = ">" if k == answer["frame"] else " "
        yield f"{mark}{k:>2}  {clean(frame['file'])}:{frame['line']} in {clean(frame['function'])}"
        yield f"      {clean_line(frame['code'])}"
    if answer["modules"]:
        yield "in " + " › ".join(map(clean, answer["modules"]))
