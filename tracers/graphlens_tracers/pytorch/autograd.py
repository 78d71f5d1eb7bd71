"""Which forward operation a backward one belongs to, and which one a recomputed one repeats.

An autograd node exists only when its operation is over, so it is looked for at the next event
(`Links.resolve`), and known by its sequence number from then on: numbers are counted from the
beginning of a call, so that a step that repeats has the same ones. Where no output leads to the
node (under functorch, where a wrapper holds it), the operation is the one of the node's name that
ran first after the node was numbered. Nothing here runs for an operation that is recognised.
"""

from __future__ import annotations

import weakref
from bisect import bisect_right
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from graphlens_tracers.events import ValueId
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import Form, OpInfo, Tensors, geometry_of, home_of
from graphlens_tracers.pytorch.plan import Node, Place
from graphlens_tracers.sites import Place as Frame
from graphlens_tracers.sites import Stacks

if TYPE_CHECKING:  # they ask here
    from graphlens_tracers.pytorch.calls import Calls
    from graphlens_tracers.pytorch.phases import Moment
    from graphlens_tracers.pytorch.values import Values

SUM = "sum of gradients"
"""The formula of what the engine does for a value that was used more than once."""

AT_FIRST = 8
"""Nodes that the first operation of a call may have made before it was dispatched."""

_ENGINE = "_engine_run_backward"
_CHECKPOINT = "/torch/utils/checkpoint.py"
_REPEATS = {"backward", "recompute_fn", "unpack_hook", "_run_fn_with_dynamo_disabled"}
"""Functions of checkpoint.py that call what they repeat; the others do its bookkeeping."""


class Origin(NamedTuple):
    """Where a backward operation comes from.

    Attributes:
        twin: The forward operation whose formula it is part of.
        remakes: The operation that it repeats.
        formula: The autograd node's name, or what else the engine was doing; "" in the user's own code.
        user: Whether code of the user's ran it, inside of the backward: its line is worth knowing.
    """

    twin: Node | None = None
    remakes: Node | None = None
    formula: str = ""
    user: bool = False

    def ids(self) -> tuple[int | None, int | None, str]:
        """What tells two operations of the same kind and line apart."""
        return (self.twin.id if self.twin else None, self.remakes.id if self.remakes else None, self.formula)


class Inside:
    """The Python frames between an operation and the engine that is running it.

    Attributes:
        user: Those of the user, innermost first; `files`: (file, function) of the others.
        outermost: (file, function) of the frame that the engine called; None when it called none.
    """

    __slots__ = ("files", "outermost", "user")

    def __init__(self, stacks: Stacks, frame: FrameType | None) -> None:
        self.user: list[Frame] = []
        self.files: list[tuple[str, str]] = []
        self.outermost: tuple[str, str] | None = None
        while frame is not None and frame.f_code.co_name != _ENGINE:
            code = frame.f_code
            if stacks.is_user(code):
                self.user.append((code, frame.f_lasti))
            elif not stacks.is_ours(code):
                self.files.append((code.co_filename, code.co_name))
            if not stacks.is_ours(code):
                self.outermost = (code.co_filename, code.co_name)
            frame = frame.f_back
        if frame is None:  # a thread of the engine's own: no frame in it is anybody's
            self.user, self.files, self.outermost = [], [], None

    @property
    def repeats(self) -> bool:
        """Whether a checkpoint is computing again what it had computed in the forward pass."""
        if not any(file.endswith(_CHECKPOINT) and name in _REPEATS for file, name in self.files):
            return False
        file, name = self.files[0]
        return name in _REPEATS or not file.endswith(_CHECKPOINT)

    @property
    def function(self) -> bool:
        """Whether a custom `autograd.Function`'s own backward is running."""
        return self.outermost is not None and self.outermost[0].endswith("/torch/autograd/function.py")


