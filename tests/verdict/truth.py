"""What the author of a case says of its non-finite numbers, read from the comments in its source.

A marker stands at the end of the line that it speaks of, and a line may hold several:
`# born: op=aten.log.default kind=inf phase=forward step=3 module=head reached=loss`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"
_MARKER = re.compile(r"# (born|also|benign): (.*?)(?=# (?:born|also|benign): |$)")


@dataclass(frozen=True)
class Origin:
    """One place where a non-finite number comes into the world.

    Attributes:
        op: The framework's own name of the operation.
        kind: What it made: nan or inf.
        phase: data, forward, backward, optimizer or other; "" where the author says none.
        step: The training step, from zero.
        module: Dotted path of the innermost module, below its root.
        reached: The first harm: loss, gradient, parameter, state or output.
        forward: The operation that a backward operation differentiates.
        iteration: Of a loop in a graph, from zero.
        growth: The numbers grew for many steps before this one.
        reason: Why it does no harm.
    """

    line: int
    op: str
    kind: str
    phase: str = ""
    step: int | None = None
    module: str = ""
    reached: str = ""
    forward: str = ""
    iteration: int | None = None
    growth: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Truth:
    """Of one case. It is healthy where nothing harmful is born."""

    path: Path
    born: Origin | None
    also: list[Origin] = field(default_factory=list)
    benign: list[Origin] = field(default_factory=list)


def some(every: Sequence[Any], many: int) -> Sequence[Any]:  # Any: whatever tests are made of
    """Every so many-th; all with GRAPHLENS_CASES=all, as `make verdict` sets it."""
    return every if os.environ.get("GRAPHLENS_CASES") == "all" else every[::many]


def cases(framework: str, every: int = 1) -> Sequence[Path]:
    """The cases of a framework, or every so many-th of them."""
    return some(sorted((CASES / framework).glob("*.py")), every)


def truth(path: Path) -> Truth:
    """What the comments of a case say."""
    born: list[Origin] = []
    said: dict[str, list[Origin]] = {"born": born, "also": [], "benign": []}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for role, origin in _markers(number, line):
            said[role].append(origin)
    if len(born) > 1:
        raise ValueError(f"{path.name}: more than one is the first")
    return Truth(path, born[0] if born else None, said["also"], said["benign"])


def _markers(number: int, line: str) -> Iterator[tuple[str, Origin]]:
    for role, words in _MARKER.findall(line):
        told = dict(word.split("=", 1) for word in shlex.split(words))
        step, iteration = (told.pop(name, None) for name in ("step", "iteration"))
        yield (
            role,
            Origin(
                line=number,
                step=None if step is None else int(step),
                iteration=None if iteration is None else int(iteration),
                growth=told.pop("growth", "no") == "yes",
                **told,
            ),
        )
