"""One traced thread: what is recorded of it, into a log of its own.

Threads share nothing that is written while operations run, so that none of them needs a lock: each
has its own dispatch mode, its own steps, modules, values and graphs, its own page and log.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import get_ident, get_native_id
from types import FrameType
from typing import Any

import torch
from torch import nn

from graphlens_tracers.api import Options
from graphlens_tracers.events import TracerStarted
from graphlens_tracers.keeping import Keeping
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.ahead import ModulesAhead
from graphlens_tracers.pytorch.autograd import Engine
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.compiled import Regions
from graphlens_tracers.pytorch.dispatch import Dispatch
from graphlens_tracers.pytorch.modules import Modules
from graphlens_tracers.pytorch.record import Recorder
from graphlens_tracers.sink import LogSink, complain
from graphlens_tracers.sites import Place, Stacks, codes_of


def _nothing(_sees: bool) -> None:
    """There are no hooks yet."""


@dataclass
class Common:
    """What is the same for all threads: written where it does not matter who is first.

    Attributes:
        sink: The log of the thread that started the tracer.
        modules: Whether the script has made any module with parameters.
        optimizers: Whether it has made an optimizer: then a step does not end with its backward.
        look_at_modules: Hooks every module, or none: hooks cost as much as a small module.
        seeing: How many threads are seen now.
    """

    sink: LogSink
    options: Options
    stacks: Stacks = field(default_factory=lambda: Stacks([compat.TORCH_DIRECTORY]))
    modules: bool = False
    optimizers: bool = False
    look_at_modules: Callable[[bool], None] = _nothing
    seeing: int = 0

    def look(self, more: int) -> None:
        """So many more threads are seen now, or fewer."""
        before, self.seeing = self.seeing, self.seeing + more
        if bool(before) != bool(self.seeing):
            self.look_at_modules(self.seeing > 0)


class Strand:
    """One thread that is traced, or will be when it runs its first operation.

    Attributes:
        regions: Runs its compiled regions.
        dispatch: The mode on the thread's stack of modes, as long as `seen`.
        sink: Its log; None before its first operation.
        name: The thread's name; "" for the one that started the tracer.
    """

    def __init__(self, common: Common, name: str) -> None:
        self._common = common
        self.name = name
        self.dispatch = Dispatch.made_as(self.begin)
        self.regions = Regions(self.dispatch)
        self.sink: LogSink | None = None
        self.seen = False
        self.first, self.stop = common.options.steps
        self._outside = f"training steps outside of {self.first}:{'' if self.stop is None else self.stop}"
        self._ended: list[object] = []
        """Where the last step that was not chosen ended, from there out to its loop."""
        self._passes = False
        """Whether there was a step that was not chosen."""
        self._passed = 0
        """How many of those are not in the log yet."""
        self._watched = 0
        """Backwards under way that were seen to begin."""
        self.anchors = 0
        """How often a step has done its work here."""
        self._optimizers: set[int] = set()
        self._entered: list[nn.Module] = []
        """Modules that were entered before there was anything to record."""

    # ── beginning and end ────────────────────────────────────────────────────────────────────

    def begin(self) -> bool:
        """The thread's first operation: open its log. False when it cannot be, or not yet."""
        if compat.in_infra_mode():
            return False  # on fake tensors; what is made now would be fake, too
        self.dispatch.waiting = None
        try:
            self.record()
        except Exception as error:
            self.dispatch.failed = True
            words = f"a thread could not be traced: {type(error).__name__}: {error}"
            self._common.sink.gap("failed", words)
            complain(words)
            return False
        return True

    def record(self, sink: LogSink | None = None) -> None:
        """From now on everything is recorded, into this log or one of the thread's own."""
        common = self._common
        if sink is None:
            if self.name:
                sink = common.sink.another(self.name)
            else:
                sink = common.sink  # of a forked child
                sink.renew()
        self.sink = sink
        self.sink.declare(TracerStarted("pytorch", torch.__version__, tuple(compat.LACKS)))
        self.modules = Modules(self.sink.declare)
        self.modules.exist = common.modules
        self.calls = Calls(self.sink, ModulesAhead(common.stacks), lambda: common.optimizers)
        health, keep = common.options.level == "health", common.options.keep
        self.recorder = Recorder(self.sink, self.modules, common.stacks, self.calls, health)
        with compat.without_modes():
            self.dispatch.record(self.sink, self.recorder, self.calls, Keeping(self.sink, keep))
        for module in self._entered:
            self.modules.enter(module)
        self._entered.clear()

    def see(self) -> None:
        """Put the mode onto this thread's stack."""
        self.seen = True
        self._common.look(+1)
        self.dispatch.__enter__()  # type: ignore[no-untyped-call]  # torch's is not typed

    def leave(self) -> None:
        """Take it away again."""
        if self.seen:
            self.seen = False
            self._common.look(-1)
            self.dispatch.__exit__(None, None, None)  # type: ignore[no-untyped-call]  # torch's is not typed

    def take(self, name: str) -> None:
        """Another thread begins, and goes on where the one before it ended."""
        self.name = name
        self.dispatch.thread = get_ident()
        if self.sink is not None:
            self.sink.belongs_to(get_ident(), get_native_id())
            self.calls.thread = "" if name == self.sink.thread else name
            self.recorder.links.another_thread(self.sink.seq)
            self.dispatch.turns.settle()

    def rest(self) -> None:
        """The thread ends: so do the call under way, and what it was in the middle of."""
        try:
            if self.sink is not None and not self.dispatch.failed:
                try:
                    self.recorder.resolve()
                    self.dispatch.boundary.end()
                    self.modules.abandon()
                except Exception as error:
                    self.dispatch.could_not("the end of a thread", error)
            self.say_passed()
            self._entered.clear()
            self.dispatch.engines = self._watched = 0
            if self.sink is not None:
                self.recorder.links.engines.clear()
            self.dispatch.optimizer_depth = None
        except Exception as error:
            self.dispatch.could_not("the end of a thread", error, for_good=True)

    def forked(self) -> None:
        """In a forked child, on its only thread: begin anew at the first operation, in another log."""
        dispatch = self.dispatch
        sees = self.seen and not dispatch.failed and (self.sink is None or not dispatch.idle)
        self.name, self.sink = "", None
        self._passes, self._passed, self._watched = False, 0, 0
        self._entered.clear()
        dispatch.forget(self.begin if sees else None)

    # ── which steps ──────────────────────────────────────────────────────────────────────────

    def _is_as_before(self, frame: FrameType | None) -> bool:
        """Outside of the chosen steps: whether a step ended just where the last one did. Then it is counted.

        This runs in every step that nobody asked for, and so looks at nothing but places, and at
        none outside of the loop that steps.
        """
        if self.seen or self.sink is None or self.calls.trained + 1 == self.first:
            self._ended = []
            return False
        loop = self.calls.steps.loop
        places: list[object] = []
        while frame is not None:
            code, at = frame.f_code, frame.f_lasti
            places += (code, at)
            if loop is not None and code is loop.code and loop.start <= at <= loop.stop:
                break
            frame = frame.f_back
        ended, self._ended = self._ended, places
        if ended != places:
            return False
        self.anchors += 1
        self._pass_by()
        return True

    def _pass_by(self) -> None:
        """A step that was not chosen is over."""
        self._passed += 1
        if not self._passes:
            self._passes = True
            self.say_passed()
        if not self.seen and self.calls.trained < self.first:
            self.calls.trained += 1

    def say_passed(self) -> None:
        """Into the log: how many steps were not chosen. At once for the first, for the others at the end."""
        if self.sink is not None and self._passed:
            self.sink.gap("untraced", self._outside, self._passed)
            self._passed = 0

    def _step_ended(self, stack: list[Place]) -> None:
        """A step has done its work at this place: see the next one or not, as was chosen."""
        self.anchors += 1
        dispatch = self.dispatch
        if dispatch.failed or (self.sink is None and not self.begin()):
            return
        calls = self.calls
        if self.seen and not dispatch.idle:
            calls.anchor(stack)
            dispatch.last_step = self.stop is not None and calls.trained + 1 >= self.stop
            return
        # With nothing recorded, an anchor that is not after the one before is the next step's.
        same = calls.steps.anchored and not calls.steps.is_new(stack)
        calls.anchor(stack)
        if same:
            return
        if self.seen:
            self._pass_by()
            self.leave()
            return
        before = calls.trained
        self._pass_by()
        if before < calls.trained == self.first:
            dispatch.wait_for_step()
            self.see()

    # ── modules ──────────────────────────────────────────────────────────────────────────────

    def entered(self, module: nn.Module) -> None:
        """A module's forward begins on this thread."""
        try:
            if not self.seen:
                return
            if self.sink is None:
                self._entered.append(module)
                return
            calls, modules = self.calls, self.modules
            if not modules.depth and not self.dispatch.engines:
                if calls.setting_up:
                    calls.must_cut = True
                if calls.steps.anchored or calls.steps.loop is None:
                    self._begin_at_module()
                calls.modules_seen = True
            modules.enter(module, again=self.dispatch.engines > 0)
        except Exception as error:
            self.dispatch.could_not("the beginning of a module", error, for_good=True)

    def left(self) -> None:
        """A module's forward is over on this thread."""
        try:
            if not self.seen:
                return
            if self.sink is None:
                if self._entered:
                    self._entered.pop()
                return
            self.modules.leave()
            if not self.modules.depth:
                self._module_ended()
        except Exception as error:
            self.dispatch.could_not("the end of a module", error, for_good=True)

    def _begin_at_module(self) -> None:
        """The first module call of a step counts from zero, and belongs to that step."""
        calls = self.calls
        if calls.begun and calls.places and not self.dispatch.engines:
            stack, _, _ = self._common.stacks.user(sys._getframe(3))
            if calls.is_over(stack, loads=False, loose=False, module=True):
                self.dispatch.boundary.end()
                self.modules.restart()
                self.dispatch.boundary.begin(stack)

    def _module_ended(self) -> None:
        calls = self.calls
        if torch.is_grad_enabled():
            calls.pending = True
        elif not calls.pending and not self.dispatch.engines and not calls.setting_up:
            calls.gradless = True
            if not calls.stepped:
                stack, _, _ = self._common.stacks.user(sys._getframe(3))
                if stack:
                    calls.anchor(stack, steps=False)

    # ── optimizers ───────────────────────────────────────────────────────────────────────────

    def optimizer_begins(self, optimizer: Any, closure: Any) -> None:
        """An optimizer's step begins on this thread; `closure`: what it may call for the loss, or None."""
        try:
            self._common.optimizers = True
            if not self.seen:
                return
            self.dispatch.closure = None if closure is None else codes_of(closure)
            if self.sink is not None and not self.dispatch.idle and id(optimizer) not in self._optimizers:
                # What it keeps from before anything was recorded.
                self._optimizers.add(id(optimizer))
                self._name_state(optimizer)
            if self.sink is not None:
                self.recorder.values.rounds.step_begins(len(self.calls.places))
            self.dispatch.optimizer_depth = len(self._common.stacks.user(sys._getframe(2))[0])
            self.dispatch.located = None
        except Exception as error:
            self.dispatch.could_not("the beginning of an optimizer step", error, for_good=True)

    def optimizer_ended(self, optimizer: Any) -> None:
        """An optimizer's step is over."""
        try:
            self.dispatch.optimizer_depth = None
            self.dispatch.located = None
            if self.sink is not None:
                self.calls.stepped = True
            if self._is_as_before(sys._getframe(2)):
                return
            stack, _, _ = self._common.stacks.user(sys._getframe(2))
            if stack:
                self._step_ended(stack)
            if self.seen and self.sink is not None and self.recorder.news:
                self._name_state(optimizer)
        except Exception as error:
            self.dispatch.could_not("the end of an optimizer step", error, for_good=True)

    def scaler_ended(self) -> None:
        """A GradScaler's step is over, and it has skipped the optimizer's."""
        try:
            if self.sink is not None:
                self.calls.stepped = True
            stack, _, _ = self._common.stacks.user(sys._getframe(2))
            if stack:
                self._step_ended(stack)
        except Exception as error:
            self.dispatch.could_not("the end of a GradScaler step", error, for_good=True)

    def _name_state(self, optimizer: Any) -> None:
        """What the optimizer calls the tensors that it keeps: only asked while a step is new."""
        states = self.recorder.inputs.states
        for parameter, state in optimizer.state.items():
            named = self.modules.tensor_name(parameter)
            owner = named[1] if named is not None else "?"
            for key, value in state.items() if isinstance(state, dict) else ():
                if isinstance(value, torch.Tensor) and value.layout is torch.strided:
                    home = value.untyped_storage()
                    known = states.get(id(home))
                    if known is None or known[0]() is not home:
                        states[id(home)] = (weakref.ref(home), f"{key}[{owner}]")

    def forget_tensors(self, tensors: list[torch.Tensor]) -> Callable[[], None]:
        """Keep no reference to these tensors; gives what takes their names up again."""
        try:
            if self.sink is None:
                return lambda: None
            self.recorder.resolve()
            self.recorder.values.forget_tensors()
            return self.modules.forget_tensors(*tensors)
        except Exception as error:
            self.dispatch.could_not("tensors that are swapped", error, for_good=True)
            return lambda: None

    # ── backward ─────────────────────────────────────────────────────────────────────────────

    def backward_begins(self, roots: Any) -> None:
        """The engine is entered from this thread, to differentiate `roots`."""
        try:
            if self.seen and self.sink is not None:
                if self.recorder.pending is not None:
                    self.recorder.resolve()
                if not self.dispatch.engines:
                    self.modules.again.clear()
                self.recorder.links.engines.append(Engine(len(self.calls.places), roots))
                self._watched += 1
                self.dispatch.be_careful()
            self.dispatch.engines += 1
        except Exception as error:
            self.dispatch.could_not("the beginning of a backward", error, for_good=True)

    def backward_ended(self) -> None:
        """The engine has returned."""
        try:
            dispatch = self.dispatch
            # A forked child leaves what its parent began.
            dispatch.engines = engines = max(dispatch.engines - 1, 0)
            if self._watched:
                self._watched -= 1
                if self.sink is not None and self.recorder.links.engines:
                    self.recorder.links.engines.pop()
            if engines:
                return
            if self.seen:
                self.regions.abandon()
                if self.sink is not None:
                    self.calls.backward = True
                    self.calls.pending = False
            if not self._common.optimizers:
                stack, _, _ = self._common.stacks.user(sys._getframe(2))
                if stack:
                    self._step_ended(stack)
        except Exception as error:
            self.dispatch.could_not("the end of a backward", error, for_good=True)

    def function_begins(self) -> int | None:
        """A custom autograd Function is being applied: after how many operations; None when nobody looks."""
        try:
            if self.sink is None or not self.seen or self.dispatch.idle:
                return None
            self.recorder.links.enter_function()
            return len(self.calls.places)
        except Exception as error:
            self.dispatch.could_not("a custom autograd.Function", error, for_good=True)
            return None

    def function_ended(self) -> None:
        """It is over."""
        try:
            self.recorder.links.leave_function()
        except Exception as error:
            self.dispatch.could_not("a custom autograd.Function", error, for_good=True)
