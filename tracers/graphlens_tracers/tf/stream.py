"""What a thread runs eagerly, as calls: one a step, with the calls of functions inside of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType

from graphlens_tracers.epochs import epoch_at
from graphlens_tracers.events import CallBegan, CallEnded, CallId, GraphId, GraphNamed, NodeId, Seq
from graphlens_tracers.loops import Steps, in_training_loop
from graphlens_tracers.sink import LogSink
from graphlens_tracers.sites import DEEPEST, Place, Stacks
from graphlens_tracers.tf.ahead import LayersAhead
from graphlens_tracers.tf.calls import Caller, Calls, Role
from graphlens_tracers.tf.ways import Kind, Point, Ways

_TRAINERS = ("keras/src/backend/tensorflow/trainer.py", "tf_keras/src/engine/training.py")
"""Files of Keras whose loops are those of the training, as if the user had written them."""
LONG = 2000
"""After so many operations without a layer, a gradient or an optimizer, any operation is an anchor."""


@dataclass(eq=False, slots=True)
class Stack:
    """Where the script is, innermost first.

    Attributes:
        user: The user's frames; `steps`: those, and the loops of Keras that train.
        belongs: When it was found to belong to the call under way: what that depends on.
    """

    user: list[Place]
    steps: list[Place]
    belongs: object = None


class Frames:
    """Finds the stack of an operation: the same one for the same places."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._counts: dict[int, bool] = {}
        self._codes: list[CodeType] = []  # so that their ids stay theirs
        self._known: dict[tuple[int, ...], Stack] = {}

    def stack(self, frame: FrameType | None) -> Stack:
        """The stack of a frame."""
        key: list[int] = []
        counts, at, depth = self._counts, frame, 0
        while at is not None and depth < DEEPEST:
            code = at.f_code
            count = counts.get(id(code))
            if count is None:
                count = counts[id(code)] = self._stacks.is_user(code) or _trains(code)
                self._codes.append(code)
            if count:
                key += (id(code), at.f_lasti)
            at = at.f_back
            depth += 1
        known = self._known.get(tuple(key))
        if known is None:
            known = self._known[tuple(key)] = self._made(frame)
        return known

    def inside(self, frame: FrameType | None) -> list[Place]:
        """The frames of the framework between the stack's innermost one and this one, outermost first."""
        places: list[Place] = []
        while frame is not None and not self._counts.get(id(frame.f_code), False):
            places.append((frame.f_code, frame.f_lasti))
            frame = frame.f_back
        return places[::-1]

    def _made(self, frame: FrameType | None) -> Stack:
        made = Stack([], [])
        depth = 0
        while frame is not None and depth < DEEPEST:
            place = frame.f_code, frame.f_lasti
            is_user = self._stacks.is_user(frame.f_code)
            if is_user:
                made.user.append(place)
            if is_user or _trains(frame.f_code):
                made.steps.append(place)
            frame = frame.f_back
            depth += 1
        return made


def _trains(code: CodeType) -> bool:
    return code.co_filename.replace("\\", "/").endswith(_TRAINERS)


def _goes_on(places: list[Place], anchor: list[Place]) -> bool:
    """Whether the framework is still in the call in which it passed an anchor; both outermost first.

    Where it runs what the script has done backwards, it calls another function at the same place.
    """
    for depth, ((code, lasti), (other, other_lasti)) in enumerate(zip(places, anchor, strict=False)):
        if code is not other:
            return depth > 0
        if lasti != other_lasti:
            return lasti > other_lasti
    return False


