"""Sessions of TensorFlow 1: each run is a call of the part of its graph that it needs.

The tensors that are looked at are fetched beside those that the script fetches, and TensorFlow's debugger
looks at those that cannot be. The script's graph stays as it is, and what it did not ask for is taken off
the results before it gets them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from threading import RLock
from time import perf_counter_ns
from typing import Any

from graphlens_tracers.api import Options
from graphlens_tracers.sink import LogSink, words_of
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.building import Building
from graphlens_tracers.tf.calls import Calls
from graphlens_tracers.tf.concrete import Functions
from graphlens_tracers.tf.dumps import Dump
from graphlens_tracers.tf.frames import Told
from graphlens_tracers.tf.sessiongraph import Asked, Part, names, part_of
from graphlens_tracers.tf.sessionlooks import Looked

_UNWATCHED = "loops and branches of TensorFlow 1 in runs that its debugger could not look at"


@dataclass
class _Graph:
    """What is known of a graph of the script's.

    Attributes:
        sessions: Those that have run it and are alive; `count`: how many have.
    """

    number: int
    parts: dict[Asked, Part] = field(default_factory=dict)
    sessions: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)
    count: int = 0


@dataclass
class _Run:
    """A run that has begun.

    Attributes:
        fed: By name.
        chosen: Which of its part's outputs are fetched beside what the script asked for.
        dump: Where the debugger writes; None: it does not look.
    """

    part: Part
    fed: dict[str, Any]
    chosen: list[int] = field(default_factory=list)
    dump: Dump | None = None


class Sessions:
    """Records what sessions run."""

    def __init__(
        self, sink: LogSink, options: Options, building: Building, functions: Functions, calls: Calls
    ) -> None:
        self._sink = sink
        self._options = options
        self._building = building
        self._functions = functions
        self._calls = calls
        self._graphs: weakref.WeakKeyDictionary[Any, _Graph] = weakref.WeakKeyDictionary()
        self._count = self._serial = 0
        self._gone: list[_Graph] = []

    def hook(
        self,
        lock: RLock,
        is_off: Callable[[], bool],
        could_not: Callable[[str, Exception], None],
        before: Callable[[], int | None],
    ) -> list[Callable[[], None]]:
        """Let runs be seen; each result undoes a part.

        Args:
            lock: Held while rows are written; `is_off`: whether nothing is recorded any more.
            could_not: Told when we fail; `before`: called before a run is written, gives the epoch.
        """
        base, sessions = compat.session.BaseSession, self
        original = base._do_run

        def begin(
            session: Any, handle: Any, targets: Any, fetches: Any, feeds: Any, *how: Any
        ) -> _Run | None:
            if is_off():
                return None
            try:
                with lock:
                    return self._begin(session, handle, targets, fetches, feeds, *how)
            except Exception as error:
                could_not("a run of a session", error)
                return None

        def end(run: _Run | None, more: Any, began: int, error: BaseException | None) -> None:
            took = perf_counter_ns() - began
            if run is None:
                return
            try:
                with lock:
                    dumped = self._dumped(run)
                    if not is_off():
                        self._end(run, more, dumped, began, took, error, before())
            except Exception as ours:
                could_not("a run of a session", ours)

        @wraps(original)
        def around_run(
            self: Any, handle: Any, target_list: Any, fetch_list: Any, feed_dict: Any, options: Any,
            run_metadata: Any,
        ) -> Any:  # fmt: skip
            run = begin(self, handle, target_list, fetch_list, feed_dict, options)
            more = [run.part.outputs[k] for k in run.chosen] if run is not None else []
            wanted = [*fetch_list, *more]
            watch = compat.with_watch(options, run.dump.watch) if run is not None and run.dump else None
            began = perf_counter_ns()
            try:
                try:
                    results = original(
                        self, handle, target_list, wanted, feed_dict, watch or options, run_metadata
                    )
                except Exception as error:
                    if run is None or not sessions.refuse(run, error):
                        raise
                    results = original(self, handle, target_list, wanted, feed_dict, options, run_metadata)
            except BaseException as error:
                end(run, [], began, error)
                compat.leave_out(error)
                raise
            finally:
                if watch is not None:
                    compat.free(watch)
            end(run, results[len(fetch_list) :], began, None)
            return results[: len(fetch_list)] if more else results

        base._do_run = around_run
        return [partial(setattr, base, "_do_run", original), *self._hook_callables(base)]

    def _hook_callables(self, base: Any) -> list[Callable[[], None]]:
        """Say what runs past all this."""
        undo: list[Callable[[], None]] = []
        for name, says_it in (("make_callable", 2), ("_make_callable_from_options", 0)):
            original = getattr(base, name)
            undo.append(partial(setattr, base, name, original))
            setattr(base, name, self._around_callable(original, says_it))
        return undo

    def _around_callable(self, original: Any, feeds_at: int) -> Any:
        """Args: feeds_at: Which argument says what is fed: then it runs as any other; 0: none."""

        @wraps(original)
        def around(*args: Any, **kwargs: Any) -> Any:
            fed = kwargs.get("feed_list", args[feeds_at] if 0 < feeds_at < len(args) else None)
            if fed is None:
                self._sink.gap("untraced", "what Session.make_callable has made")
            try:
                return original(*args, **kwargs)
            except BaseException as error:
                compat.leave_out(error)
                raise

        return around

    # ── a run ────────────────────────────────────────────────────────────────────────────────

    def _begin(
        self, session: Any, handle: Any, targets: Any, fetches: Any, feeds: Any, options: Any
    ) -> _Run | None:
        while self._gone:
            self._drop(self._gone.pop())
        if handle is not None:
            self._sink.gap("untraced", "partial runs of sessions")
            return None
        fed = {feed.deref().name: value for feed, value in feeds.items()}
        asked = Asked(names(fetches), names(targets), frozenset(fed), compat.session_optimises(session))
        known = self._graphs.get(session.graph) or self._note(session.graph)
        if session not in known.sessions:
            known.sessions.add(session)
            known.count += 1
            if known.count > 1:
                self._sink.gap("untraced", "whose a variable is, where several sessions run one graph")
        part = known.parts.get(asked)
        if part is None:
            part = known.parts[asked] = self._part(session, known, asked)
        run = _Run(part, fed)
        if self._looks(session, part, options):
            run.chosen = part.chosen(fed)
            run.dump = part.dumps.begin() if part.dumps is not None else None
            if part.dumps is not None and run.dump is None:
                self._sink.gap("untraced", _UNWATCHED)
        return run

    def _looks(self, session: Any, part: Part, options: Any) -> bool:
        if not (part.outputs or part.dumps) or not self._calls.is_wanted(self._options.steps):
            return False
        if compat.is_remote(session) or compat.asks_for_more(session, options):
            self._sink.gap("untraced", "numbers of runs that are remote, traced or watched")
            return False
        return True

    def refuse(self, run: _Run, error: Exception) -> bool:
        """Whether TensorFlow did not begin a run, for what its debugger was to do: then it runs without."""
        if run.dump is None or not run.dump.is_refused(error):
            return False
        self._dumped(run)
        run.part.dumps = None
        self._sink.gap("untraced", _UNWATCHED)
        return True

    def _dumped(self, run: _Run) -> Told | None:
        """What the debugger has written of a run that is over."""
        dump, run.dump = run.dump, None
        return None if dump is None or run.part.dumps is None else run.part.dumps.end(dump)

    def _end(
        self,
        run: _Run,
        more: Any,
        dumped: Told | None,
        began: int,
        took: int,
        error: BaseException | None,
        epoch: int | None,
    ) -> None:
        arrays = dict(zip(run.chosen, more, strict=True)) if more else {}
        ran, is_whole = run.part.ran(arrays, dumped if error is None else None, run.fed)
        if not is_whole:
            self._sink.gap("untraced", _UNWATCHED)
        words = None if error is None else words_of(error)
        self._calls.over(ran, self._options.steps, began, took, words, epoch)

    # ── graphs ───────────────────────────────────────────────────────────────────────────────

    def _note(self, graph: Any) -> _Graph:
        self._count += 1
        known = self._graphs[graph] = _Graph(self._count)
        # The garbage collector may end it at any moment, also in the middle of what we do.
        weakref.finalize(graph, self._gone.append, known).atexit = False
        return known

    def _drop(self, known: _Graph) -> None:
        """A graph is gone: none of its parts will run any more."""
        for part in known.parts.values():
            self._functions.forget(part.function.name)

    def _part(self, session: Any, known: _Graph, asked: Asked) -> Part:
        self._serial += 1
        health = self._options.level == "health"
        states = self._building.states_at_rest(session.graph)
        part, looked = part_of(
            session.graph, known.number, self._serial, asked, states, self._functions, health
        )
        part.begin(self._calls.called)
        self._say_gaps(part, looked)
        if health and part.outputs and asked.optimised:
            self._sink.gap("unfused", "graphs of sessions of which Grappler cannot fuse what is looked at")
        return part

    def _say_gaps(self, part: Part, looked: Looked) -> None:
        unknown = [looked.where[name] for name in part.function.live if looked.when(name) is None]
        in_loops = sum(bool(where.loops) for where in unknown)
        for what, count in (
            ("operations inside of loops of TensorFlow 1", in_loops),
            ("operations of which it is not known whether their branch ran", len(unknown) - in_loops),
            ("numbers in loops and branches of TensorFlow 1 that its debugger cannot look at", looked.hidden),
            ("numbers of variables that the same run writes", looked.memory),
            ("numbers that are added in an order that looking could change", looked.summed),
        ):
            if count:
                self._sink.gap("untraced", what, count)
        if self._options.level == "health" and part.function.inner:
            self._sink.gap("untraced", "inside of functions that sessions run", len(part.function.inner))