class Numbers:
    """Which place of one call made which autograd node, by autograd's number.

    An operation has numbered its own node when it is dispatched: that one is the last before the
    number that was noted then.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Place, str]] = {}
        self._before: list[int] = []
        self._places: list[Place] = []
        self._number_of: dict[Place, int] = {}
        self._at = 0
        self._noted = 0

    def follow(self, places: Sequence[Place], numbers: Sequence[int]) -> Numbers:
        """Catch up with what has run; `numbers`: as noted, of those places whose nodes say so."""
        for position in range(self._at, len(places)):
            place = places[position]
            if not place.node.numbered:
                continue
            number = numbers[self._noted]
            self._noted += 1
            for past, name in place.links:
                self._known.setdefault(number + past, (place, name))
            self._before.append(number)
            self._places.append(place)
            self._number_of[place] = number
        self._at = len(places)
        return self

    def link(self, place: Place, number: int, name: str) -> bool:
        """This place made that node; False when it is known who did."""
        if number in self._known:
            return False
        noted = self._number_of.get(place)
        if noted is not None:
            place.links = (*place.links, (number - noted, name))
        self._known[number] = (place, name)
        return True

    def get(self, number: int) -> Place | None:
        """The place that made a node, as its outputs told."""
        known = self._known.get(number)
        return known[0] if known is not None else None

    def find(self, number: int, name: str, first: int) -> Place | None:
        """The place that made the node of this number and name; `first`: the call's first number."""
        known = self._known.get(number)
        if known is not None:
            return known[0] if known[1] == name else None
        if number < first:
            return None
        # The node was numbered before its operation was dispatched, and after all earlier ones.
        at = bisect_right(self._before, number)
        stop = bisect_right(self._before, self._before[at]) if at < len(self._before) else at
        for place in self._places[at:stop]:
            if differentiates(name, place.node.info.name):
                return place
        return None

    def clear(self, places: int = 0, numbers: int = 0) -> None:
        """Nothing is known; so many places have been passed, and numbers noted."""
        self._known.clear()
        self._before.clear()
        self._places.clear()
        self._number_of.clear()
        self._at, self._noted = places, numbers


def differentiates(autograd: str, op: str) -> bool:
    """Whether an autograd node's name is the one of an operation: "NativeDropoutBackward0"."""
    stem, _, version = autograd.partition("Backward")
    word = op.split(".")[1] if "." in op else op
    camel = "".join(part[:1].upper() + part[1:] for part in word.strip("_").split("_"))
    return version.isdigit() and stem == camel


class Engine:
    """One run of the autograd engine.

    Attributes:
        start: How many operations of the call ran before it; `roots`: what it differentiates.
        foreign: Whether another thread made that; None when nobody asked yet.
    """

    def __init__(self, start: int, roots: Any) -> None:
        self.start = start
        self.roots = roots if isinstance(roots, (tuple, list)) else (roots,)
        self.foreign: bool | None = None
        self._edges: dict[tuple[int, int], list[int]] | None = None
        self._held: list[Any] = []
        self._repeating: tuple[int, tuple[Place, ...]] | None = None
        self._again: list[Node] = []
        self._done = start

    def adds_up(self, node: Any) -> bool:
        """Whether some gradient that this node hands on meets one that is there already.

        The engine runs the node with the highest number first, and a node's number is higher than
        those of the nodes that it hands gradients to.
        """
        if self._edges is None:
            self._walk()
        edges, number = self._edges or {}, compat.number_of(node)
        own = [(id(target), slot) for target, slot in node.next_functions if target is not None]
        return any(own.count(edge) > 1 or max(edges.get(edge, [-1])) > number for edge in own)

    def _walk(self) -> None:
        self._edges = {}
        waiting = compat.nodes_of(self.roots)
        seen = {id(node) for node in waiting}
        while waiting:
            node = waiting.pop()
            self._held.append(node)  # while it is held, the same node is the same object
            number = compat.number_of(node)
            for target, slot in node.next_functions:
                if target is None:
                    continue
                self._edges.setdefault((id(target), slot), []).append(number)
                if id(target) not in seen:
                    seen.add(id(target))
                    waiting.append(target)

    def repeated(
        self,
        number: int,
        link: Place,
        end: Sequence[Place],
        here: Sequence[Place],
        fits: Callable[[Node], bool],
    ) -> Node | None:
        """The next operation of the region of `link` that fits, in the order in which they ran.

        Args:
            number: Of the autograd node that wants the region computed again.
            end: The places of the call in which the region was computed; `here`: of this one so far.
        """
        if self._repeating != (number, link.region):
            self._repeating = (number, link.region)
            self._again = _region(link.region, end)
        for place in here[self._done :]:  # what was recognised meanwhile
            if place.node.remakes in self._again:
                del self._again[: self._again.index(place.node.remakes) + 1]
        self._done = len(here)
        for k, node in enumerate(self._again):
            if fits(node):
                del self._again[: k + 1]
                return node
        return None


