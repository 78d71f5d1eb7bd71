"""What a watched function is made of: its bodies, and what one execution of each has told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
LOOPS = ("While", "StatelessWhile")
INNER: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(CALLS, ("f",)),
    **dict.fromkeys(("If", "StatelessIf"), ("then_branch", "else_branch")),
    **dict.fromkeys(("Case", "StatelessCase"), ("branches",)),
    **dict.fromkeys(LOOPS, ("cond", "body")),
}
"""Types that enter functions, and by which attributes."""


class Tensor(NamedTuple):
    """An output of a node of a FunctionDef, or one of its arguments (`slot` -1)."""

    node: str
    slot: int


class Open(NamedTuple):
    """An output whose shape is only known when it runs: of the `at`-th operation, of this many dimensions."""

    at: int
    slot: int
    rank: int


class At(NamedTuple):
    """Where a range is found: among those in float64 or those in float32, and the how many-th it is."""

    wide: bool
    pair: int


@dataclass(eq=False)
class Body:
    """One function inside a watched one, at one place where it is entered.

    Attributes:
        number: What its vector begins with.
        function: Its name, as the script's.
        parent: The body in which `node` enters it; None for the outermost.
        attribute: By which of the node's attributes; `nth`: which of several branches.
        ranges: Where the range of an output is found in its vector.
        narrow, wide: How many ranges there are, in float32 and in float64.
        fixed: Ranges of constants.
        open: Outputs whose shapes it tells.
        names: Of all nodes of its FunctionDef: TensorFlow renames a node where an output has its name.
        told: Whether it has a vector: a loop's condition without floating tensors has none.
        copy: The name of its copy.
    """

    number: int
    function: str
    parent: Body | None = None
    node: str = ""
    attribute: str = ""
    nth: int = 0
    ranges: dict[Tensor, At] = field(default_factory=dict)
    narrow: int = 0
    wide: int = 0
    fixed: dict[Tensor, tuple[float, float]] = field(default_factory=dict)
    open: list[Open] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    told: bool = True
    copy: str = ""
    inside: list[Body] = field(default_factory=list)


@dataclass(eq=False)
class Ran:
    """One execution of a body.

    Attributes:
        iteration: Of a loop; None outside of loops.
        narrow, wide: Its minima and maxima in turn; None when it told none.
        sizes: The shapes that it told, one after another, as bytes of int32.
        inside: What ran inside of it, in order.
    """

    body: Body
    iteration: int | None = None
    narrow: Vector | None = None
    wide: npt.NDArray[np.float64] | None = None
    sizes: bytes = b""
    inside: list[Ran] = field(default_factory=list)
