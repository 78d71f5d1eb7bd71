"""Where one call of a thread ends and the next begins, asked while operations run."""

from __future__ import annotations

import sys
from threading import get_ident
from types import FrameType
from typing import TYPE_CHECKING, Any

from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.phases import Moment
from graphlens_tracers.pytorch.plan import Place
from graphlens_tracers.pytorch.rounds import loops_around

if TYPE_CHECKING:
    from graphlens_tracers.pytorch.dispatch import Dispatch


class Boundary:
    """Looks where the script is, and begins and ends calls."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._sink = dispatch.sink
        self._recorder = dispatch.recorder
        self._calls = dispatch.calls
        self._modules = dispatch.modules
        self._asked = (-1, 0)
        """The call, and how many operations it had, when it was last asked whether it is over."""

    def belongs(self, place: Place) -> bool:
        """Whether what runs at a place surely is part of the call under way, and of its phase."""
        if self.context in place.belongs:
            return True
        if not self._calls.steps.loose:
            return False
        self.between(place.node.info.func)  # it decides which step has begun
        return self.context in place.belongs

    @property
    def context(self) -> tuple[Any, ...]:
        """All that decides, besides the stack, whether a call is over, and which phase it is in."""
        calls = self._calls
        seen = calls.modules_seen, calls.backward, calls.stepped, calls.setting_up, calls.optimizers()
        return *calls.steps.state, *seen, self._recorder.kinds.weights

    def between(self, func: Any) -> None:
        """A call may be over here: look where the script is, and begin the next one if it is."""
        here = self._calls.call, len(self._calls.places)
        if self._calls.begun and (
            self._dispatch.engines or here == self._asked or self._recorder.info(func).closes
        ):
            return
        self._asked = here
        moment = self.moment()
        if self._dispatch.engines or (not moment.stack and get_ident() != self._dispatch.thread):
            # No step ends inside of a backward, or on a thread without the user's frames.
            if not self._calls.begun:
                self._modules.restart()
                self.begin(moment.stack)
            return
        loose = self._recorder.info(func).profiler or (moment.loads and not moment.fetches)
        # What runs inside of a module belongs to the same step as its call.
        inside = self._modules.depth and not self._calls.setting_up and not self._calls.steps.anchored
        over = moment.node is None and not inside
        if over and self._calls.is_over(moment.stack, moment.loads, loose):
            self.end()
            if self._dispatch.last_step:
                self._dispatch.idle = True
                return
        if not self._calls.begun:
            self._modules.restart()
            self.begin(moment.stack, loose)
            self._asked = self._calls.call, 0
            self._dispatch.careful = True  # what began the first step may since be known to be something else

    def begin(self, stack: list[Any], loose: bool = False) -> None:
        """A call begins with what runs next at this stack; `loose` as in `Calls.is_over`."""
        if self._calls.crowded and not self._dispatch.engines:
            self._recorder.forget()
        self._calls.begin(stack, loose)
        self._recorder.begin()
        self._dispatch.careful = False
        self._dispatch.looks.begin(self._calls.step)
        self._sink.introduce(*compat.who())
        if self._modules.depth and not compat.in_module(sys._getframe(1)):
            self._modules.abandon()  # an interrupt ended them, which no hook tells
        away = self._recorder.inputs.among.away
        for leaf in away:
            if not leaf.moves:
                leaf.lies = leaf.geometry
        away.clear()
        self._dispatch.expect()

    def end(self) -> None:
        """The call under way is over."""
        self._sink.introduce(*compat.who())
        self._calls.end(self._recorder.values.vars)
        self._dispatch.expect()

    def moment(self, frame: FrameType | None = None) -> Moment:
        """Where the script is; `frame`: the innermost one that is not ours, where that is known."""
        frame, stacks = frame or self._dispatch.frames(), self._recorder.stacks
        moment = Moment(stacks, frame, False)
        if self._dispatch.optimizer_depth is not None:
            # Its own frames are the user's, too, where the user wrote it.
            inner = moment.stack[: max(len(moment.stack) - self._dispatch.optimizer_depth, 0)]
            moment.optimizer = not inner or not self._in_closure(inner)
            moment.loops = loops_around(frame, stacks.is_user, len(inner))
        return moment

    def _in_closure(self, inner: list[Any]) -> bool:
        """Whether these frames, which `Optimizer.step` called, are its closure's."""
        closure = self._dispatch.closure
        return closure is not None and (not closure or any(code in closure for code, _ in inner))
