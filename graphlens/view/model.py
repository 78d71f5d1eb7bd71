"""Boxes, links and frames: a picture before anything has a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from graphlens.categories import PLUMBING, Category
from graphlens.letters import bytes_text, size_bytes, spec_text
from graphlens.view.subject import Illness, Illnesses
from graphlens_tracers.events import NodeId, Output, SiteSeen

Sort = Literal["op", "leaf", "module", "chain", "input", "constant", "output"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as its card says it: "weight", "128×64"."""

    name: str
    shape: str
    trained: bool  # False: a buffer
    tied: bool  # used by other boxes too


@dataclass
class Box:
    """A rectangle of the picture.

    Attributes:
        sort: What it stands for.
        name, kind, op: In bold, in colour and below: "fc1", "Linear", "addmm".
        category: Of its operation, or of the one that matters most.
        frame: Index of the frame around it; -1 outside all.
        members: Every operation it stands for, those of folded copies included.
        own: Those drawn: of the first copy.
        repeat: How many copies it stands for.
        parameters: What it reads and learns; `more` others are not listed.
        note: One more line.
        tag: What leaves it, "f32[2,16]"; empty when nothing does.
        saved: Tensors kept for its backward.
        ill: It makes NaN or infinity.
        born: 1, 2, … where it is a cause; 0 otherwise.
        dim: Not about the illness that the picture is about.
        centre: It holds the operation that the picture is around.
        link: Where the line of the script is to be found.
        hint: Lines shown on hovering.
    """

    sort: Sort
    name: str
    kind: str = ""
    op: str = ""
    category: Category = Category.ELEMENTWISE
    frame: int = -1
    members: list[NodeId] = field(default_factory=list)
    own: list[NodeId] = field(default_factory=list)
    repeat: int = 1
    parameters: list[Parameter] = field(default_factory=list)
    more: int = 0
    note: str = ""
    tag: str = ""
    saved: int = 0
    ill: Illness | None = None
    born: int = 0
    dim: bool = False
    hint: list[str] = field(default_factory=list)
    path: str = ""
    backward: bool = False
    centre: bool = False
    link: str = ""

    @property
    def small(self) -> bool:
        """It computes nothing: a pill rather than a card."""
        return self.sort in ("chain", "constant") or (self.sort == "op" and self.category in PLUMBING)


@dataclass
class Link:
    """Tensors from one box to another; `back` against the order of execution."""

    source: int
    target: int
    tensors: int = 1
    differentiable: bool = True
    control: bool = False
    trunk: bool = False
    hot: bool = False
    dim: bool = False
    size_bytes: int = 0
    hint: list[str] = field(default_factory=list)
    value: tuple[int, int] = (-1, 0)  # links of one source with equal values may share a line


@dataclass
class Frame:
    """A module whose inside is shown."""

    name: str
    kind: str
    parent: int
    path: str
    repeat: int = 1
    dim: bool = False
    hint: list[str] = field(default_factory=list)
    backward: bool = False
    flow: bool = False  # of a loop or a branch


@dataclass
class View:
    """A picture before anything has a place. Boxes, links and frames refer to each other by index."""

    title: str
    boxes: list[Box]
    links: list[Link]
    frames: list[Frame]
    box_of: dict[NodeId, int]
    notes: list[str]
    trained: bool
    ops: int
    sick: Illnesses


def one_text(outputs: Sequence[Output]) -> str:
    """A tag for what leaves a box: "f32[2,16]", "3× f32[2,16]", "f32[2,16] +1"."""
    texts = [spec_text(output.spec) for output in outputs]
    if len(set(texts)) == 1:
        return texts[0] if len(texts) == 1 else f"{len(texts)}× {texts[0]}"
    return f"{texts[0]} +{len(texts) - 1}" if texts else ""


def said(output: Output) -> str:
    """A tensor in a tooltip: spec, size, and device when it is not the CPU."""
    device = "" if output.spec.device == "cpu" else f" on {output.spec.device}"
    return f"{spec_text(output.spec)} {bytes_text(size_bytes(output.spec))}{device}"


def place_of(site: SiteSeen) -> str:
    """A source line, without the folders of the machine it was recorded on: "train.py:12"."""
    return f"{site.file.replace(chr(92), '/').rpartition('/')[2]}:{site.line}"
