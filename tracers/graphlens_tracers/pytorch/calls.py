"""One call a step: where it begins and ends, which graph it was, and what outlives it."""

from __future__ import annotations

import hashlib
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from graphlens_tracers.epochs import epoch_at
from graphlens_tracers.events import (
    CallBegan,
    CallEnded,
    CallId,
    CallTurned,
    GraphGrew,
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
from graphlens_tracers.pytorch.plan import Node, Place, Way, last_writers
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
WAYS = 64
"""So many times as long as the room for places all ways together may be before they are forgotten."""
_MOST_SHAPES = 4096
"""Shapes of one graph that are told apart; then they are declared anew."""


class Calls:
    """The call under way, and what is remembered of those before it.

    Attributes:
        root: Before the first operation of every call.
        places: The operations that ran in this call, in order.
        numbers: Autograd's count when they ran, of those whose nodes are `numbered`.
        first: Its sequence number at the beginning.
        number: The autograd sequence number when the first operation was dispatched.
        varied: Whether shapes ever were not as declared: what lay alike once may then lie apart.
        all: Every place that is remembered.
        room: How many of them there may be.
        specs: Of the outputs of each place so far, kept only when shapes are not as declared.
    """

    def __init__(self, sink: LogSink, ahead: Ahead, optimizers: Callable[[], bool]) -> None:
        """`ahead` as in `Steps`; `optimizers`: whether the script has made an optimizer."""
        self._sink = sink
        self._ahead = ahead
        self.optimizers = optimizers
        self.root = Place(Node(), None)
        self.places: list[Place] = []
        self.numbers: list[int] = []
        self.all: list[Place] = []
        self.steps = Steps(ahead)
        self.call = CallId(-1)
        self.first = 0
        self.number = 0
        self.graph = GraphId(-1)
        self.varied = False
        self.specs: list[tuple[Spec, ...]] | None = None
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
        self._graphs = 0
        self._shapes = 0
        self._ways: dict[int, Way] = {}
        """By the prefix that they are: those that were taken."""
        self._branches: dict[int, Way] = {}
        """By the prefix up to where it left another one, or another one left it."""
        self._kept = 0
        self._way: Way | None = None
        """The way that the call follows as far as is known; None when it is a new one."""
        self._followed = 0
        """How many places are known to be on it, or are declared as part of the new graph."""
        self._left: tuple[Way | None, int] = (None, 0)
        """Which way the new one has left, and after how many places."""
        self._new: GraphId | None = None
        """The graph that was declared when the call began, as long as nothing is in it."""
        self._names: dict[str, int] = {}
        self._escaped: dict[int, tuple[weakref.ref[Any], int, int]] = {}
        self._prefixes: list[int] = []
        self._decisions: dict[int, list[Frame]] = {}  # by prefix: where it became clear which step began
        self._deciding: tuple[int, list[Frame]] | None = None
        self._said: tuple[Role, int | None] = ("setup", None)
        self._epoch: int | None = None
        self._epoch_said: int | None = None
        self._last: dict[int, tuple[Way, Role]] = {}  # by loop: what its calls were
        self._history: list[_Past] = []

    @property
    def place(self) -> Place:
        """The last operation that ran in this call."""
        return self.places[-1] if self.places else self.root

    @property
    def step(self) -> int | None:
        """The step that the call under way is part of, as was said when it began; None before the first."""
        return self._said[1]

    # ── beginning and end ────────────────────────────────────────────────────────────────────

    def is_over(self, stack: list[Frame], loads: bool, loose: bool, module: bool = False) -> bool:
        """Whether the operation that is about to run at this stack belongs to the next call.

        Args:
            loads: It is part of loading a batch.
            loose: It does not say by itself to which step it belongs: a marker, or how a loader begins.
            module: It is an outermost module that is about to run.
        """
        if not self.begun or not self.places:
            return False
        steps = self.steps
        if self.setting_up and not steps.anchored:
            return self.must_cut or loads or self._ahead(stack) is not None
        if steps.loose and not self._decided():
            if not loose:
                self._deciding = (len(self.places), stack)
                steps.begin(stack)
            return False
        passed = self.modules_seen or self.backward or self.stepped or steps.anchored
        if not passed and len(self.places) > LONG and stack:
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
        for position in range(len(self.places)):
            stack = self._decisions.get(self._prefix(position))
            if stack is not None:
                self.steps.begin(stack)
                return True
        return False

    def _prefix(self, position: int) -> int:
        """What the places up to this one amount to: equal for calls that begin alike."""
        known = self._prefixes
        for k in range(len(known), position + 1):
            known.append(_longer(known[k - 1] if k else 0, self.places[k]))
        return known[position]

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
        self.places.clear()
        self.numbers.clear()
        self._prefixes.clear()
        self._new = None
        self._followed = 0
        self.steps.begin(stack, loose and not self.setting_up)
        role: Role
        last = self._last.get(id(self.steps.loop))
        if last is not None:
            self._way, role = last
            guess = self._way.graph
        else:
            guess = self._new = self._declare_graph(None, 0)
            self._way = Way(guess, [])
            role = "setup" if self.setting_up else "train" if in_training_loop(stack) else "other"
        self.graph = guess
        step = self.trained if role == "train" else self._step()
        self._said = (role, step)
        self._epoch = self._epoch_said = epoch_at(stack, sys._getframe())
        self._sink.declare(
            CallBegan(
                self.call, guess, Seq(self.first), step, role, thread=self.thread, epoch=self._epoch
            )
        )  # fmt: skip

    def anchor(self, stack: list[Frame], steps: bool = True) -> None:
        """The call has done its work at this place (innermost first); `steps`: not only evaluated."""
        self.steps.anchor(stack, steps)
        self._epoch = epoch_at(stack, sys._getframe())

    def end(self, variables: Vars) -> None:
        """The call under way is over."""
        if not self.begun:
            return
        self.begun = False
        places = self.places
        if not places:
            return
        self.room = max(self.room, CALLS * len(places))
        if self._deciding is not None:
            position, stack = self._deciding
            self._deciding = None
            if position < len(places):
                self._decisions[self._prefix(position)] = stack
        role = self._role()
        self.settle()
        way = self._end_way(role)
        # One that was going to train, and raised or was left before it did, is where that step would be.
        step = self.trained if role == "train" or self._said[0] == "train" else self._step()
        self.trained += role == "train"
        self._sink.declare(
            CallEnded(
                self.call,
                Seq(self.first + len(places) - 1),
                None if way.graph == self.graph else way.graph,
                None if role == self._said[0] else role,
                None if step == self._said[1] else -1 if step is None else step,
                self._shapes_id(way),
                epoch=None if self._epoch == self._epoch_said else -1 if self._epoch is None else self._epoch,
            )
        )
        self._last[id(self.steps.loop)] = (way, role)
        self._keep(way, variables)
        self._history.append(_Past(self.number, way.places, self.numbers.copy(), None))
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

    @property
    def known(self) -> bool:
        """Whether the call has gone the way of an earlier one, as far as `settle` has looked."""
        return self._way is not None

    def settle(self) -> None:
        """Say which graph the call is on, now that more of its operations have run."""
        places, turned = self.places, False
        count = len(places)
        while self._way is not None:
            known, at = self._way.places, self._followed
            if places[at:] == known[at:count]:
                self._followed = count
                break
            while at < len(known) and places[at] is known[at]:
                at += 1
            other = self._branches.get(self._prefix(at))
            if other is not None and other is not self._way:
                self._way, self._followed, turned = other, at + 1, True
                continue
            # Nobody has gone on like this.
            self._turn(self._way if at else None, at)
            turned = False
        if self._way is not None:
            if turned:
                self.graph = self._way.graph
                self._sink.declare(CallTurned(self.call, self.graph))
        elif self._followed < count:
            more = places[self._followed :]
            self._followed = count
            wirings = tuple(place.wiring for place in more if place.wiring is not None)
            self._sink.declare(GraphGrew(self.graph, tuple(place.node.id for place in more), wirings=wirings))

    def _turn(self, base: Way | None, keep: int) -> None:
        """The call is on a way of its own, after so many places of another one."""
        self._left, self._followed = (base, keep), keep
        if base is None and self._new is not None:
            self.graph = self._new
        else:
            self.graph = self._declare_graph(base.graph if base is not None else None, keep)
            self._sink.declare(CallTurned(self.call, self.graph))
        self._way = self._new = None

    def _end_way(self, role: Role) -> Way:
        """The way of the call that has ended, known from now on."""
        places, way = self.places, self._way
        if way is not None and len(way.places) == len(places):
            return way
        whole = self._prefix(len(places) - 1)
        known = self._ways.get(whole)
        if known is not None:
            return known
        if way is not None:  # it ended before that one did
            self._turn(way, len(places))
        way = self._ways[whole] = Way(self.graph, places.copy())
        self._kept += len(places)
        base, at = self._left
        if at < len(places):
            self._branches[self._prefix(at)] = way
        if base is not None and at < len(base.places):
            self._branches[_longer(self._prefix(at - 1), base.places[at])] = base
        place = self.place
        place.ends = True
        place.expect()
        self._name(way.graph, role)
        return way

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

    def reshape(self, count: int) -> None:
        """After so many places of this call, shapes are not those that the nodes declare."""
        if not self.varied:
            self.varied = True
            for place in self.all:
                place.renew()
        if self.specs is None:
            self.specs = [
                tuple(output.spec for output in place.node.outputs) for place in self.places[:count]
            ]

    def _shapes_id(self, way: Way) -> int:
        if self.specs is None:
            return 0
        every = [spec for specs in self.specs for spec in specs]
        said = repr([(spec.shape, spec.strides) for spec in every])
        shapes = hashlib.blake2b(said.encode(), digest_size=16).digest()
        known = way.shapes.get(shapes)
        if known is None:
            if len(way.shapes) >= _MOST_SHAPES:
                way.shapes.clear()
            self._shapes += 1
            known = way.shapes[shapes] = self._shapes
            self._sink.declare(ShapesSeen(known, way.graph, tuple(every)))
        return known

    # ── too much to remember ─────────────────────────────────────────────────────────────────

    @property
    def crowded(self) -> bool:
        """Whether there are so many places that they are to be forgotten before the next call."""
        return len(self.all) > self.room

    def forget_ways(self) -> None:
        """Forget every way, between two calls: what comes then is found anew, as in the first one."""
        self._last.clear()
        self._ways.clear()
        self._branches.clear()
        self._kept = 0

    def forget_places(self) -> None:
        """Forget every place, and so every way."""
        self.forget_ways()
        self._decisions.clear()
        self.places.clear()
        # Taken apart, so that they are gone at once: the script may have turned the collector off.
        for place in self.all:
            place.take_apart()
        self.all.clear()
        self.root.children.clear()
        self.root.expect()

    # ── what outlives a call ─────────────────────────────────────────────────────────────────

    def producer(self, home: Any) -> tuple[int, int] | None:
        """(sequence number, output) of the operation of an earlier call that last wrote this storage."""
        known = self._escaped.get(id(home))
        return (known[1], known[2]) if known is not None and known[0]() is home else None

    def writer(self, home: Any, variables: Vars) -> tuple[int, int] | None:
        """(sequence number, output) of the operation that last wrote this storage, in this call or before."""
        for number, position, output in last_writers(self.places):
            if variables[number]() is home:
                return self.first + position, output
        return self.producer(home)

    def made(self, number: int, name: str, current: Numbers) -> tuple[Place, list[Place]] | None:
        """The place that made the autograd node of this number and name, and all those of its call.

        It ran in this call or one shortly before.
        """
        place = current.find(number, name, self.number)
        if place is not None:
            return place, self.places
        for past in reversed(self._history):
            if number < past.first - AT_FIRST:
                continue
            if past.made is None:
                past.made = Numbers().follow(past.places, past.numbers)
            place = past.made.find(number, name, past.first)
            if place is not None:
                return place, past.places
        return None

    def forget_numbers(self) -> None:
        """The autograd nodes of earlier calls were another thread's."""
        self._history.clear()

    def _keep(self, way: Way, variables: Vars) -> None:
        escaped = self._escaped
        writers = last_writers(way.places) if way.writers is None else way.writers
        if way.again:  # what is never taken again is not worth the room
            way.writers = writers
        way.again = True
        for number, position, output in writers:
            home = variables[number]()
            if home is not None:
                escaped[id(home)] = (variables[number], self.first + position, output)
        if len(escaped) > _SWEEP:
            for key in [key for key, (home, _, _) in escaped.items() if home() is None]:
                del escaped[key]
        if self._kept > WAYS * self.room:
            self.forget_ways()


def _longer(prefix: int, place: Place) -> int:
    """As `Calls._prefix`, of a place more."""
    return hash((prefix, place))


@dataclass
class _Past:
    """A call that has ended, and which places of it made which autograd nodes, if anybody asked."""

    first: int
    places: list[Place]
    numbers: list[int]
    made: Numbers | None
