"""Score the steps and phases that are recorded of a script against what its author says of them.

The scripts in `tests/scripts/steps` say where they are by calls of `told`, which compute nothing.
Each is run twice: under a bare dispatch mode, which notes the words that hold for every operation,
and recorded. `python step_score.py [SCRIPT…]` prints the scores, `-v` every difference.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import itertools
import linecache
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from graphlens.store import Process
from graphlens_tracers.events import Seq
from recorded import recorded

SCRIPTS = Path(__file__).parents[2] / "scripts" / "steps"
sys.path.append(str(SCRIPTS))

told: Any = importlib.import_module("told")  # the one that the scripts import


@dataclass(frozen=True)
class Ran:
    """One operation: what the author says of it, and what was recorded of it.

    Attributes:
        said: The author's words, a `told.Said`.
        call, role, phase: As recorded; `number`: the training step, None before the first one.
        line: The line in the script that called it.
    """

    op: str
    said: Any
    call: int
    role: str
    phase: str
    number: int | None
    line: str


@dataclass
class Score:
    """How the record of one script compares with its author's words.

    Attributes:
        boundaries: How many there are in truth; `missed` and `spurious`: lines after them.
        phases: Wrong ones, by (line, operation, said, recorded).
        roles: Wrong ones, by (said, recorded), one each step.
        numbers: Training steps whose number is wrong.
    """

    ops: int
    boundaries: int = 0
    right: int = 0
    missed: list[str] = field(default_factory=list)
    spurious: list[str] = field(default_factory=list)
    phases: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    roles: Counter[tuple[str, str]] = field(default_factory=Counter)
    steps: int = 0
    numbers: int = 0

    @property
    def wrong(self) -> dict[str, int]:
        """What is wrong, by kind; empty when nothing is."""
        counts = {
            "missed": len(self.missed),
            "spurious": len(self.spurious),
            "phases": self.phases.total(),
            "roles": self.roles.total(),
            "numbers": self.numbers,
        }
        return {kind: count for kind, count in counts.items() if count}


class Telling(TorchDispatchMode):
    """Notes what the author says at each operation; shares nothing with the tracer."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.seen: list[tuple[str, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        said = told.now
        if _shuffles():
            said = said._replace(phases=("data",), loose=True)
        self.seen.append((str(func), said))
        return func(*args, **(kwargs or {}))


def _shuffles() -> bool:
    """Whether a loader begins an epoch: that is between two steps."""
    frame = sys._getframe(2)
    while frame is not None:
        code = frame.f_code
        if "/torch/utils/data/" in code.co_filename and (
            "sampler" in code.co_filename or code.co_name == "__init__"
        ):
            return True
        frame = frame.f_back  # type: ignore[assignment]  # None at the outermost
    return False


def _run(code: CodeType) -> None:
    told.restart()
    torch.manual_seed(0)
    random.seed(0)
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, {"__name__": "__main__", "__file__": code.co_filename})


def _alone(work: Callable[[], None]) -> None:
    """On a thread of its own: no frame and no loop of the test's lies around the script's."""
    failed: list[BaseException] = []

    def working() -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=working)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def ran(script: Path, path: Path) -> list[Ran]:
    """Every operation of a script, profiler markers apart, with both opinions of it.

    Args:
        path: Where to record it.
    """
    code = compile(script.read_text(), str(script), "exec")
    telling = Telling()

    def tell() -> None:
        with telling:
            _run(code)

    found: list[Process] = []
    _alone(tell)
    _alone(lambda: found.append(recorded(lambda: _run(code), path)))
    process = found[0]
    ops = list(_recorded(process))
    assert [op.op for op in ops] == [op for op, _ in telling.seen], "it took another way"
    return [
        replace(op, said=said)
        for op, (_, said) in zip(ops, telling.seen, strict=True)
        if not op.op.startswith("profiler.")
    ]


def _recorded(process: Process) -> Iterator[Ran]:
    nodes = process.rows(Seq(0), Seq(process.op_count)).node.tolist()
    for call in process.calls():
        for seq in range(call.first, call.last + 1):
            node = process.nodes[nodes[seq]]
            inside = [site for site in process.frames(node.site) if "/scripts/steps/" in site.file]
            line = linecache.getline(inside[0].file, inside[0].line).strip() if inside else ""
            yield Ran(node.op, None, call.call, call.role, str(node.phase), call.step, line)


def score(ops: list[Ran]) -> Score:
    """Compare the two opinions; operations that are loose count for phases only."""
    result = Score(len(ops))
    for op in ops:
        if op.phase not in op.said.phases:
            result.phases[op.line, op.op, "|".join(op.said.phases), op.phase] += 1
    firm = [op for op in ops if not op.said.loose]
    for before, after in itertools.pairwise(firm):
        true, ours = before.said.step != after.said.step, before.call != after.call
        result.boundaries += true
        result.right += true and ours
        if true and not ours:
            result.missed.append(after.line)
        if ours and not true:
            result.spurious.append(after.line)
    trained = -1
    seen = -1
    for op in firm:
        if op.said.step == seen:
            continue
        seen = op.said.step
        result.steps += 1
        if op.role not in op.said.roles:
            result.roles["|".join(op.said.roles), op.role] += 1
        if op.said.roles == ("train",):
            trained += 1
            result.numbers += op.number != trained
    return result


def scripts() -> list[Path]:
    """All scripts that say where they are."""
    return sorted(path for path in SCRIPTS.glob("*.py") if path.stem != "told")


def main(arguments: list[str]) -> None:
    verbose = "-v" in arguments
    chosen = [Path(name) for name in arguments if name != "-v"] or scripts()
    total: Counter[str] = Counter()
    for script in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found = score(ran(script, Path(folder) / "run"))
        total.update(
            ops=found.ops, boundaries=found.boundaries, right=found.right, steps=found.steps, **found.wrong
        )
        print(
            f"{script.stem:22} boundaries {found.right:3} of {found.boundaries:3}  ",
            f"spurious {len(found.spurious):3}  roles {found.steps - found.roles.total():3}",
            f"of {found.steps:3}  numbers wrong {found.numbers:2}",
            f" phases {found.ops - found.phases.total():5} of {found.ops:5}",
        )
        if verbose:
            for kind in ("missed", "spurious", "phases", "roles"):
                for what, count in Counter(getattr(found, kind)).items():
                    print(f"    {kind:9} {count:4} {what}")
    print(dict(total))


if __name__ == "__main__":
    main(sys.argv[1:])
