"""What panes, bridge and app tell each other. A pane never calls another pane."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from graphlens_tracers.events import CallId, Seq
from graphlens_tui.decoded import Ill
from graphlens_tui.findings import Findings
from graphlens_tui.tensors import Absent, Tensor, Wanted


class RunChanged(Message):
    """The run moved on, or its state changed."""


@dataclass
class IllKnown(Message):
    """Which operations made something that is not finite has been worked out anew."""

    ill: Ill


@dataclass
class CursorMoved(Message):
    """Another line is selected.

    Attributes:
        seq: The first operation that it stands for; None without one.
        call: Set when it is the headline of that call.
    """

    seq: Seq | None
    call: CallId | None = None


class PaneLeft(Message):
    """A pane that had all keys to itself gives them back."""


@dataclass
class Said(Message):
    """Something that a person should read, in the status line; `wrong`: it did not work."""

    text: str
    wrong: bool = False


@dataclass
class Judged(Message):
    """The run was judged; or it could not be, and `trouble` says why."""

    findings: Findings | None
    trouble: str = ""


@dataclass
class Chosen(Message):
    """A person wants to see an operation of a process in the graph."""

    process: int
    seq: Seq


@dataclass
class Looked(Message):
    """A tensor was read, or measured; or it cannot be, and `trouble` says why."""

    wanted: Wanted
    found: Tensor | Absent | None
    trouble: str = ""