def _region(region: tuple[Place, ...], places: Sequence[Place]) -> list[Node]:
    """What ran in a region: between its first place and the first one outside of it."""
    depth = len(region)
    inside = [place.region[:depth] == region for place in places]
    if True not in inside:
        return []
    start = inside.index(True)
    stop = inside.index(False, start) if False in inside[start:] else len(places)
    return [place.node for place in places[start:stop]]


class Links:
    """Follows the autograd nodes of the traced thread.

    Attributes:
        engines: Runs of the engine that are under way, innermost last.
    """

    def __init__(
        self, calls: Calls, values: Values, tensor_name: Callable[[Any], tuple[str, str] | None]
    ) -> None:
        self._calls = calls
        self._values = values
        self._since = 0
        self.numbers = Numbers()
        self._tensor_name = tensor_name
        self.engines: list[Engine] = []
        self._functions: list[int] = []  # where those that are being applied began
        self._checkpoint: tuple[weakref.ref[Any], int] | None = None

    # ── forward ──────────────────────────────────────────────────────────────────────────────

    def regions(self, followed: bool) -> list[int]:
        """Where the checkpoints and custom Functions began in which the next operation runs, outermost first.

        Args:
            followed: Whether the operation before it was new, too.
        """
        if self.engines:
            return []
        places, found = self._calls.places, set(self._functions)
        frame = compat.checkpoint_frame()
        if frame is not None:
            if self._checkpoint is None or self._checkpoint[0]() is not frame:
                # When recording turned off a known way within a region, its beginning is not known.
                known = followed or not places or not places[-1].region
                self._checkpoint = (weakref.ref(frame), len(places) if known else -1)
            if self._checkpoint[1] >= 0:
                found.add(self._checkpoint[1])
        return sorted(found)

    def region_begins(self) -> None:
        """The operation that is about to be passed is the first one of a checkpoint, as it was before."""
        frame = compat.checkpoint_frame()
        if frame is not None:
            self._checkpoint = (weakref.ref(frame), len(self._calls.places))

    def begin(self) -> None:
        """A call begins, perhaps with the first operation of a Function."""
        self._functions = [0] * len(self._functions)
        self._checkpoint = None
        self.numbers.clear()

    def another_thread(self, seq: int) -> None:
        """From this operation on another thread runs, which counts its autograd nodes from zero."""
        self._since = seq
        self.numbers.clear(len(self._calls.places), len(self._calls.numbers))
        self._calls.forget_numbers()

    def enter_function(self) -> None:
        """A custom Function is being applied."""
        self._functions.append(len(self._calls.places))

    def leave_function(self) -> None:
        """It is over."""
        self._functions.pop()

    # ── backward ─────────────────────────────────────────────────────────────────────────────

    def made(self, node: Any) -> tuple[Place, Sequence[Place]] | None:
        """The place that made an autograd node, and those of its call; None when nobody knows."""
        engine = self.engines[-1] if self.engines else None
        if engine is not None and self._is_foreign(engine):
            return None
        calls = self._calls
        numbers = self.numbers.follow(calls.places, calls.numbers)
        return calls.made(compat.number_of(node), node.name(), numbers)

    def differentiates(self, node: Node) -> bool:
        """Whether the autograd node that is being differentiated is the one of a backward operation."""
        now = compat.current_autograd_node() if compat.current_autograd_node is not None else None
        if now is None:
            return not node.formula
        name = now.name()
        if name.endswith("AccumulateGrad"):
            return node.twin is None and node.formula in ("", SUM, self._accumulates(now))
        if node.twin is None:
            return True  # what it reads tells
        found = self.made(now)
        return (
            found is not None and node.formula == name and node.twin in (found[0].node, found[0].node.remakes)
        )

    def _accumulates(self, node: Any) -> str:
        named = self._tensor_name(compat.accumulates_into(node))
        return f"AccumulateGrad[{named[1]}]" if named is not None else "AccumulateGrad"

    def origin(self, moment: Moment, info: OpInfo, form: Form, read: ValueId | None) -> Origin:
        """Where an operation that runs under the engine comes from.

        Args:
            read: The value of its first input; None when it is new to this call.
        """
        node, inside = moment.node, moment.inside
        if node is None or inside is None:
            return Origin()
        name = node.name()
        engine = self.engines[-1] if self.engines else None
        found = self.made(node)
        if inside.repeats:
            again = None
            if engine is not None and found is not None and found[0].region:
                link, end = found
                again = engine.repeated(
                    compat.number_of(node), link, end, self._calls.places, lambda it: _alike(it, info, inside)
                )
            return Origin(remakes=again, user=bool(inside.user))
        if inside.user and not inside.function:
            return Origin(user=True)  # a hook
        if name.endswith("AccumulateGrad"):
            return Origin(formula=self._accumulates(node))
        if (
            engine is not None
            and inside.outermost is None
            and _adds_two(info, form)
            and engine.adds_up(node)
            and not _made_by(node, found, read, self._calls.places[engine.start :])
        ):
            return Origin(formula=SUM)
        if found is None:
            return Origin(formula=name, user=bool(inside.user))
        twin = found[0].node
        return Origin(twin.remakes or twin, None, name, bool(inside.user))

    def _is_foreign(self, engine: Engine) -> bool:
        """Whether another thread made what is differentiated: autograd numbers each thread's nodes apart."""
        if engine.foreign is None:
            engine.foreign = False
            for root in engine.roots:
                variable = self._values.variable_of(root) if isinstance(root, torch.Tensor) else None
                if variable is not None:
                    value, _ = self._values.value_of(root, variable, geometry_of(root))
                    leaf = value in self._values.leaves
                    made = self._calls.producer(home_of(root))
                    engine.foreign |= leaf and (made is None or made[0] < self._since)
        return engine.foreign


