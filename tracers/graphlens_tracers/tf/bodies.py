"""What a watched function is made of: its bodies, and what one execution of each has told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from graphlens_tracers.tf.births import Born

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
        alike: Tensors with just the numbers of another one.
        arguments: In order; `gets`: what they are in `parent`, where that is of use.
        gives: What it gives out, in order. A loop's body hands it on to its next iteration.
        popped: What its iterations take out of a list, and which body's iterations put in what before.
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
    alike: dict[Tensor, Tensor] = field(default_factory=dict)
    arguments: list[Tensor] = field(default_factory=list)
    gets: list[Tensor] = field(default_factory=list)
    gives: list[Tensor] = field(default_factory=list)
    popped: dict[Tensor, tuple[Body, Tensor]] = field(default_factory=dict)
    open: list[Open] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    told: bool = True
    copy: str = ""
    inside: list[Body] = field(default_factory=list)

    @property
    def length(self) -> int:
        """How many float32 its record has: its number, ranges, those in float64 as two halves, and shapes."""
        return self.sizes.stop

    @property
    def sizes(self) -> range:
        """Where in its record the shapes are, as int32."""
        start = 1 + 2 * self.narrow + 4 * self.wide
        return range(start, start + sum(one.rank for one in self.open))

    def halves(self, at: At) -> range:
        """Where in its record a range is."""
        if at.wide:
            return range(1 + 2 * self.narrow + 4 * at.pair, 1 + 2 * self.narrow + 4 * (at.pair + 1))
        return range(1 + 2 * at.pair, 1 + 2 * (at.pair + 1))


@dataclass(eq=False)
class Ran:
    """One execution of a body.

    Attributes:
        iteration: Of a loop; None outside of loops.
        at: Where its record begins in what was told; -1 when it told nothing.
        inside: What ran inside of it, in order.
        outer: In which it ran; `before`: the iteration before it.
        left_out: Rows of its operations that did not run, or of which nobody knows it.
        told: What the outermost body and all inside of it told this time.
        births: Elements of its operations in which something was born that is not finite.
    """

    body: Body
    iteration: int | None = None
    at: int = -1
    outer: Ran | None = None
    before: Ran | None = None
    inside: list[Ran] = field(default_factory=list)
    left_out: frozenset[int] = frozenset()
    told: Vector | None = None
    births: list[Born] = field(default_factory=list)
