"""What other tools say of the verdict's cases, beside what graphlens says.

`python tests/verdict/compared.py pytorch|tensorflow [CASE…]` prints a table for docs/verdict.md. Every case
runs without graphlens under each tool, in a process of its own, from the same random state.

A tool is right when the line it points at is the case's line of birth: of all lines that it shows, the
innermost in the case counts. What it calls the operation matters only where the line is wrong.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import random
import select
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from verdict.said import Said
from verdict.truth import Truth, cases, truth

LIMIT = 240.0  # seconds for one case under one tool


Tool = Callable[[Path], Said]

LETTERS = {
    "R": "right: it points at the line of birth",
    "o": "another line, but the right operation by name",
    "W": "another place",
    "–": "silent",
    "x": "it fails on the case, which runs without it",
    "F": "a false alarm on a healthy case",
    "·": "rightly silent on a healthy case",
}


def letter(true: Truth, said: Said) -> str:
    """The mark for an answer; `LETTERS` says what it means."""
    born = true.born
    if said.failed:
        return "x"
    if born is None:
        return "F" if said.spoke else "·"
    if not said.spoke:
        return "–"
    if said.line == born.line:
        return "R"
    return "o" if said.op and _same(said.op, born.op) else "W"


def _same(one: str, other: str) -> bool:
    """Whether two names mean an operation: `log` and `aten.log.default`."""
    plain = [(name.split(".")[1] if name.startswith("aten.") else name) for name in (one, other)]
    return plain[0].strip("_").lower() == plain[1].strip("_").lower()


def apart(tool: Tool, case: Path) -> Said:
    """Ask a tool about a case, in a process of its own."""
    ours, theirs = os.pipe()
    child = os.fork()  # torchlens refuses what multiprocessing starts
    if child == 0:
        _ask(tool, case, theirs)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        done, _, _ = select.select([answer], [], [], LIMIT)
        words = answer.read() if done else b""
    os.kill(child, signal.SIGKILL)  # threads of a framework may never end
    os.waitpid(child, 0)
    if not words:
        return Said(False, failed="it crashed" if done else f"not done in {LIMIT:.0f} s")
    said = pickle.loads(words)
    assert isinstance(said, Said)
    return said


def _ask(tool: Tool, case: Path, to: int) -> NoReturn:
    random.seed(0)
    np.random.seed(0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what TensorFlow logs
    said = Said(False, failed="it crashed")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            said = tool(case)
    except Exception as error:
        said = Said(False, failed=f"{type(error).__name__}: {error}"[:200])
    finally:
        os.write(to, pickle.dumps(said))
        os._exit(0)


def ours(framework: str) -> Tool:
    """Graphlens, by the measure that the others are held to, and by all that the case states."""

    import recorded
    from verdict.judged import differences, verdict_on

    def tool(case: Path) -> Said:
        with tempfile.TemporaryDirectory() as folder:
            answer = verdict_on(case, Path(folder) / "run.glens", getattr(recorded, framework))
        origin, right = answer["origin"], differences(truth(case), answer) == {}
        return (
            Said(False, right=right)
            if origin is None
            else Said(True, origin["line"], origin["op"], "", right)
        )

    return tool


def tools(framework: str) -> Mapping[str, Tool]:
    """All there are for a framework, ours last."""
    if framework == "pytorch":
        from verdict.others_pytorch import TOOLS
    else:
        from verdict.others_tensorflow import TOOLS
    return {**TOOLS, "graphlens": ours(framework)}


def table(paths: Sequence[Path], asked: Mapping[str, Tool]) -> Iterator[str]:
    """Counts by tool, then every case, as Markdown."""
    marks: dict[str, list[str]] = {}
    every: list[Said] = []
    for path in paths:
        true = truth(path)
        answers = [apart(tool, path) for tool in asked.values()]
        marks[path.stem] = [letter(true, said) for said in answers]
        every += answers
        for name, said in zip(asked, answers, strict=True):
            print(path.stem, name, letter(true, said), said, file=sys.stderr)
    yield "| tool | " + " | ".join(LETTERS.values()) + " |"
    yield "|---|" + "---:|" * len(LETTERS)
    for k, name in enumerate(asked):
        count = Counter(one[k] for one in marks.values())
        yield f"| {name} | " + " | ".join(str(count[mark]) for mark in LETTERS) + " |"
    yield ""
    right = sum(said.right is True for said in every)
    yield f"graphlens, right in all that a case states: {right} of {len(paths)}"
    yield ""
    yield "| case | born | " + " | ".join(asked) + " |"
    yield "|---|---|" + "---|" * len(asked)
    for path in paths:
        born = truth(path).born
        what = "healthy" if born is None else f"{born.kind}, {born.phase}"
        yield f"| {path.stem} | {what} | " + " | ".join(marks[path.stem]) + " |"


def main() -> None:
    """Ask about the cases that are named, or all."""
    framework, names = sys.argv[1], sys.argv[2:]
    chosen = [path for path in cases(framework) if not names or path.stem in names]
    for line in table(chosen, tools(framework)):
        print(line)


if __name__ == "__main__":
    main()
