"""Where a script is held, and what a person looks at of it: what the Step mode's frames are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphlens.debugger import Stop
from graphlens.prompt import Prompt, text_of
from graphlens.session import OutputSeen
from graphlens.text import clean_line
from graphlens_tracers.control import Breakpoint
from graphlens_tracers.events import Numerics, Seq, Spec, ValueId

SECTIONS = ("source", "execution", "tensors", "stack", "breakpoints", "answers", "output")
"""What `tab` goes round."""
Said = Mapping[str, Any]  # Any: what the gate says, as JSON holds it
MOST_ANSWERS = 400
"""Lines of answers that are kept."""


@dataclass
class Held:
    """One script that is stopped at operations.

    Attributes:
        stop: Where it is held now; None while it runs.
        expected: What a script that was run again is to come to: (operation's number, its name).
        frame: Which frame of its stack is looked at, 0 for the innermost.
        locals: Of that frame; None while they are being asked for.
        back: The operation of the record that is looked at instead; None for where it is held.
        line: (file, line) that the cursor in the source is on; None for the current one.
        section: Which frame of the screen has the cursor; `chosen`: the row in it.
        answers: Lines of what was asked and answered, the newest last: (text, "asked", "" or "wrong").
        pausing: Somebody wants it to stop, and it has not yet.
    """

    prompt: Prompt | None = None
    stop: Stop | None = None
    expected: tuple[int, str] | None = None
    frame: int = 0
    locals: Mapping[str, str] | None = None
    back: Seq | None = None
    line: tuple[str, int] | None = None
    section: str = "source"
    other: str = "execution"
    chosen: int = 0
    answers: list[tuple[str, str]] = field(default_factory=list)
    pausing: bool = False

    @property
    def said(self) -> Said | None:
        """What the gate said of the stop."""
        return None if self.stop is None else self.stop.said

    @property
    def breakpoints(self) -> list[Breakpoint]:
        """In the order in which they were made."""
        return [] if self.prompt is None else self.prompt.debugger.breakpoints

    @property
    def changes(self) -> list[tuple[int, str, str]]:
        """What was replaced by hand."""
        return [] if self.prompt is None else self.prompt.changes

    def take(self, stop: Stop) -> None:
        """It is held here from now on."""
        self.stop, self.frame, self.locals, self.back, self.line = stop, 0, None, None, None
        self.pausing = False
        self.chosen = 0
        if self.prompt is not None:
            self.prompt.stopped(stop)

    def went_on(self) -> None:
        """It runs."""
        self.stop, self.locals, self.back, self.line = None, None, None, None

    def answered(self, line: str, lines: list[str], kind: str = "") -> None:
        """Keep what came of a question."""
        self.answers += [(f"{line}", "asked")] * bool(line)
        self.answers += [(clean_line(text), kind) for text in lines]
        del self.answers[:-MOST_ANSWERS]

    def where(self) -> tuple[str, int] | None:
        """The (file, line) that is current: where its operation stands, of a backward one its forward one."""
        said = self.said
        if said is None:
            return None
        forward = said.get("forward")
        if self.frame == 0 and forward and "file" in forward and "line" in forward:
            return str(forward["file"]), int(forward["line"])
        if self.frame == 0 and said.get("source"):  # of an operation in a function: where it was traced
            return str(said["source"][0]["file"]), int(said["source"][0]["line"])
        stack = said["stack"]
        if not stack:
            return None
        frame = stack[min(self.frame, len(stack) - 1)]
        return str(frame["file"]), int(frame["line"])


def lines_of(answer: dict[str, Any]) -> list[str]:
    """An answer of the prompt's, as lines."""
    return list(text_of(answer))


def output_of(tensor: Said) -> OutputSeen:
    """A tensor as the gate describes it, as one that was recorded."""
    low, high = tensor.get("min"), tensor.get("max")
    nan, above, below = (int(tensor.get(key) or 0) for key in ("nan", "pos_inf", "neg_inf"))
    ill = bool(nan or above or below)
    where = tuple(tuple(place) for place in tensor.get("where", ()))
    shape = None if tensor.get("shape") is None else tuple(tensor["shape"])
    facts = Numerics(int(tensor.get("size", 0)), nan, above, below, low, high) if ill else None
    return OutputSeen(
        ValueId(0), Spec(shape, str(tensor["dtype"])), low, high, nan, above, below, where, "min" in tensor,
        None, facts,
    )  # fmt: skip
