"""What the comments of a case say of it: where harmful numbers are born, and which ones do no harm."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

CASES = Path(__file__).parent / "cases"
_CLAIM = re.compile(r"# (born|also|benign):((?: \w+=(?:\"[^\"]*\"|\S*))+)")
_FIELD = re.compile(r"(\w+)=(?:\"([^\"]*)\"|(\S*))")


@dataclass(frozen=True, slots=True)
class Origin:
    """One comment.

    Attributes:
        line: The one it stands on; of a birth in backward that of what is differentiated.
        step: None outside of any training step, and in what is benign.
        phase, reached: Empty in what is benign.
        forward: The operation that `op` differentiates; empty where `op` is none of backward.
        iteration: Of a loop inside the step; None outside of one.
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


@dataclass(frozen=True, slots=True)
class Truth:
    """What a case says of itself; without `born` it is healthy."""

    path: Path
    born: Origin | None = None
    also: list[Origin] = field(default_factory=list)
    benign: list[Origin] = field(default_factory=list)


def cases(framework: str) -> list[Path]:
    """All cases of a framework."""
    return sorted((CASES / framework).glob("*.py"))


def truth(path: Path) -> Truth:
    """What the comments of the case in this file say."""
    born: list[Origin] = []
    also: list[Origin] = []
    benign: list[Origin] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        for what, fields in _CLAIM.findall(line):
            {"born": born, "also": also, "benign": benign}[what].append(_origin(number, fields))
    assert len(born) < 2, f"{path.name} is born {len(born)} times"
    return Truth(path, born[0] if born else None, also, benign)


def _origin(line: int, fields: str) -> Origin:
    said = {name: quoted or bare for name, quoted, bare in _FIELD.findall(fields)}
    step, iteration = said.pop("step", None), said.pop("iteration", None)
    return Origin(
        line=line,
        step=None if step is None else int(step),
        iteration=None if iteration is None else int(iteration),
        growth=said.pop("growth", "") == "yes",
        **said,
    )
