"""The PyTorch tracer: puts the dispatch mode and torch's own hooks in place, and takes them away.

Everything here is global to the process and undone by `stop`. Module forward hooks, optimizer
step hooks, the entry of the autograd engine: none of them changes what the program computes.
"""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from functools import partial, wraps
from threading import get_ident
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from graphlens_tracers.api import Options, Sink
from graphlens_tracers.events import TracerStarted
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.dispatch import Counting, Dispatch
from graphlens_tracers.pytorch.modules import Modules
from graphlens_tracers.pytorch.record import Recorder
from graphlens_tracers.sink import LogSink
from graphlens_tracers.sites import Place, Stacks


class PyTorchTracer:
    """Traces the thread that starts it."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []
        self._started = False

    def start(self, sink: Sink, options: Options) -> None:
        """Begin to trace this thread.

        Raises:
            TypeError: The sink is not one that hot code can write to.
        """
        if not isinstance(sink, LogSink):
            raise TypeError(f"the PyTorch tracer writes to a LogSink, not to {type(sink).__name__}")
        if self._started:
            return
        self._started = True
        self._sink = sink
        sink.declare(TracerStarted("pytorch", torch.__version__, tuple(compat.LACKS)))
        self._modules = Modules(sink.declare)
        self._calls = Calls(sink)
        stacks = Stacks([compat.TORCH_DIRECTORY])
        self._stacks = stacks
        recorder = Recorder(sink, self._modules, stacks, self._calls, options.level == "health")
        self._recorder = recorder
        self._dispatch = Dispatch(sink, recorder, self._calls)
        self._optimizers = False
        self._searches = 0
        self._engine_depth = 0
        self._hook_modules()
        self._hook_optimizers()
        self._wrap_engine()
        self._count_threads()
        self._note_compilation()
        self._first, self._stop = options.steps
        self._calls.trained = 0
        self._seen = False
        self._undo.append(self._leave)
        if self._first <= 0:
            self._see()

    def stop(self) -> None:
        """Undo everything `start` did. Safe to call twice, and from a forked child."""
        if not self._started:
            return
        self._started = False
        if get_ident() == self._dispatch.thread:
            self._recorder.resolve()
            self._dispatch.end_call()
        while self._undo:
            self._undo.pop()()

    # ── which steps ──────────────────────────────────────────────────────────────────────────

    def _see(self) -> None:
        self._seen = True
        self._dispatch.__enter__()  # type: ignore[no-untyped-call]  # torch's is not typed

    def _leave(self) -> None:
        if self._seen:
            self._seen = False
            self._dispatch.__exit__(None, None, None)  # type: ignore[no-untyped-call]  # torch's is not typed

    def _step_ended(self, stack: list[Place]) -> None:
        """A step has done its work at this place: see the next one or not, as was chosen."""
        calls, dispatch = self._calls, self._dispatch
        if dispatch.failed:
            return
        if self._seen and not dispatch.idle:
            calls.steps.anchor(stack)
            dispatch.last_step = self._stop is not None and calls.trained + 1 >= self._stop
            return
        # With nothing recorded, an anchor that is not after the one before is the next step's.
        same = calls.steps.anchored and not calls.steps.is_new(stack)
        calls.steps.anchor(stack)
        if same:
            return
        self._sink.gap(
            "untraced", f"training steps outside of {self._first}:{'' if self._stop is None else self._stop}"
        )
        if self._seen:
            self._leave()
        elif calls.trained < self._first:
            calls.trained += 1
            if calls.trained == self._first:
                dispatch.idle = dispatch.waiting = True
                self._see()

    # ── what is only counted ─────────────────────────────────────────────────────────────────

    def _count_threads(self) -> None:
        """Operations of other threads are counted, not recorded."""
        original = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]  # the one place all threads pass
        sink = self._sink

        def counted(thread: threading.Thread) -> None:
            with Counting(sink):
                original(thread)

        threading.Thread._bootstrap_inner = counted  # type: ignore[attr-defined]  # as above
        self._undo.append(partial(setattr, threading.Thread, "_bootstrap_inner", original))

    def _note_compilation(self) -> None:
        """`torch.compile` does not compile while we look: say so where it is called."""
        original, sink = torch.compile, self._sink

        @wraps(original)
        def noted(*args: Any, **kwargs: Any) -> Any:
            sink.gap(
                "compiled", "regions given to torch.compile run uncompiled, so that their operations are seen"
            )
            return original(*args, **kwargs)

        torch.compile = noted
        self._undo.append(partial(setattr, torch, "compile", original))

    # ── modules ──────────────────────────────────────────────────────────────────────────────

    def _hook_modules(self) -> None:
        modules, calls, thread = self._modules, self._calls, self._dispatch.thread

        def entered(module: nn.Module, _args: Any) -> None:
            if get_ident() != thread or not self._seen:
                return
            if not modules.depth:
                if calls.setting_up:
                    calls.must_cut = True
                if calls.steps.anchored or calls.steps.loop is None:
                    self._begin_at_module()
                calls.modules_seen = True
            modules.enter(module)

        def left(_module: nn.Module, _args: Any, _result: Any) -> None:
            if get_ident() != thread or not self._seen:
                return
            modules.leave()
            if not modules.depth:
                self._module_ended()

        def has_parameter(_module: nn.Module, _name: str, _parameter: Any) -> None:
            modules.exist = True

        self._undo += [
            module_hooks.register_module_forward_pre_hook(entered).remove,
            module_hooks.register_module_forward_hook(left, always_call=True).remove,
            module_hooks.register_module_parameter_registration_hook(has_parameter).remove,
        ]

    def _begin_at_module(self) -> None:
        """The first module call of a step counts from zero, and belongs to that step."""
        calls = self._calls
        if calls.begun and calls.place is not calls.root and not self._engine_depth:
            stack, _, _ = self._stacks.user(sys._getframe(2))
            if calls.is_over(stack, data=False, sampler=False):
                self._dispatch.end_call()
                self._modules.restart()
                self._dispatch.begin_call(stack)

    def _module_ended(self) -> None:
        calls = self._calls
        if torch.is_grad_enabled():
            calls.pending = True
        elif not calls.pending and not self._engine_depth and not calls.setting_up:
            calls.gradless = True
            if not calls.stepped:
                self._anchor()

    def _anchor(self) -> None:
        stack, _, _ = self._stacks.user(sys._getframe(2))
        if stack:
            self._calls.steps.anchor(stack)

    # ── optimizers ───────────────────────────────────────────────────────────────────────────

    def _hook_optimizers(self) -> None:
        dispatch, calls, thread = self._dispatch, self._calls, self._dispatch.thread

        def begins(_optimizer: Any, _args: Any, _kwargs: Any) -> None:
            if get_ident() == thread:
                self._optimizers = True
                dispatch.optimizer_depth = len(self._stacks.user(sys._getframe(1))[0])

        def ended(optimizer: Any, _args: Any, _kwargs: Any) -> None:
            if get_ident() == thread:
                dispatch.optimizer_depth = None
                calls.stepped = True
                stack, _, _ = self._stacks.user(sys._getframe(1))
                if stack:
                    self._step_ended(stack)
                if self._seen and self._recorder.news:
                    self._name_state(optimizer)

        self._undo += [
            register_optimizer_step_pre_hook(begins).remove,
            register_optimizer_step_post_hook(ended).remove,
        ]

    def _name_state(self, optimizer: Any) -> None:
        """What the optimizer calls the tensors that it keeps: only asked while a step is new."""
        states = self._recorder.states
        for parameter, state in optimizer.state.items():
            named = self._modules.tensor_name(parameter)
            owner = named[1] if named is not None else "?"
            for key, value in state.items() if isinstance(state, dict) else ():
                if isinstance(value, torch.Tensor) and value.layout is torch.strided:
                    home = value.untyped_storage()
                    known = states.get(id(home))
                    if known is None or known[0]() is not home:
                        states[id(home)] = (weakref.ref(home), f"{key}[{owner}]")

    # ── backward ─────────────────────────────────────────────────────────────────────────────

    def _wrap_engine(self) -> None:
        """Note when a backward begins and ends: every one starts through this Python function."""
        for holder in compat.engine_holders:
            original = getattr(holder, compat.ENGINE_ENTRY)

            def wrapped(*args: Any, __original: Any = original, **kwargs: Any) -> Any:
                self._backward_begins()
                try:
                    return __original(*args, **kwargs)
                except BaseException as error:
                    # Without our frame, as in `Dispatch`.
                    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
                    raise
                finally:
                    self._backward_ended()

            setattr(holder, compat.ENGINE_ENTRY, wrapped)
            self._undo.append(partial(setattr, holder, compat.ENGINE_ENTRY, original))

    def _backward_begins(self) -> None:
        if get_ident() != self._dispatch.thread:
            self._sink.gap("thread", "a backward on another thread")
            return
        if self._recorder.pending is not None:
            self._recorder.resolve()
        self._engine_depth += 1

    def _backward_ended(self) -> None:
        if get_ident() != self._dispatch.thread:
            return
        self._engine_depth -= 1
        if not self._engine_depth:
            self._calls.backward = True
            self._calls.pending = False
            if not self._has_optimizer():
                stack, _, _ = self._stacks.user(sys._getframe(1))
                if stack:
                    self._step_ended(stack)

    def _has_optimizer(self) -> bool:
        """Whether the script made an optimizer: then the end of a backward is not the end of a step."""
        if not self._optimizers and self._searches < 3:
            self._searches += 1
            self._optimizers = any(
                torch.optim.Optimizer in type.__getattribute__(type(thing), "__mro__")
                for thing in gc.get_objects()
            )
        return self._optimizers
