"""The PyTorch tracer: puts torch's own hooks and the dispatch modes in place, and takes them away.

Everything here is global to the process and undone by `stop`. Module forward hooks, optimizer
step hooks, the entry of the autograd engine: none of them changes what the program computes. Each
finds the strand of the thread that it is called on.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial, wraps
from threading import get_ident
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from graphlens_tracers.api import Options, Sink
from graphlens_tracers.pytorch import compat, compiled, printing
from graphlens_tracers.pytorch.dispatch import Dispatch
from graphlens_tracers.pytorch.numerics import be_careful
from graphlens_tracers.pytorch.strand import Common, Strand
from graphlens_tracers.sink import LogSink, complain, words_of

if TYPE_CHECKING:
    from graphlens_tracers.gate import Gate


def _undo_all(steps: list[Callable[[], object]]) -> None:
    while steps:
        steps.pop()()


class PyTorchTracer:
    """Traces the thread that starts it, and every thread that is started from then on."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []
        self._started = False

    def start(self, sink: Sink, options: Options) -> None:
        """Begin to trace this thread, and those that `threading` starts from now on.

        Raises:
            TypeError: The sink is not one that hot code can write to.
        """
        if not isinstance(sink, LogSink):
            raise TypeError(f"the PyTorch tracer writes to a LogSink, not to {type(sink).__name__}")
        if self._started:
            return
        self._started = True
        compat.has_no_rules(Dispatch)
        self._common = Common(sink, options, modules=options.late)
        self._main = Strand(self._common, "")
        self._main.record(sink)
        self._strands = {get_ident(): self._main}
        """By thread, while that lives."""
        self._free: list[Strand] = []
        """Those whose thread has ended: the next threads go on with them."""
        self._hook_modules()
        self._hook_optimizers()
        self._wrap_engine()
        self._wrap_functions()
        self._wrap_swaps()
        self._wrap_threads()
        self._undo.append(printing.wrap(self._dispatch_here))
        if options.compiled:
            self._stay_out_of_compilation()
        self._undo.append(partial(_undo_all, compiled.wrap(self._here, self._common.sink.gap)))
        if options.steps[0] <= 0:
            self._main.see()

    def stop(self) -> None:
        """Undo everything `start` did. Safe to call twice, and from a forked child.

        Logs of threads that still run stay as they are: nobody else may write to their pages.
        """
        if not self._started:
            return
        self._started = False
        here = self._strands.get(get_ident())
        if here is not None:
            here.leave()
            here.rest()
        for strand in list(self._strands.values()):
            strand.say_passed()
        for strand in (*self._free, *([here] if here is not None else [])):
            if strand.sink is not None and strand.sink is not self._common.sink:
                strand.sink.close()
        while self._undo:
            self._undo.pop()()

    def attend(self, gate: Gate) -> None:
        """Let the gate stop what runs."""
        from graphlens_tracers.pytorch import stepping  # what most runs never need

        stepping.attend(gate)

    def forked(self) -> None:
        """In a forked child: its only thread is this one, and its first operation begins another log."""
        if not self._started:
            return
        here = self._strands.get(get_ident())
        for strand in (*self._strands.values(), *self._free):
            if strand.sink is not None:
                strand.sink.forget()
        self._strands.clear()
        self._free.clear()
        if here is not None:
            self._strands[get_ident()] = here
            here.forked()
        be_careful()

    # ── threads ──────────────────────────────────────────────────────────────────────────────

    def _wrap_threads(self) -> None:
        """Every thread that `threading` starts passes one function: it gets a strand there."""
        original = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]  # the one place all threads pass

        def around_thread(thread: threading.Thread) -> None:
            strand = self._thread_begins(thread.name)
            try:
                original(thread)
            finally:
                if strand is not None:
                    self._thread_ended(strand)

        threading.Thread._bootstrap_inner = around_thread  # type: ignore[attr-defined]  # as above
        self._undo.append(partial(setattr, threading.Thread, "_bootstrap_inner", original))

    def _thread_begins(self, name: str) -> Strand | None:
        try:
            strand = self._free.pop() if self._free else Strand(self._common, name)
            strand.take(name)
            self._strands[get_ident()] = strand
            if self._common.options.steps[0] <= 0 and not strand.dispatch.failed:
                strand.see()
        except Exception as error:
            self._could_not(f"the thread {name}", error)
            return None
        return strand

    def _thread_ended(self, strand: Strand) -> None:
        try:
            strand.leave()
            strand.rest()
            self._strands.pop(get_ident(), None)
            if self._started and not strand.dispatch.failed:
                self._free.append(strand)
            elif strand.sink is not None:
                strand.sink.close()
        except Exception as error:
            self._could_not(f"the end of the thread {strand.name}", error)

    def _could_not(self, what: str, error: Exception) -> None:
        """We failed where no operation runs: say so, and go on without it."""
        words = f"{what} is not recorded: {words_of(error)}"
        complain(words)
        try:
            self._common.sink.gap("failed", words)
        except Exception as another:
            complain(f"nor can that be written down: {words_of(another)}")

    def _here(self) -> Strand | None:
        """The strand of this thread, or the one that it works for; None: nothing of it is recorded."""
        strand = self._strands.get(get_ident())
        if strand is not None:
            return strand
        what = "modules, backwards and optimizers on threads that `threading` did not start"
        try:
            # A thread of the autograd engine carries the modes of the thread that called it.
            for mode in compat.mode_stack() if compat.mode_stack is not None else ():
                if isinstance(mode, Dispatch):
                    return next((one for one in list(self._strands.values()) if one.dispatch is mode), None)
            self._common.sink.gap("thread", what)
        except Exception as error:
            self._could_not(what, error)
        return None

    def _dispatch_here(self) -> Dispatch | None:
        """The mode of this thread, as long as it records."""
        strand = self._strands.get(get_ident())
        return strand.dispatch if strand is not None and strand.seen and strand.sink is not None else None

    def _hook(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        return compiled.unless_compiling(hook) if self._common.options.compiled else hook

    def _stay_out_of_compilation(self) -> None:
        """Where a graph breaks, TorchDynamo compiles whatever runs: not us."""
        for ours in (
            Dispatch.__torch_dispatch__, PyTorchTracer._here, Dispatch.applied, Strand.function_begins,
            Strand.function_ended, Strand.backward_begins, Strand.backward_ended,
        ):  # fmt: skip
            compat.leave_uncompiled(ours, callees=True)
        # What these two run is the script's.
        compat.leave_uncompiled(torch.autograd.Function.apply, callees=False)
        for holder in compat.engine_holders:
            compat.leave_uncompiled(getattr(holder, compat.ENGINE_ENTRY), callees=False)

    def _wrap_swaps(self) -> None:
        """Tensors that anybody has a weak reference to cannot be swapped: we give up ours for a moment."""
        original: Any = torch.utils.swap_tensors  # torch has not typed it

        @wraps(getattr(original, "__func__", original))
        def around_swap(*args: Any, **kwargs: Any) -> None:
            given = [one for one in (*args, *kwargs.values()) if isinstance(one, torch.Tensor)]
            strands = [*self._strands.values(), *self._free]
            again = [strand.forget_tensors(given) for strand in strands]
            try:
                original(*args, **kwargs)
            except BaseException as error:
                # Without our frame, as in `Dispatch`.
                error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
                raise
            finally:
                try:
                    for take_up in again:
                        take_up()
                except Exception as error:
                    self._could_not("what swapped tensors are called", error)

        compat.unseen_by_warnings(around_swap)
        torch.utils.swap_tensors = around_swap
        self._undo.append(partial(setattr, torch.utils, "swap_tensors", original))

    # ── modules ──────────────────────────────────────────────────────────────────────────────

    def _hook_modules(self) -> None:
        strands, common = self._strands, self._common

        def entered(module: nn.Module, _args: Any) -> None:
            strand = strands.get(get_ident()) or self._here()
            if strand is not None:
                strand.entered(module)

        def left(module: nn.Module, _args: Any, _result: Any) -> None:
            if sys.exception() is not None:
                try:
                    compat.hide_inner_call(module, [before, after], sys._getframe(1))
                except Exception as error:
                    self._could_not("a traceback without our frames", error)
            strand = strands.get(get_ident()) or self._here()
            if strand is not None:
                strand.left()

        def has_parameter(_module: nn.Module, _name: str, _parameter: Any) -> None:
            if not common.modules:
                common.modules = True
                for strand in list(strands.values()):
                    if strand.sink is not None:
                        strand.modules.exist = True

        before, after = self._hook(entered), self._hook(left)
        hooks: list[Callable[[], object]] = []

        def look_at_modules(sees: bool) -> None:
            _undo_all(hooks)
            if sees:
                hooks.append(module_hooks.register_module_forward_pre_hook(before).remove)
                hooks.append(module_hooks.register_module_forward_hook(after, always_call=True).remove)

        common.look_at_modules = look_at_modules
        self._undo += [
            compat.hide_hooks([before, after]),
            partial(_undo_all, hooks),
            module_hooks.register_module_parameter_registration_hook(has_parameter).remove,
        ]

    # ── optimizers ───────────────────────────────────────────────────────────────────────────

    def _hook_optimizers(self) -> None:
        strands, here, common = self._strands, self._here, self._common
        original = torch.optim.Optimizer.__init__

        @wraps(getattr(original, "__func__", original))
        def made(*args: Any, **kwargs: Any) -> None:
            common.optimizers = True
            try:
                original(*args, **kwargs)
            except BaseException as error:
                # Without our frame, as in `Dispatch`.
                error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
                raise

        def begins(optimizer: Any, args: Any, kwargs: Any) -> None:
            strand = strands.get(get_ident()) or here()
            if strand is not None:
                strand.optimizer_begins(optimizer, args[1] if len(args) > 1 else kwargs.get("closure"))

        def ended(optimizer: Any, _args: Any, _kwargs: Any) -> None:
            strand = strands.get(get_ident()) or here()
            if strand is not None:
                strand.optimizer_ended(optimizer)

        scaler = torch.amp.GradScaler
        scaled = scaler.step

        @wraps(scaled)
        def around_step(*args: Any, **kwargs: Any) -> Any:
            strand = self._here()
            before = strand.anchors if strand is not None else 0
            try:
                result = scaled(*args, **kwargs)
            except BaseException as error:
                error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
                raise
            if strand is not None and strand.anchors == before:
                strand.scaler_ended()
            return result

        compat.unseen_by_warnings(around_step, made)
        scaler.step = around_step  # type: ignore[method-assign]  # and undone by `stop`
        self._undo.append(partial(setattr, scaler, "step", scaled))
        torch.optim.Optimizer.__init__ = made  # type: ignore[method-assign]  # and undone by `stop`
        self._undo += [
            partial(setattr, torch.optim.Optimizer, "__init__", original),
            register_optimizer_step_pre_hook(self._hook(begins)).remove,
            register_optimizer_step_post_hook(self._hook(ended)).remove,
        ]

    # ── backward ─────────────────────────────────────────────────────────────────────────────

    def _wrap_engine(self) -> None:
        """Note when a backward begins and ends: every one starts through this Python function."""
        strands, here = self._strands, self._here
        for holder in compat.engine_holders:
            original = getattr(holder, compat.ENGINE_ENTRY)

            def around_engine(*args: Any, __original: Any = original, **kwargs: Any) -> Any:
                strand = strands.get(get_ident()) or here()
                if strand is not None:
                    strand.backward_begins(args[0] if args else ())
                try:
                    return __original(*args, **kwargs)
                except BaseException as error:
                    # Without our frame, as in `Dispatch`.
                    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
                    raise
                finally:
                    if strand is not None:
                        strand.backward_ended()

            compat.unseen_by_warnings(around_engine)
            setattr(holder, compat.ENGINE_ENTRY, around_engine)
            self._undo.append(partial(setattr, holder, compat.ENGINE_ENTRY, original))

    def _wrap_functions(self) -> None:
        """Note what a custom `autograd.Function` runs: autograd has one node for all of it."""
        function = torch.autograd.Function
        original = function.__dict__["apply"]

        @wraps(getattr(original, "__func__", original))
        def around_apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
            strand = self._here()
            since = strand.function_begins() if strand is not None else None
            try:
                # A function of Python's until torch 2.13, one of C since.
                result = original.__get__(None, cls)(*args, **kwargs)
            except BaseException as error:
                # Without our frame, as in `Dispatch`.
                error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
                raise
            finally:
                if strand is not None and since is not None:
                    strand.function_ended()
            if strand is not None and since is not None:
                strand.dispatch.applied(result, since)
            return result

        compat.unseen_by_warnings(around_apply)
        function.apply = classmethod(around_apply)  # type: ignore[assignment]  # and undone by `stop`
        self._undo.append(partial(setattr, function, "apply", original))
