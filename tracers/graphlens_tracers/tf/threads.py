"""A log for each thread that runs operations eagerly: its steps are its own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from graphlens_tracers.api import Options
from graphlens_tracers.events import TracerStarted
from graphlens_tracers.keeping import Keeping
from graphlens_tracers.sink import LogSink
from graphlens_tracers.sites import Stacks
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.building import Building
from graphlens_tracers.tf.calls import Calls
from graphlens_tracers.tf.concrete import Functions
from graphlens_tracers.tf.eager import Eager
from graphlens_tracers.tf.stream import Frames, Stream
from graphlens_tracers.tf.ways import Ways

NAMELESS = "a thread of TensorFlow"
"""What a thread is called that Python did not start."""


@dataclass
class _Thread:
    """A thread, and the log that it writes; another one goes on with it when it has ended.

    Attributes:
        thread: None for one that Python did not start: nobody knows when it ends.
    """

    thread: weakref.ref[threading.Thread] | None
    sink: LogSink
    eager: Eager

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended."""
        thread = self.thread() if self.thread is not None else None
        return self.thread is not None and (thread is None or not thread.is_alive())


class Threads:
    """What all threads run eagerly."""

    def __init__(
        self, sink: LogSink, options: Options, building: Building, failed: Callable[[Exception], None]
    ) -> None:
        self._sink, self._options, self._building, self._failed = sink, options, building, failed
        self._stacks = Stacks(compat.directories())
        self._lock = threading.Lock()
        self._threads: list[_Thread] = []

    def functions(self, sink: LogSink) -> Functions:
        """Those that are declared in a log."""
        return Functions(sink, self._stacks, self._options.level == "health")

    def keeping(self, sink: LogSink) -> Keeping:
        """What a log keeps."""
        return Keeping(sink, self._options.keep)

    def eager(self, sink: LogSink, functions: Functions, calls: Calls) -> Eager:
        """What this thread runs, into a log."""
        ways, frames = Ways(sink, functions.new_graph), Frames(self._stacks)
        stream = Stream(sink, calls, ways, frames, self._options.steps, self._stacks)
        health = self._options.level == "health"
        eager = Eager(sink, functions, self._building, stream, health, calls.keeping, self._failed)
        self._building.eager = eager
        return eager

    def begin(self) -> Eager:
        """What this thread runs, which runs something for the first time."""
        # Not `current_thread`: for a thread of TensorFlow's it makes one that the script would see.
        here = threading.get_ident()
        thread = next((one for one in threading.enumerate() if one.ident == here), None)
        with self._lock:
            for known in self._threads:
                if known.is_over and thread is not None:
                    return self._take(known, thread)
            sink = self._sink.another(NAMELESS if thread is None else thread.name)
            sink.declare(TracerStarted("tensorflow", compat.tf.__version__, compat.lacks()))
            functions = self.functions(sink)
            eager = self.eager(sink, functions, Calls(sink, functions, self.keeping(sink)))
            self._threads.append(_Thread(None if thread is None else weakref.ref(thread), sink, eager))
            return eager

    def _take(self, known: _Thread, thread: threading.Thread) -> Eager:
        """Go on where a thread has ended."""
        known.eager.stream.end()
        known.thread = weakref.ref(thread)
        known.sink.belongs_to(threading.get_ident(), threading.get_native_id())
        known.eager.stream.thread = "" if thread.name == known.sink.thread else thread.name
        self._building.eager = known.eager
        return known.eager

    def switch_off(self) -> None:
        """Nothing is recorded any more."""
        for known in self._threads:
            known.eager.on = False

    def stop(self) -> None:
        """End every log."""
        self.switch_off()
        for known in self._threads:
            known.eager.stream.end()
            known.sink.close()
