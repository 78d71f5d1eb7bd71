"""What panes, bridge and app tell each other. A pane never calls another pane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textual.message import Message

from graphlens.health import Findings
from graphlens.plain import Answer
from graphlens.runs import Entry
from graphlens.session import Session
from graphlens_tracers.events import CallId, Seq
from graphlens_tui.charting import Asked, Drawn
from graphlens_tui.decoded import Ill
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


@dataclass
class BoxChosen(Message):
    """Another box of the chart is selected: that of this operation."""

    seq: Seq


@dataclass
class ChartDrawn(Message):
    """A chart was laid out; None: it could not be."""

    asked: Asked
    drawn: Drawn | None


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


@dataclass
class Listed(Message):
    """These are the runs there are; or they cannot be listed, and `trouble` says why."""

    entries: Sequence[Entry]
    trouble: str = ""


@dataclass
class Summed(Message):
    """The listing knows more of a run."""

    path: Path


class ListingMoved(Message):
    """The cursor is on another run."""


@dataclass
class RunChosen(Message):
    """A person wants to see another run."""

    entry: Entry


@dataclass
class RunOpened(Message):
    """A session on the run that was chosen."""

    session: Session


@dataclass
class Compared(Message):
    """Two runs, the older one first, and what `graphlens show OLDER against NEWER --json` prints."""

    older: Entry
    newer: Entry
    answer: Answer


@dataclass
class DifferenceChosen(Message):
    """A person wants to see what differs there: a place in the list; -1 is where numbers part."""

    number: int


class Deleted(Message):
    """A run is gone."""