def _adds_two(info: OpInfo, form: Form) -> bool:
    return info.name == "aten.add.Tensor" and len(form.tensors) == 2 and not form.scalars


def _made_by(
    node: Any, found: tuple[Place, Any] | None, value: ValueId | None, places: Sequence[Place]
) -> bool:
    """Whether a value is what this autograd node's own formula has just made.

    A formula adds up what it made; the engine adds to what it had kept of other nodes, or of this
    one when two of its gradients go the same way.

    Args:
        places: What has run in this backward.
    """
    targets = [(id(target), slot) for target, slot in node.next_functions if target is not None]
    if len(set(targets)) < len(targets):
        return False
    twin = (found[0].node.remakes or found[0].node) if found is not None else None
    name = node.name()
    for place in reversed(places):
        if place.node.twin is not twin or place.node.formula != name:
            return False
        if any(output.value == value for output in place.node.outputs):
            return True
    return False


def _alike(node: Node, info: OpInfo, inside: Inside) -> bool:
    if node.info.func is not info.func:
        return False
    where = node.location
    return not inside.user or (where is not None and (where.code, where.lasti) == inside.user[0])


class Pending(NamedTuple):
    """The results of an operation whose autograd nodes are to be looked for."""

    results: tuple[tuple[weakref.ref[torch.Tensor], bool], ...]
    place: Place


def awaited(results: Tensors, written: Tensors, place: Place) -> Pending:
    """Remember to look for the autograd nodes of these results, some of which were written in place."""
    return Pending(
        tuple((weakref.ref(tensor), any(tensor is one for one in written)) for tensor in results), place
    )


def resolve(pending: Pending, numbers: Numbers, first: int) -> None:
    """Link the nodes of an operation's results to its place.

    Args:
        numbers: Of the call so far; `first`: the call's first autograd number.
    """
    for result, written in pending.results:
        tensor = result()
        node = compat.node_of(tensor, written) if tensor is not None else None
        if node is None:
            continue
        number = compat.number_of(node)
        if number >= first - AT_FIRST:
            numbers.link(pending.place, number, node.name())
            _link_rebuilt(node, numbers, first)


def _link_rebuilt(node: Any, numbers: Numbers, first: int) -> None:
    """A view whose memory was written gets a new node when it is read next: it is the writer's."""
    for target, _ in node.next_functions:
        if target is not None and target.name() == "AsStridedBackward0":
            number = compat.number_of(target)
            behind = target.next_functions[0][0] if target.next_functions else None
            if number >= first and behind is not None and numbers.get(number) is None:
                writer = numbers.get(compat.number_of(behind))
                if writer is not None:
                    numbers.link(writer, number, "AsStridedBackward0")
