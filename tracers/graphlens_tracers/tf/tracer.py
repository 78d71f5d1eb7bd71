"""The TensorFlow tracer: functions as they are made, and as they run."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial, wraps
from time import perf_counter_ns
from types import FrameType
from typing import TYPE_CHECKING, Any

from graphlens_tracers.api import HOLD, Options, Sink
from graphlens_tracers.epochs import epoch_at
from graphlens_tracers.events import TracerStarted
from graphlens_tracers.sink import LogSink, words_of
from graphlens_tracers.sites import Stacks
from graphlens_tracers.tf import (
    compat,
    execution,
    gradients,
    layers,
    making,
    namescopes,
    sessions,
    variablescopes,
)
from graphlens_tracers.tf.births import Births
from graphlens_tracers.tf.building import Building
from graphlens_tracers.tf.calls import Caller, Calls
from graphlens_tracers.tf.eager import Eager
from graphlens_tracers.tf.interpreted import Interpreted
from graphlens_tracers.tf.loopnames import LoopNames
from graphlens_tracers.tf.sessions import Sessions
from graphlens_tracers.tf.threads import Threads
from graphlens_tracers.tf.watched import Watched

if TYPE_CHECKING:
    from graphlens_tracers.gate import Gate
    from graphlens_tracers.tf.function import Function
    from graphlens_tracers.tf.stepping import Stops


class TensorFlowTracer:
    """Records what TensorFlow runs in one process.

    Attributes:
        interpreted: Lets functions run operation by operation; to be set before it starts.
    """

    def __init__(self) -> None:
        # Before the first function: kernels of one that runs by TensorFlow keep what they remember.
        self.interpreted: Interpreted | None = Interpreted() if os.environ.get(HOLD) == "1" else None
        self._stops: Stops | None = None
        self._undo: list[Callable[[], object]] = []
        self._failed = True  # nothing is recorded yet

    def start(self, sink: Sink, options: Options) -> None:
        """Begin to trace all threads.

        Raises:
            TypeError: The sink is not one that takes whole pages of rows.
        """
        if not isinstance(sink, LogSink):
            raise TypeError(f"the TensorFlow tracer writes to a LogSink, not to {type(sink).__name__}")
        self._sink = sink
        self._options = options
        self._lock = threading.RLock()
        self._building = Building()
        self._threads = Threads(sink, options, self._building, partial(self._could_not, "what runs eagerly"))
        self._functions = self._threads.functions(sink)
        self._calls = Calls(sink, self._functions, self._threads.keeping(sink))
        self._eager = self._threads.eager(sink, self._functions, self._calls)
        self._thread = threading.get_ident()
        self._watched: dict[str, Watched | None] = {}
        self._births = Births() if options.keep.bad else None
        self._gone: list[str] = []
        self._failed = False
        self._sessions = Sessions(sink, options, self._building, self._functions, self._calls)
        is_user = Stacks(compat.directories()).is_user
        self._loops = LoopNames(is_user)
        self._kerases = layers.Kerases(self._building)
        lacks = compat.lacks()
        sink.declare(TracerStarted("tensorflow", compat.tf.__version__, lacks))
        if lacks:
            sink.gap("untraced", f"this TensorFlow lacks {', '.join(lacks)}")
            return
        if options.level == "structure":
            sink.gap("untraced", "which branches and loops of a function ran: --level health sees that")
        if self.interpreted is not None:
            self._undo += self.interpreted.install()
        self._look_for_keras()
        self._wrap_registration()
        self._wrap_calls()
        self._undo += gradients.hook(self._building)
        self._undo += execution.hook(self._eager, self._begin_thread, self._look_for_keras)
        self._undo += self._sessions.hook(
            self._lock, lambda: self._failed, self._could_not, self._end_eager_call
        )
        self._undo += variablescopes.hook(self._building)
        self._undo += making.hook(self._building, self._could_not)
        self._undo += namescopes.hook(self._building, is_user)
        files = [__file__, gradients.__file__, execution.__file__, sessions.__file__]
        self._undo.append(compat.hide_frames(files))

    def stop(self) -> None:
        """See `Tracer.stop`."""
        while self._undo:
            self._undo.pop()()
        if not self._failed:
            with self._lock:
                self._eager.stream.end()
                self._threads.stop()
                self._drop()
                self._functions.declare_all()

    def attend(self, gate: Gate) -> None:
        """Let the gate stop what runs. Called late, it stops at nothing inside of functions."""
        from graphlens_tracers.tf.stepping import Stops  # what most runs never need

        if self._stops is None and not self._failed:
            self._functions.telling = True
            self._stops = Stops(self, gate)
            gate.arms.append(self._stops.arm)
            if self.interpreted is None:
                self._sink.gap("unheld", "what runs in functions of TensorFlow: run with --hold or --break")
            self._stops.arm(gate.armed)

    # ── what the debugger asks ───────────────────────────────────────────────────────────────

    def next_seq(self) -> int:
        """The number of the operation that this thread records next."""
        return self._sink.seq

    def step(self) -> int | None:
        """The training step under way; None before the first."""
        step = self._eager.stream.step
        return None if step < 0 else step

    def function(self, name: str) -> Function | None:
        """What is known of a function."""
        return self._functions.known.get(name)

    def said_gap(self, what: str) -> None:
        """Say that the debugger failed."""
        self._sink.gap("failed", what)

    @contextlib.contextmanager
    def unrecorded(self) -> Iterator[None]:
        """What runs inside of it on the main thread is not recorded."""
        on, self._eager.on = self._eager.on, False
        try:
            yield
        finally:
            self._eager.on = on

    def forked(self) -> None:
        """See `Tracer.forked`."""
        if not self._failed:  # TensorFlow itself does not survive a fork
            self._failed, self._eager.on = True, False
            self._threads.switch_off()

    # ── functions are made ───────────────────────────────────────────────────────────────────

    def _wrap_registration(self) -> None:
        original = getattr(compat.atomic_function, compat.FUNCTION_ENTRY)

        @wraps(original)
        def around_registration(name: Any, graph: Any, *args: Any, **kwargs: Any) -> Any:
            made = original(name, graph, *args, **kwargs)
            try:
                with self._lock:
                    self._note(compat.text(made.name), graph, made)
            except Exception as error:
                self._could_not(f"the function {name}", error)
            return made

        setattr(compat.atomic_function, compat.FUNCTION_ENTRY, around_registration)
        self._undo.append(partial(setattr, compat.atomic_function, compat.FUNCTION_ENTRY, original))
        begun = compat.func_graph.FuncGraph.__init__

        @wraps(begun)
        def around_beginning(*args: Any, **kwargs: Any) -> None:
            self._look_for_keras()
            begun(*args, **kwargs)
            self._building.begun(args[0])
            self._loops.begun(args[0])

        compat.func_graph.FuncGraph.__init__ = around_beginning
        self._undo.append(partial(setattr, compat.func_graph.FuncGraph, "__init__", begun))

    def _look_for_keras(self) -> bool:
        """Give whether there is any: a second one is only looked for where a graph or a variable is made."""
        self._undo += self._kerases.look()
        return self._kerases.found

    def _note(self, name: str, graph: Any, made: Any) -> None:
        if self._failed:
            return
        states, variables = self._building.states(graph), compat.variables_of(graph)
        self._functions.note(name, graph, states, variables, made, self._loops.of(graph))

    # ── functions run ────────────────────────────────────────────────────────────────────────

    def _wrap_calls(self) -> None:
        original = compat.Context.call_function

        @wraps(original)
        def around_call(context: Any, name: Any, tensor_inputs: Any, num_outputs: Any) -> Any:
            watched = self._begin(compat.text(name))
            if watched is None:
                return original(context, name, tensor_inputs, num_outputs)
            began = perf_counter_ns()
            try:
                outputs = original(
                    context, watched.name.encode(), tensor_inputs, num_outputs + watched.outputs
                )
            except BaseException as error:
                if watched.is_refused(error):
                    self._refuse(watched)
                    return original(context, name, tensor_inputs, num_outputs)
                compat.rename(error, watched.originals)
                self._raised(watched, began, error, sys._getframe())
                error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
                raise
            took = perf_counter_ns() - began
            vector, outputs = (
                (outputs[-1], outputs[:num_outputs]) if watched.outputs else (None, outputs or [])
            )
            # A frame in a name of its own would hold the tensors until garbage is collected.
            self._end(watched, vector, tensor_inputs, outputs, began, took, sys._getframe())
            return outputs if num_outputs else None

        compat.Context.call_function = around_call
        self._undo.append(partial(setattr, compat.Context, "call_function", original))
        removed = compat.Context.remove_function

        @wraps(removed)
        def around_removal(context: Any, name: Any) -> Any:
            # The garbage collector may ask for it at any moment, also in the middle of what we do.
            self._gone.append(compat.text(name))
            return removed(context, name)

        compat.Context.remove_function = around_removal
        self._undo.append(partial(setattr, compat.Context, "remove_function", removed))

    def _begin(self, name: str) -> Watched | None:
        """What runs instead of a function; None for one that is not recorded."""
        if self._failed:
            # Its random numbers go on where they are: those of the function itself would begin anew.
            return self._watched.get(name)
        try:
            with self._lock:
                self._drop()
                if name not in self._watched:
                    self._watched[name] = self._watch(name)
                return self._watched[name]
        except Exception as error:
            self._could_not(f"the function {name}", error)
            return None

    def _watch(self, name: str) -> Watched | None:
        if compat.shows_functions():
            self._sink.gap("untraced", "functions that the script asks TensorFlow to show as they run")
            return None
        if self._functions.declare(name) is None:
            self._sink.gap("untraced", "calls of functions whose definition cannot be read")
            return None
        functions = self._functions
        watched = Watched(
            name, self._options.level == "health", functions.open_shapes, self._births, functions.updates
        )
        if self.interpreted is not None:
            self.interpreted.interpreter.watched(watched.originals)
        if self._options.level == "structure":
            self._calls.called(watched.untold)
        for inner in watched.unwatched:
            self._sink.gap("untraced", f"inside of {inner}")
        if self._options.level == "health" and compat.optimises():
            self._sink.gap("unfused", "functions of which Grappler cannot fuse what is looked at")
        if watched.compiled:
            words = "functions that XLA would compile, and which run as written"
            self._sink.gap("compiled", words, len(watched.compiled))
        return watched

    def _end(
        self,
        watched: Watched,
        vector: Any,
        inputs: Any,
        outputs: Any,
        began: int,
        took: int,
        frame: FrameType,
    ) -> None:
        if self._failed:
            return
        try:
            told = None if vector is None else vector.numpy()
            with self._lock:
                ran = watched.ran(told)
                if threading.get_ident() == self._thread:
                    self._eager.called(self._calls, ran, inputs, outputs, began, took, frame)
                    return
                if not self._eager.stream.idle:
                    self._calls.write(ran, began, took, self._caller())
                if self._building.eager is not None:
                    trains, _ = self._calls.does(ran)
                    self._building.eager.met(watched.function, inputs, outputs, began, took, frame, trains)
        except Exception as ours:
            self._could_not(f"a call of {watched.function}", ours)

    def _raised(self, watched: Watched, began: int, error: BaseException, frame: FrameType) -> None:
        if self._failed:
            return
        try:
            with self._lock:
                if threading.get_ident() == self._thread:
                    self._eager.between(frame)
                if not self._eager.stream.idle:
                    self._calls.raised(watched.ran(None), words_of(error), self._caller())
        except Exception as ours:
            self._could_not(f"a call of {watched.function}", ours)

    def _begin_thread(self) -> Eager:
        try:
            return self._threads.begin()
        except Exception as error:
            self._could_not(f"the thread {threading.current_thread().name}", error)
            return self._eager  # which is off by now

    def _end_eager_call(self) -> int | None:
        """A session runs: what ran eagerly before it is a call of its own. Gives the epoch."""
        stream = self._eager.stream
        if threading.get_ident() == self._thread:
            stream.end()
            self._eager.interrupted()
        # Not kept in a name: a frame that holds itself holds the session until garbage is collected.
        return epoch_at(stream.frames.stack(sys._getframe()).steps, sys._getframe())

    def _caller(self) -> Caller:
        """What a function is part of that no operation was seen to call."""
        return self._eager.stream.caller(-1)

    def _refuse(self, watched: Watched) -> None:
        """TensorFlow does not run the copy: nothing of it has run, and the function itself does."""
        with self._lock:
            self._watched[watched.function] = None
            watched.remove()
        self._sink.gap("untraced", "calls of functions that cannot be watched")

    def _drop(self) -> None:
        """Functions are gone: so is what ran instead."""
        while self._gone:
            name = self._gone.pop()
            watched = self._watched.pop(name, None)
            if watched is not None:
                watched.remove()
            self._functions.forget(name)

    def _could_not(self, what: str, error: Exception) -> None:
        """We failed. The script never notices: what is watched goes on running so, unread."""
        self._failed, self._eager.on = True, False
        self._threads.switch_off()
        self._sink.stopped(what, error)