class Stream:
    """The calls of one thread.

    Attributes:
        call: The one that is under way, or the last one.
        begun: Whether one is under way; `idle`: it is none of those that are recorded.
        setting_up: Whether it is what runs before the first step.
        taped: Whether a tape was there for an operation of it.
        count: How many operations it has had.
        thread: The name of its thread, where that is not the one whose log it is.
        shapes: Which shapes a call has that is over, by its graph and its nodes.
        step: The training step that it is in, as was said; -1 before the first.
        epoch: The epoch that it is in, as far as is known now.
    """

    def __init__(
        self,
        sink: LogSink,
        calls: Calls,
        ways: Ways,
        frames: Frames,
        steps: tuple[int, int | None],
        stacks: Stacks,
    ) -> None:
        self._sink = sink
        self._calls = calls
        self.ways = ways
        self.frames = frames
        self._recorded = steps
        self._ahead = LayersAhead(stacks)
        self._steps = Steps(self._ahead)
        self._state = object()  # what decides whether a call is over has not changed while it is the same
        self._anchor: Stack | None = None
        self._anchored_at: list[Place] = []
        self._last: dict[int, tuple[list[Point], Role]] = {}  # by loop: what its calls were
        self._names: dict[Role, int] = {}
        self._role: Role = "other"
        self._graph = GraphId(-1)
        self._base = self._most = self.count = 0
        self._trained = self._evaluated = False
        self.shapes: Callable[[GraphId, list[NodeId]], int] = lambda graph, nodes: 0
        self.thread = ""
        self.call = CallId(-1)
        self.begun = self.idle = self.setting_up = self.taped = False
        self.step = -1
        self.epoch: int | None = None
        self._said: int | None = None  # the epoch, when the call began

    # ── where calls begin and end ────────────────────────────────────────────────────────────

    def between(self, stack: Stack, frame: FrameType | None) -> bool:
        """An operation ran at this stack: a call may be over before it. Gives whether one begins with it."""
        if self.begun:
            if stack is self._anchor and _goes_on(self.frames.inside(frame), self._anchored_at):
                return False  # the framework has not come back to the script yet
            if stack.belongs is self._state:
                return False
            if not self._is_over(stack.steps):
                stack.belongs = self._state
                return False
            self.end()
        self._begin(stack.steps, frame)
        return True

    def _is_over(self, stack: list[Place]) -> bool:
        steps = self._steps
        if not self.count:
            return False
        if self.setting_up and not steps.anchored:
            return self._ahead(stack) is not None
        if not (steps.anchored or self._trained or self._evaluated) and self.count > LONG and stack:
            steps.anchor(stack)
            self._state = object()
            return False
        return steps.is_new(stack)

    def _begin(self, stack: list[Place], frame: FrameType | None) -> None:
        calls, steps = self._calls, self._steps
        self.setting_up = self.call < 0 and not calls.steps and self._ahead(stack) is None
        self.begun, self.count = True, 0
        self._trained = self._evaluated = self.taped = False
        self._anchor = None
        self._base, self._most = calls.steps, 0
        first, stop = self._recorded
        self.idle = not (first <= calls.steps and (stop is None or calls.steps < stop))
        steps.begin(stack)
        self._state = object()
        path, role = self._last.get(id(steps.loop), ([], None))
        role = None if role == "setup" else role
        self._role = role or ("setup" if self.setting_up else "train" if in_training_loop(stack) else "other")
        self.step = self._base if self._role == "train" else self._base - 1
        if self.idle:
            return
        self.call = calls.new_call()
        kind: Kind = "setup" if self.setting_up else "step"
        self._graph = self.ways.begin(self.call, kind, path)
        step = None if self.step < 0 else self.step
        self.epoch = self._said = epoch_at(stack, frame)
        self._sink.declare(
            CallBegan(
                self.call, self._graph, Seq(self._sink.seq), step, self._role, thread=self.thread,
                epoch=self.epoch,
            )
        )  # fmt: skip

    def end(self) -> None:
        """The call under way is over."""
        if not self.begun:
            return
        self.begun = False
        role: Role = "setup" if self.setting_up else "other"
        if self._trained:
            role = "train"
        elif self._evaluated:
            role = "eval"
        trained = max(self._most, 1) if self._trained else 0
        self._calls.steps = self._base + trained
        if self.idle and trained:
            first, stop = self._recorded
            words = f"training steps outside of {first}:{'' if stop is None else stop}"
            self._sink.gap("untraced", words, trained)
        if self.idle:
            return
        if not self.count:  # a function that raised was all of it
            self._sink.declare(CallEnded(self.call, Seq(self._sink.seq - 1)))
            return
        graph, is_new = self.ways.end()
        # One that was going to train, and raised or was left before it did, is where that step would be.
        left = self.taped and role == "other" and self._role == "train"
        step = self._base if role == "train" or left else self._base - 1
        self._sink.declare(
            CallEnded(
                self.call, Seq(self._sink.seq - 1),
                None if graph == self.ways.graph else graph,
                None if role == self._role else role,
                None if step == self.step else step,
                self.shapes(graph, self.ways.nodes()),
                epoch=None if self.epoch == self._said else -1 if self.epoch is None else self.epoch,
            )
        )  # fmt: skip
        if is_new:
            count = self._names[role] = self._names.get(role, 0) + 1
            name = role if count == 1 else f"{role}#{count}"
            self._sink.declare(GraphNamed(graph, name, "setup" if role == "setup" else "step"))
        self._last[id(self._steps.loop)] = self.ways.path, role

    # ── what happens in them ─────────────────────────────────────────────────────────────────

    def went(self) -> None:
        """An operation ran."""
        self.count += 1

    def entering(self) -> None:
        """A function is about to be written, with the steps that it trains."""
        self._calls.steps = self._base

    def entered(self) -> None:
        """A function was written."""
        self._most = max(self._most, self._calls.steps - self._base)
        self._calls.steps = self._base

    def caller(self, node: int) -> Caller:
        """What a function is called by; `node`: by which operation, -1 when that was not seen."""
        role = self._role
        if role == "other" and self._calls.steps:
            role = "eval"
        return Caller(self.call if self.begun else -1, node, self.step, role)

    def anchored(self, stack: Stack, frame: FrameType | None, trains: bool) -> None:
        """A step has done its work at this stack, which is the frame's: it `trains`, or evaluates."""
        if not self.begun:
            return
        if trains:
            self._trained = True
        elif self.setting_up:
            return  # layers are tried out when a model is made
        elif not self._trained:
            self._evaluated = True
        self._anchor, self._anchored_at = stack, self.frames.inside(frame)
        self.epoch = epoch_at(stack.steps, frame)
        self._steps.anchor(self._anchor.steps, trains)
        self._state = object()
