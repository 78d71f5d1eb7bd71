"""One call a step: where it begins and ends, which graph it was, and what outlives it."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Callable
from typing import Any, Literal

import torch

from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    CallTurned,
    GraphId,
    GraphNamed,
    GraphSeen,
    Seq,
    ShapesSeen,
    Spec,
)
from graphlens_tracers.loops import Ahead, Steps, in_training_loop
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.autograd import AT_FIRST, Numbers
from graphlens_tracers.pytorch.checks import Vars
from graphlens_tracers.pytorch.plan import End, Node, Place
from graphlens_tracers.sink import LogSink
from graphlens_tracers.sites import Place as Frame

Role = Literal["setup", "train", "eval", "other"]

LONG = 2000
"""After so many operations without module, backward or optimizer, any operation is an anchor."""
_HISTORY = 8
"""Earlier calls whose forward operations a backward may still differentiate."""
_SWEEP = 4096
MOST_PLACES = 8192
"""Places after which the ways that were taken are forgotten, unless a single call needs as many."""
CALLS = 4
"""Calls as long as the longest one for which there is room in any case."""
_MOST_SHAPES = 4096
"""Shapes of one graph that are told apart; then they are declared anew."""


class Calls:
    """The call under way, and what is remembered of those before it.

    Attributes:
        root: Before the first operation of every call.
        place: The last operation that ran in this call.
        first: Its sequence number at the beginning.
        number: The autograd sequence number when the first operation was dispatched.
        varied: Whether shapes ever were not as declared: what lay alike once may then lie apart.
        room: How many places there may be.
        specs: Specs of all outputs so far, kept only when a leaf has another shape than declared.
    """

    def __init__(self, sink: LogSink, ahead: Ahead, optimizers: Callable[[], bool]) -> None:
        """`ahead` as in `Steps`; `optimizers`: whether the script has made an optimizer."""
        self._sink = sink
        self._ahead = ahead
        self.optimizers = optimizers
        self.root = Place(Node(), None)
        self.place = self.root
        self.steps = Steps(ahead)
        self.call = CallId(-1)
        self.first = 0
        self.number = 0
        self.graph = GraphId(-1)
        self.varied = False
        self.specs: list[Spec] | None = None
        self.setting_up = True
        self.begun = False
        self.must_cut = False
        self.modules_seen = False
        self.stepped = False
        self.backward = False
        self.gradless = False
        self.pending = False
        self.trained = 0
        self.thread = ""
        """The thread that goes on with a log which another one began; "" for that one."""
        self.room = MOST_PLACES
        self._places = 0
        self._graphs = 0
        self._shapes = 0
        self._tip: Place | None = None
        self._new: GraphId | None = None
        self._names: dict[str, int] = {}
        self._escaped: dict[int, tuple[weakref.ref[Any], int, int]] = {}
        self._decisions: dict[Place, list[Frame]] = {}  # where it became clear which step began
        self._deciding: tuple[Place, list[Frame]] | None = None
        self._said: tuple[Role, int | None] = ("setup", None)
        self._last: dict[int, tuple[GraphId, Role]] = {}  # by loop: what its calls were
        self._history: list[tuple[int, Place, Numbers | None]] = []

    # ── beginning and end ────────────────────────────────────────────────────────────────────

    def is_over(self, stack: list[Frame], loads: bool, loose: bool, module: bool = False) -> bool:
        """Whether the operation that is about to run at this stack belongs to the next call.

        Args:
            loads: It is part of loading a batch.
            loose: It does not say by itself to which step it belongs: a marker, or how a loader begins.
            module: It is an outermost module that is about to run.
        """
        if not self.begun or self.place is self.root:
            return False
        steps = self.steps
        if self.setting_up and not steps.anchored:
            return self.must_cut or loads or self._ahead(stack) is not None
        if steps.loose and not self._decided():
            if not loose:
                self._deciding = (self.place, stack)
                steps.begin(stack)
            return False
        passed = self.modules_seen or self.backward or self.stepped or steps.anchored
        if not passed and self.place.depth >= LONG and stack:
            steps.anchor(stack)
            return False
        if loads and loose and self.backward and not steps.anchored:
            return False  # a loader that looks ahead has reached its end, and the step has not
        if steps.is_new(stack, module):
            return True
        # An evaluation between two steps of one loop.
        return module and self.stepped and not torch.is_grad_enabled() and steps.is_last(stack)

    def _decided(self) -> bool:
        """Whether this way has been taken before, up to where it was clear which step it is."""
        for place in self.place.path():
            if place in self._decisions:
                self.steps.begin(self._decisions[place])
                return True
        return False

    def begin(self, stack: list[Frame], loose: bool) -> None:
        """A call begins with the operation that is about to run; `loose` as in `is_over`."""
        was_first = not self.begun and self.call == -1
        self.call = CallId(self.call + 1)
        self.begun = True
        # When recording begins with a later step, the steps before it have left their anchors.
        self.setting_up = was_first and not self.trained and self._ahead(stack) is None
        self.must_cut = False
        self.first = self._sink.seq
        self.number = compat.sequence_number() if compat.sequence_number is not None else 0
        self.specs = None
        self.modules_seen = self.stepped = self.backward = self.gradless = self.pending = False
        self.place = self.root
        self._tip = self._new = None
        self.steps.begin(stack, loose and not self.setting_up)
        role: Role
        last = self._last.get(id(self.steps.loop))
        if last is not None:
            guess, role = last
        else:
            guess = self._new = self._declare_graph(None, 0)
            role = "setup" if self.setting_up else "train" if in_training_loop(stack) else "other"
        self.graph = guess
        step = self.trained if role == "train" else self._step()
        self._said = (role, step)
        self._sink.declare(CallBegan(self.call, guess, Seq(self.first), step, role, thread=self.thread))

    def end(self, variables: Vars) -> None:
        """The call under way is over."""
        if not self.begun:
            return
        self.begun = False
        place = self.place
        if place is self.root:
            return
        self.room = max(self.room, CALLS * place.depth)
        if self._deciding is not None:
            last, stack = self._deciding
            self._deciding = None
            self._decisions.update((at, stack) for at in place.path() if at.parent is last)
        role = self._role()
        if place.end is None:
            if self._tip is place:
                graph = self.graph
            else:
                graph = self._declare_graph(place.graph, place.depth + 1)
            place.end = End(graph, place)
            place.expect()
            self._name(graph, role)
        step = self.trained if role == "train" else self._step()
        self.trained += role == "train"
        graph = place.end.graph
        self._sink.declare(
            CallEnded(
                self.call,
                Seq(self.first + place.depth),
                None if graph == self.graph else graph,
                None if role == self._said[0] else role,
                None if step == self._said[1] else -1 if step is None else step,
                self._shapes_id(place.end),
            )
        )
        self._last[id(self.steps.loop)] = (graph, role)
        self._keep(place.end, variables)
        self._history.append((self.number, place, None))
        del self._history[:-_HISTORY]

    def _role(self) -> Role:
        if self.stepped or (self.backward and not (self.gradless and self.optimizers())):
            return "train"
        if self.gradless:
            return "eval"
        return "setup" if self.setting_up else "other"

    def _step(self) -> int | None:
        return self.trained - 1 if self.trained else None

    # ── graphs ───────────────────────────────────────────────────────────────────────────────

    def grow(self, here: Place, place: Place) -> GraphId:
        """The graph that a new place after `here` belongs to, declared when it is a new one."""
        self._places += 1
        if self._new is None and (self._tip is None or self._tip is not here):
            base = None if here is self.root else here.graph
            self._new = self._declare_graph(base, here.depth + 1)
            self._sink.declare(CallTurned(self.call, self._new))
        if self._new is not None:
            self.graph, self._new = self._new, None
        self._tip = place
        return self.graph

    def _declare_graph(self, base: GraphId | None, keep: int) -> GraphId:
        graph = GraphId(self._graphs)
        self._graphs += 1
        setup = self.setting_up and graph == 0
        self._sink.declare(
            GraphSeen(graph, None, "setup" if setup else "", "setup" if setup else "step", "ran", base, keep)
        )
        return graph

    def _name(self, graph: GraphId, role: Role) -> None:
        count = self._names[role] = self._names.get(role, 0) + 1
        name = role if count == 1 else f"{role}#{count}"
        self._sink.declare(GraphNamed(graph, name, "setup" if role == "setup" else "step"))

    def reshape(self, before: Place | None) -> None:
        """From the place after `before` on, shapes are not those that the nodes declare."""
        if not self.varied:
            self.varied = True
            self.root.distrust(None)
        if self.specs is None:
            self.specs = []
            for place in before.path() if before is not None else ():
                self.specs.extend(output.spec for output in place.node.outputs)

    def _shapes_id(self, end: End) -> int:
        if self.specs is None:
            return 0
        said = repr([(spec.shape, spec.strides) for spec in self.specs])
        shapes = hashlib.blake2b(said.encode(), digest_size=16).digest()
        known = end.shapes.get(shapes)
        if known is None:
            if len(end.shapes) >= _MOST_SHAPES:
                end.shapes.clear()
            self._shapes += 1
            known = end.shapes[shapes] = self._shapes
            self._sink.declare(ShapesSeen(known, end.graph, tuple(self.specs)))
        return known

    # ── too much to remember ─────────────────────────────────────────────────────────────────

    @property
    def crowded(self) -> bool:
        """Whether there are so many places that they are to be forgotten before the next call."""
        return self._places > self.room

    def forget_ways(self) -> None:
        """Forget every way, between two calls: what comes then is found anew, as in the first one."""
        root, self.root = self.root, Place(Node(), None)
        self.root.otherwise = root.otherwise
        self.root.expect()
        self.place = self.root
        self._tip = None
        self._places = 0
        self._last.clear()
        self._decisions.clear()
        # Taken apart, so that it is gone at once: the script may have turned the collector off.
        ahead = [root]
        while ahead:
            place = ahead.pop()
            ahead += place.children
            place.take_apart()

    # ── what outlives a call ─────────────────────────────────────────────────────────────────

    def producer(self, home: Any) -> tuple[int, int] | None:
        """(sequence number, output) of the operation of an earlier call that last wrote this storage."""
        known = self._escaped.get(id(home))
        return (known[1], known[2]) if known is not None and known[0]() is home else None

    def made(self, number: int, name: str, current: Numbers) -> tuple[Place, Place] | None:
        """The place that made the autograd node of this number and name, and the last one of its call.

        It ran in this call or one shortly before.
        """
        place = current.find(number - self.number, name)
        if place is not None:
            return place, self.place
        for k in range(len(self._history) - 1, -1, -1):
            base, last, numbers = self._history[k]
            if number < base - AT_FIRST:
                continue
            if numbers is None:
                numbers = Numbers(last.path())
                self._history[k] = (base, last, numbers)
            place = numbers.find(number - base, name)
            if place is not None:
                return place, last
        return None

    def forget_numbers(self) -> None:
        """The autograd nodes of earlier calls were another thread's."""
        self._history.clear()

    def _keep(self, end: End, variables: Vars) -> None:
        escaped = self._escaped
        for variable, depth, output in end.last_writers:
            home = variables[variable]()
            if home is not None:
                escaped[id(home)] = (variables[variable], self.first + depth, output)
        if len(escaped) > _SWEEP:
            for key in [key for key, (home, _, _) in escaped.items() if home() is None]:
                del escaped[key]
