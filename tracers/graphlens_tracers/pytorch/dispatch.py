"""Every operation that torch dispatches passes here.

The quick side: is this the operation that came next the last time? Then a row of numbers is all
that is written. If not, the slow side (`record.py`) finds out what it is.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from threading import get_ident
from time import perf_counter_ns
from types import CodeType, FrameType, MethodType
from typing import Any, ClassVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from graphlens_tracers import page as at
from graphlens_tracers.events import Bound, Phase, Seq, Unusual
from graphlens_tracers.keeping import Keeping
from graphlens_tracers.pytorch import boundary, checks, compat, parts, quick
from graphlens_tracers.pytorch.arguments import OpInfo, Tensors, geometry_of, home_of, spec_of
from graphlens_tracers.pytorch.boundary import Boundary
from graphlens_tracers.pytorch.calls import Calls
from graphlens_tracers.pytorch.looks import Looks
from graphlens_tracers.pytorch.plan import Location, Place, ran
from graphlens_tracers.pytorch.quick import OTHER, Compiler, hot
from graphlens_tracers.pytorch.record import Before, Recorder, results_of
from graphlens_tracers.pytorch.rows import ScalarRows
from graphlens_tracers.pytorch.turns import NO_THREAD, Turn, Turns
from graphlens_tracers.sink import LogSink, complain, words_of
from graphlens_tracers.wire import MAX_ROWS, MAX_SLOTS, NO_NODE

_HERE = os.path.dirname(__file__)
_OURS = frozenset(
    (
        __file__, boundary.__file__, checks.__file__, parts.__file__, quick.__file__,
        os.path.join(_HERE, "stepping.py"), os.path.join(_HERE, "operation.py"),
    )
)  # fmt: skip
"""Files whose frames lie between the script and what looks at its stack."""
MOST_TRIES = 16
"""Known places that an operation which comes unexpected is compared with, before it is looked at anew."""


class Dispatch(TorchDispatchMode):
    """The dispatch mode of one traced thread, and what is recorded of it.

    It may be on the thread's stack of modes before anything is recorded: `record` is called when
    there is something. PyTorch's own threads that work for the traced one carry its stack of modes,
    and so the same instance: `turns` says whose turn it is.
    """

    supports_higher_order_operators = True
    every: ClassVar[weakref.WeakSet[Dispatch]] = weakref.WeakSet()
    """The modes of this process."""
    made_as: ClassVar[type[Dispatch]]
    """What new ones are made as: `stepping.Armed` while a debugger may stop them."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # On the class that defines `__torch_dispatch__`: otherwise torch wraps it, and the first
        # operation of an inference script imports 900 modules and makes a folder in /tmp.
        return False

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        # Otherwise TorchDynamo would compile nothing, and refuse where it must, as long as we look.
        return True

    def __init__(self, begin: Callable[[], bool]) -> None:
        """`begin`: asked at the first operation; calls `record`, and is True when it did."""
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        Dispatch.every.add(self)
        self.failed = False
        self.passed: dict[int, tuple[Any, Any]] = {}
        """What `stepping.Armed` need not look at: by the id of what recognises it, that, and where it is."""
        self.deeper = 0
        """Frames of ours between torch and `_else`, beyond those that are always there."""
        self.forget(begin)

    def forget(self, begin: Callable[[], bool] | None) -> None:
        """Nothing is recorded until `begin` does it; it may be another thread's turn to ask."""
        self.thread = get_ident()
        self.quick_thread = NO_THREAD
        """The thread whose turn it is to record; NO_THREAD when there is none, or several take turns."""
        self.turns = Turns(self)
        self.engines = 0
        """How many backwards of this thread are under way, one inside the other."""
        self.waiting: Callable[[Any], bool] | None = None if begin is None else lambda _func: begin()
        """While idle: whether recording begins with this operation; None when it does not."""
        self.last_step = False
        """Idle when the call under way is over."""
        self.optimizer_depth: int | None = None
        """How many user frames there are while `Optimizer.step` runs; None outside of it."""
        self.closure: set[CodeType] | None = None
        """The code of the closure that it was given; None when there is none."""
        self.located: Location | None = None
        """Where an operation of the `Optimizer.step` under way was found to be called."""
        self.careful = False
        """Whether the call goes a way of its own: then more is asked than what an operation reads."""
        self._idle = True

    def record(self, sink: LogSink, recorder: Recorder, calls: Calls, keeping: Keeping) -> None:
        """From now on everything is recorded here; what there was before is another log's."""
        self.sink = sink
        self.recorder = recorder
        self.calls = calls
        self.values = recorder.values
        self.modules = recorder.modules
        self.rows = ScalarRows(sink)
        self.looks = Looks(sink, self.rows, keeping)
        self.boundary = Boundary(self)
        self.made: dict[str, Any] = {}
        """What quick.py has compiled for this mode, by its text."""
        self.hot = hot(self)
        self.otherwise = MethodType(Dispatch.__torch_dispatch__, self)
        calls.root.otherwise = self.otherwise
        calls.root.expect()
        self.waiting = None
        self.idle = False

    @property
    def idle(self) -> bool:
        """Nothing is recorded: outside of the chosen steps, or since we failed."""
        return self._idle

    @idle.setter
    def idle(self, idle: bool) -> None:
        self._idle = idle
        self.turns.settle()

    # ── one operation ────────────────────────────────────────────────────────────────────────

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # Stands here where nothing was expected; the functions that quick.py makes take its place.
        try:
            return self._else(func, args, kwargs or {})
        except BaseException as error:
            # Without its first entry, which is this frame: a bare `raise` adds none, so the
            # script's traceback is what it would be without us.
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
            raise

    def expect(self) -> None:
        """Let what is expected after the current place meet the next operation."""
        place = self.calls.place
        quick = self.quick_thread != NO_THREAD and self.recorder.pending is None
        # Torch looks this method up on the instance, each time.
        self.__torch_dispatch__ = place.next if quick else self.otherwise  # type: ignore[method-assign, assignment]  # as said

    def _else(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None, tried: Place | None = None
    ) -> Any:
        """Not the operation that was expected first (`tried`), or none was: is it another known one?"""
        try:
            try:
                ready = get_ident() == self.quick_thread and self._ready(func)
            except Exception as error:
                self.could_not(func, error)
                ready = False
            if ready:
                first, variables, tries = self.calls.place, self.values.vars, MOST_TRIES
                for known in self._next(func, args):
                    here, node = self.calls.place, known.node
                    if node.info.func is not func or known.run is None or variables[node.ran] is ran:
                        continue
                    if known is tried and here is first:
                        continue
                    result = known.run(func, (), args, kwargs, 2 + self.deeper)
                    if result is not OTHER:
                        if here is self.calls.root or here.children[:1] != [known]:
                            self._turned(here, known)
                        return result
                    tries -= here not in known.before
                    if not tries:
                        break
            return self._other(func, args, kwargs or {})
        except BaseException as error:
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
            raise

    def _next(self, func: Any, args: tuple[Any, ...]) -> Iterator[Place]:
        """Places where this operation may be: what came next before, then those known from other ways."""
        try:
            here = self.calls.place
        except Exception as error:
            self.could_not(func, error)
            return
        yield from tuple(here.children)
        try:
            if not here.ends:
                self.boundary.between(func)
                if self.idle:
                    return
            begun = self.calls.place  # another step may have begun
        except Exception as error:
            self.could_not(func, error)
            return
        if begun is not here:
            yield from tuple(begun.children)
        variables = self.values.vars
        try:
            self.careful = True
            elsewhere = [
                place
                for place in self.recorder.elsewhere(func, args, self.frames())
                # What it reads first must be there.
                if begun not in place.before and all(variables[k]() is not None for k in place.reads[:1])
            ]
        except Exception as error:
            self.could_not(func, error)
            return
        yield from elsewhere

    def _turned(self, here: Place, known: Place) -> None:
        """What came after `here` is known, but not what was expected first."""
        try:
            here.expect(known)
            self.be_careful()
        except Exception as error:
            self.could_not("what came otherwise than expected", error)

    def be_careful(self) -> None:
        """From now on look twice, unless all that has run in this step did so in an earlier one."""
        self.calls.settle()
        self.careful = not self.calls.known

    def _ready(self, func: Any) -> bool:
        """Settle what the last operation left open; whether the next one is recorded."""
        try:
            if self.recorder.pending is not None:
                self.recorder.resolve()
            if self.calls.place.ends or not self.calls.begun:
                self.boundary.between(func)
        except Exception as error:
            self.could_not(func, error)
        return not self.idle

    def _other(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        seen = get_ident() == self.quick_thread
        if not seen:
            turn = self._turn(func)
            if turn is Turn.SHARED:
                try:
                    return self._shared(func, args, kwargs)
                except BaseException as error:
                    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
                    raise
            seen = turn is Turn.ALONE
        run = getattr(func, "_op", func)  # what an overload's own `__call__` calls: a frame less
        before = None
        if seen:
            try:
                before = self._look_around(func, args, kwargs)
            except Exception as error:
                self.could_not(func, error)
        began = perf_counter_ns()
        try:
            result = run(*args, **kwargs)
        except BaseException as error:
            if before is not None:
                self._raised(func, args, kwargs, began, error)
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
            raise
        took = perf_counter_ns() - began
        if before is not None:
            try:
                results = results_of(result, before.written)
                place = self._place(before, results, began, took)
                self._make_quick(place, args, kwargs, result, results)
                self.expect()
            except Exception as error:
                self.could_not(func, error)
        return result

    def _turn(self, func: Any) -> Turn:
        """Whether this thread may record what it runs now; a gap when it may not, and should."""
        try:
            if self.idle:
                mine = self.waiting is not None and get_ident() == self.thread and self.waiting(func)
                return Turn.ALONE if mine else Turn.NONE
            turn = self.turns.take()
            if turn is Turn.NONE:
                what = "operations of threads that PyTorch started, at the same time as others"
                self.sink.gap("thread", what)
            return turn
        except Exception as error:
            self.could_not(func, error, for_good=True)
            return Turn.NONE

    def _shared(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation that others of the same strand run beside: recorded in the order of their ends."""
        lock, before, call = self.turns.lock, None, -1
        with lock:
            try:
                if not self.idle:
                    before = self._look_around(func, args, kwargs)
                    call = self.calls.call
            except Exception as error:
                self.could_not(func, error)
        began = perf_counter_ns()
        results: Tensors | None = None
        failure: BaseException | None = None
        try:
            result = getattr(func, "_op", func)(*args, **kwargs)
            results = [] if before is None else results_of(result, before.written)
            return result
        except BaseException as error:
            failure = error
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
            raise
        finally:
            took = perf_counter_ns() - began
            with lock:
                try:
                    if before is not None and not self.idle and call == self.calls.call:
                        self.values.follow()
                        if failure is not None:
                            results = results_of(None, before.written)
                        self._place(before, results or [], began, took, failure)
                    elif before is not None:
                        self.sink.gap("thread", "operations that ended after the step in which they began")
                except Exception as error:
                    self.could_not(func, error)
                self.turns.done()

    def asked(self) -> None:
        """Somebody has written the control byte: a debugger wants to stop us, or stop us no more."""
        from graphlens_tracers.pytorch import stepping  # what most runs never need

        try:
            stepping.asked(self)
        except Exception as error:
            self.could_not("what a debugger asked for", error)

    def wait_for_step(self) -> None:
        """Record nothing until the step after the one under way begins."""
        self.idle = True
        self.waiting = self._step_begins

    def _step_begins(self, func: Any) -> bool:
        """Whether this operation is the first of the first step that was chosen."""
        try:
            if self.recorder.info(func).closes:
                return False
            moment = self.boundary.moment()
            if not self.calls.steps.is_new(moment.stack):
                return False
        except Exception as error:
            self.could_not("the steps before the chosen ones", error)
            return False
        self.waiting = None
        self.idle = False
        return True

    def applied(self, results: Any, since: int) -> None:
        """A custom Function was applied after so many operations, and gave `results`."""
        try:
            self.recorder.applied(results, since)
        except Exception as error:
            self.could_not("a custom autograd.Function", error)

    def could_not(self, func: Any, error: Exception, for_good: bool = False) -> None:
        """We failed. The script never notices: this operation is not recorded, or none is any more.

        Args:
            for_good: None can be, even where only the stack or the memory has run out.
        """
        try:
            if isinstance(error, (RecursionError, MemoryError)) and not for_good:
                self.sink.gap("failed", f"{type(error).__name__}: operations that were not recorded")
                return
            self.waiting = None
            self.failed = self.idle = True
            self.sink.stopped(func, error)
        except Exception as another:  # the stack or the memory has run out for this, too
            self.failed = self._idle = True
            self.quick_thread = NO_THREAD
            self.__dict__.pop("__torch_dispatch__", None)  # as in `expect`, and cannot fail
            complain(f"the script goes on untraced: {type(another).__name__}")

    # ── the quick side ───────────────────────────────────────────────────────────────────────

    def _make_quick(
        self, place: Place, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, results: Tensors
    ) -> None:
        """From now on this place is recognised by a function of its own."""
        node = place.node
        # Two that read the same, and autograd does not tell them apart either, are always looked at.
        alike = place.tells and node.twin is None and "Accumulate" not in node.formula
        if place.run is None and not alike and not node.info.inside:
            place.renew(Compiler(place, args, kwargs).run(self, result, results))

    def frames(self) -> FrameType | None:
        """The innermost frame that is not ours: where the operation was called."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename in _OURS:
            frame = frame.f_back
        return frame

    def _finish(
        self,
        place: Place,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        began: int,
        took: int,
        looked: bool,
    ) -> bool:
        """Variables, ranges and shapes of a recognised operation that has run.

        True when it was another one after all, since it made more or fewer tensors: its row is written then.
        `looked`: its ranges are there already.
        """
        node = place.node
        if type(result) is torch.Tensor and len(node.outputs) == 1:
            results: Tensors = [result]
        else:
            results = results_of(result, node.info.written(args, kwargs))
            if len(results) != len(node.outputs):
                self._place(self._before(node.info, args, kwargs), results, began, took)
                return True
        for output, number in place.makes:
            self.values.vars[number] = weakref.ref(home_of(results[output]))
        if self.recorder.moved:
            self._leaves()
        for output in node.noted:
            self.values.lie(node.outputs[output].value, results[output])
        if place.odd:
            self._compare(place, results)
        if node.ranged and not looked:
            self.looks.look(node, results, args, kwargs)
        if self.looks.keeping.everything:
            self.looks.keep(node, results, args, kwargs)
        if node.shapes is not None and node.shapes != tuple(tensor.shape for tensor in results):
            self.calls.reshape(len(self.calls.places))
        if self.calls.specs is not None:
            self.calls.specs.append(tuple(spec_of(tensor) for tensor in results))
        return False

    def _leaves(self) -> None:
        """Leaves that are not what they were the last time: said once it is sure that they were read."""
        for leaf in self.recorder.moved:
            if leaf.reshaped:
                leaf.reshaped = False
                self.calls.reshape(len(self.calls.places))
            if leaf.rebound:
                leaf.rebound = False
                producer = self.calls.producer(leaf.usual())
                if producer is not None:
                    self.sink.declare(
                        Bound(self.calls.call, leaf.value, leaf.cell, Seq(producer[0]), producer[1])
                    )
        self.recorder.moved.clear()

    def _compare(self, place: Place, results: Sequence[torch.Tensor]) -> None:
        """Whether the outputs of an odd place are as its node declares, this time."""
        if self.calls.specs is not None:
            return
        node = place.node
        for output, tensor in enumerate(results):
            here = geometry_of(tensor) if output not in node.noted else None
            if here is not None and here != node.lies[output]:
                # In the slow way it is passed already.
                self.calls.reshape(len(self.calls.places) - (self.calls.place is place))
                return

    def _specs(self, place: Place, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        assert self.calls.specs is not None
        results = results_of(result, place.node.info.written(args, kwargs))
        self.calls.specs.append(tuple(spec_of(tensor) for tensor in results))

    # ── the slow side ────────────────────────────────────────────────────────────────────────

    def _look_around(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Before | None:
        """What can only be known before an operation runs; None for one that has no numbers."""
        if self.idle:
            return None
        if compat.in_infra_mode():
            self.sink.gap("untraced", "operations on fake or traced tensors")
            return None
        recorder, calls, sink = self.recorder, self.calls, self.sink
        info = recorder.info(func)
        if not calls.place.ends:
            self.boundary.between(func)
            if self.idle:
                return None
        if sink.page.u64[at.CONTROL]:
            self.asked()
        before = self._before(info, args, kwargs)
        moment = before.moment
        where = moment.stack[0] if moment.stack else None
        sink.page.name_running(
            info.name if where is None else f"{info.name} {where[0].co_filename}:{recorder.sites.line(where)}"
        )
        u64 = sink.page.u64
        u64[at.RUNNING] = NO_NODE << 32 | sink.rows
        u64[at.RUNNING_SINCE] = perf_counter_ns()
        return before

    def _before(self, info: OpInfo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Before:
        return self.recorder.before(info, self.boundary.moment(), args, kwargs)

    def _place(
        self, before: Before, results: Tensors, began: int, took: int, error: BaseException | None = None
    ) -> Place:
        """Declare what has run, and write its row."""
        recorder, sink = self.recorder, self.sink
        context = self.boundary.context
        place = recorder.place(before, results)
        node = place.node
        if node.outside:
            place.belongs.add(context)
        if node.phase is Phase.OPTIMIZER:
            self.located = node.location
        self.careful = not self.calls.known
        if place.odd:
            self._compare(place, results)
        if node.shapes is not None and node.shapes != tuple(tensor.shape for tensor in results):
            self.calls.reshape(len(self.calls.places) - 1)
        if self.calls.specs is not None:
            self.calls.specs.append(tuple(spec_of(tensor) for tensor in results))
        if sink.rows >= MAX_ROWS or sink.slots + node.slots > MAX_SLOTS:
            self.sink.flush()
        if node.info.inside:
            self.rows.later.append(partial(sink.gap, "untraced", f"operations inside of {node.info.name}"))
        self.looks.look(node, results, before.form.tensors, {})
        if self.looks.keeping.everything:
            self.looks.keep(node, results, before.form.tensors, {})
        if error is None:
            recorder.await_autograd(results, before.written, place)
        else:
            # Later: it may empty the page, and the row's ranges are in it already.
            self.rows.later.append(partial(sink.declare, Unusual(Seq(sink.seq), -1, error=words_of(error))))
        self.rows.write_with(node, began, took, [before.form.scalars[k] for k in sorted(node.varying)])
        self.expect()
        return place

    def _raised(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], began: int, error: BaseException
    ) -> None:
        """The operation raised, though it was the expected one: it has a row.

        What it changes in place it may have changed before: of its outputs it has these.
        """
        took = perf_counter_ns() - began
        try:
            before = self._before(self.recorder.info(func), args, kwargs)
            self._place(before, results_of(None, before.written), began, took, error)
        except Exception as ours:
            self.could_not(func, ours)


Dispatch.made_as = Dispatch
