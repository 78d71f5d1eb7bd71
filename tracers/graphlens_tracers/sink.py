"""Where a tracer puts what it saw: the thread's page first, and from there the process's log.

The log is opened, written and closed each time the page is full: no descriptor is held that a
script could close and reuse. Nothing here raises into the traced program; what could not be
written is counted and said.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from graphlens_tracers import page as at
from graphlens_tracers.events import (
    Bound,
    CallBegan,
    CallEnded,
    CallsRan,
    CallTurned,
    Event,
    Gap,
    LogFinished,
    RunStarted,
    Seq,
    Unusual,
)
from graphlens_tracers.eventtext import text_of
from graphlens_tracers.page import Page
from graphlens_tracers.wire import (
    AT_TEXT,
    MAX_TEXT,
    SEGMENT,
    TEXT_RECORD,
    At,
    Kind,
    frame,
    page_frames,
)

_CALLS = (CallBegan, CallTurned, CallEnded, CallsRan)
_FACTS = (Bound, Unusual, Gap, LogFinished)
_BACKLOG = 64 << 20
"""Bytes of declarations that are kept in memory while the disk refuses them."""


class LogSink:
    """The log of one thread of a process, and its page.

    Attributes:
        page: What hot code writes into.
        rows, slots, blocks, scalars: How much of the page is used.
    """

    def __init__(self, run: str, pages: str, argv: list[str], thread: str = "") -> None:
        self.run = run
        self.thread = thread
        self._pages, self._argv = pages, argv
        self._lock = threading.RLock()
        self._begin()

    def _begin(self) -> None:
        self.pid = os.getpid()
        self.name = f"p-{self.pid}-{os.urandom(4).hex()}"
        path = os.path.join(self._pages, f"{self.name}.0.page")
        self.page = Page(path, self.pid, threading.get_native_id(), 0)
        self.rows = self.slots = self.blocks = self.scalars = 0
        self._base = 0
        self.dropped = 0
        self.closed = False
        self._text = 0
        self._segment = self._offset = 0
        self._declared = 0
        self._backlog: list[bytes] = []
        self._gaps: dict[tuple[str, str], list[int]] = {}  # first, count, count that was said
        self._thread = threading.get_ident()
        self.emptied: Callable[[], None] = _nothing
        """Called when the page has been emptied."""
        self._said = False
        self._parent, self._began = os.getppid(), time.time()
        self._introduced: RunStarted | None = None
        self._asked: tuple[int | None, int, str] | None = None
        self.introduce()
        if not self.page.shared:
            self.gap("failed", "no shared page: what is not in the log yet is lost if the process is killed")

    def introduce(self, rank: int | None = None, world: int = 0, worker: str = "") -> None:
        """Say who writes this; again where more is known by now.

        Args:
            rank: Among processes that train together; None: as was said, first by the environment.
            world: How many those are.
            worker: A better name than the process's own.
        """
        _end_with_process()
        if self._asked == (rank, world, worker):
            return
        self._asked = rank, world, worker
        before = self._introduced
        if rank is None and before is not None:
            rank, world = before.rank, before.world  # it may have left its group
        elif rank is None:
            rank, world = _rank_by_environment()
        python = sys.version.split()[0]
        known = RunStarted(
            tuple(self._argv), self.pid, rank, python=python, thread=self.thread,
            worker=worker or (before.worker if before else "") or process_name(), parent=self._parent,
            world=world, began=self._began,
        )  # fmt: skip
        if known != self._introduced:
            self._introduced = known
            self.declare(known)

    def another(self, thread: str) -> LogSink:
        """A log of the same run for another thread."""
        return LogSink(self.run, self._pages, self._argv, thread)

    def belongs_to(self, thread: int, native: int) -> None:
        """From now on this thread writes here."""
        self._thread = thread
        self.page.u64[At.THREAD // 8] = native

    @property
    def seq(self) -> int:
        """Sequence number of the next operation."""
        return self._base + self.rows

    def declare(self, event: Event) -> None:
        """Record something that is said once; the next row may refer to it."""
        kind = (
            Kind.CALLS
            if isinstance(event, _CALLS)
            else Kind.FACTS
            if isinstance(event, _FACTS)
            else Kind.DECLARATIONS
        )
        self.put(kind, text_of(event))

    def put(self, kind: Kind, words: str) -> None:
        """Record an event that is JSON already."""
        text = words.encode("utf-8", "surrogatepass")
        with self._lock:
            if self.closed:
                return
            size = (len(text) + 3) & ~3
            if self._text + TEXT_RECORD.size + size > MAX_TEXT:
                self.flush()
            if TEXT_RECORD.size + size > MAX_TEXT:
                self._write_alone(kind, text)
                return
            start = AT_TEXT + self._text
            TEXT_RECORD.pack_into(self.page.bytes, start, len(text), kind)
            start += TEXT_RECORD.size
            self.page.bytes[start : start + len(text)] = text
            self._text += TEXT_RECORD.size + size
            self.page.u64[at.TEXT] = self._text  # last: a reader never sees half an event

    def gap(self, kind: str, what: str, count: int = 1) -> None:
        """Count something that was not looked at; said at once the first time, its count at the end."""
        if self.pid != os.getpid():
            self.renew()
        with self._lock:
            known = self._gaps.get((kind, what))
            if known is not None:
                known[1] += count
                return
            # Another thread must not empty the page under the hands of the one that writes rows.
            here = threading.get_ident() == self._thread
            self._gaps[kind, what] = [self.seq, count, count if here else 0]
        if not here:
            return
        self.declare(Gap(kind, what, Seq(self.seq), count))  # type: ignore[arg-type]  # kinds are the tracer's literals

    def stopped(self, at: object, error: Exception) -> None:
        """Say that the tracer stopped at something, by a mistake of ours; the script goes on."""
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f" at {where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where is not None else ""
        self.gap("failed", f"the tracer stopped at {at}: {words_of(error)}{place}")
        complain(f"cannot trace {at}, the script goes on untraced: {words_of(error)}{place}")

    def flush(self) -> None:
        """Append the page to the log and empty it."""
        with self._lock:
            if self.closed:
                return
            page = self.page
            page.u64[at.GENERATION] += 1
            try:
                try:
                    frames = page_frames(page.bytes)
                except MemoryError as error:
                    frames = []  # counted as dropped below; what they declare is missed by readers
                    self._say(error)
                    self._drop(frames)
                declarations = sum(f[5] == Kind.DECLARATIONS for f in frames)
                if not self._append(frames):
                    self._drop(frames)
                if declarations:
                    self._declared += self._count_declarations()
                page.u64[at.FRAMES] = self._declared
                page.u64[at.BASE] = self._base = self.seq
                page.u64[at.RUNNING] = 0
                page.u64[at.SEGMENT] = self._segment
                page.u64[at.DROPPED] = self.dropped
                for field in (at.ROWS, at.SLOTS, at.BLOCKS, at.SCALARS, at.TEXT):
                    page.u64[field] = 0
                self.rows = self.slots = self.blocks = self.scalars = self._text = 0
                self.emptied()
            finally:
                page.u64[at.GENERATION] += 1

    def close(self) -> None:
        """Say what was missed, end the log, and take the page away. Safe to call twice."""
        if self.pid != os.getpid():
            return  # a forked child: this is its parent's
        with self._lock:
            if self.closed:
                return
            for (kind, what), (first, count, said) in self._gaps.items():
                if count != said:
                    self.declare(Gap(kind, what, Seq(first), count))  # type: ignore[arg-type]  # as in gap()
            self.flush()
            self.declare(LogFinished(self.dropped))
            self.flush()
            self.closed = True
            if not self._backlog:
                self.page.remove()

    def forget(self) -> None:
        """In a forked child: this log and this page are the parent's. Write nothing until `renew`."""
        self._lock = threading.RLock()
        self.closed = True

    def renew(self) -> None:
        """In a forked child: begin a log and a page of its own, for its only thread."""
        self.thread = ""
        self._begin()

    # ── the log ──────────────────────────────────────────────────────────────────────────────

    def _count_declarations(self) -> int:
        count, start, stop = 0, AT_TEXT, AT_TEXT + self._text
        while start < stop:
            size, kind = TEXT_RECORD.unpack_from(self.page.bytes, start)
            count += kind == Kind.DECLARATIONS
            start += TEXT_RECORD.size + ((size + 3) & ~3)
        return count

    def _write_alone(self, kind: Kind, text: bytes) -> None:
        """An event larger than the page's text, straight into the log."""
        self.page.u64[at.GENERATION] += 1
        try:
            alone = [frame(kind, b"[" + text + b"]", self.seq, self._declared)]
            if not self._append(alone):
                self._drop(alone)
            if kind is Kind.DECLARATIONS:
                self._declared += 1
                self.page.u64[at.FRAMES] = self._declared
        finally:
            self.page.u64[at.GENERATION] += 1

    def _append(self, frames: list[bytes]) -> bool:
        """Write the backlog and these frames; on any failure, leave the log as it was."""
        try:
            data = b"".join(self._backlog + frames)
        except MemoryError as error:
            self._say(error)
            return False
        if not data:
            return True
        if self._offset and self._offset + len(data) > SEGMENT:
            self._segment += 1
            self._offset = 0
        path = os.path.join(self.run, f"{self.name}.{self._segment:03d}.log")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except (OSError, MemoryError) as error:
            self._say(error)
            return False
        try:
            _write_whole(fd, data, self._offset)
        except (OSError, MemoryError) as error:
            self._say(error)
            try:
                os.ftruncate(fd, self._offset)
            except (OSError, MemoryError):
                # The torn tail can't be taken back: a reader stops there, so go on in a new file.
                self._segment, self._offset = self._segment + 1, 0
            return False
        finally:
            try:
                os.close(fd)
            except (OSError, MemoryError) as error:
                self._say(error)  # a network file system may say only now that it could not write
        self._offset += len(data)
        self._backlog.clear()
        return True

    def _drop(self, frames: list[bytes]) -> None:
        """Rows are lost and counted; what later rows refer to waits for the disk."""
        for data in frames:
            if data[5] not in (Kind.ROWS, Kind.RANGES):
                self._backlog.append(data)
        self.dropped += self.rows
        if self.rows:
            known = self._gaps.setdefault(("dropped", "rows that could not be written"), [self.seq, 0, 0])
            known[1] += self.rows
        while sum(map(len, self._backlog)) > _BACKLOG:
            self._backlog.pop(0)

    def _say(self, error: OSError | MemoryError) -> None:
        if not self._said:
            self._said = True
            reason = "out of memory"
            if isinstance(error, OSError):
                reason = f"{error.strerror} ({errno.errorcode.get(error.errno or 0, 'error')})"
            complain(f"cannot write to {self.run}: {reason}; the script goes on")


def words_of(error: BaseException) -> str:
    """An error in words: its type, and what it says."""
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except Exception:  # the script's own __str__ raised; its type is all that can be said
        return type(error).__name__


def _write_whole(fd: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, offset)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        offset += written
        view = view[written:]


def complain(message: str) -> None:
    """One line of ours on the script's standard error, by descriptor: `sys.stderr` may be anything."""
    try:
        os.write(2, f"graphlens: {message}\n".encode("utf-8", "replace"))
    except (OSError, MemoryError):
        return  # the script closed its standard error: there is nobody to tell


def _rank_by_environment() -> tuple[int, int]:
    """This process's rank and how many there are, as whoever started it has said; (0, 0) if nobody did."""
    rank, world = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE"))
    if not (rank.isdecimal() and len(rank) < 10):
        return 0, 0
    return int(rank), max(int(rank) + 1, int(world) if world.isdecimal() and len(world) < 10 else 0)


def process_name() -> str:
    """What `multiprocessing` calls this process; "" for one that it did not start."""
    module = sys.modules.get("multiprocessing.process")
    name = "MainProcess" if module is None else str(module.current_process().name)
    return "" if name == "MainProcess" else name


def _nothing() -> None:
    """Nobody wants to know."""


ends: list[Callable[[], None]] = []
"""What ends the recording of this process."""
_finalizers: list[Any] = []  # Any: the latest Finalize of ours


def _end_with_process() -> None:
    """A process of `multiprocessing` may end without its exit functions: then its own way is ours."""
    util = sys.modules.get("multiprocessing.util")
    if util is None or not process_name():
        return
    if not _finalizers or not _finalizers[0].still_active():  # a child that begins forgets them all
        _finalizers[:] = [util.Finalize(None, _end, exitpriority=-(1 << 30))]


def _end() -> None:
    for end in ends:
        end()


_open: list[LogSink] = []


def open_sink() -> LogSink:
    """The one sink of this process, made from the environment that the host prepared.

    Raises:
        KeyError: Not started by graphlens.
    """
    if not _open:
        argv: list[Any] = list(getattr(sys, "orig_argv", sys.argv))
        _open[:] = [LogSink(os.environ["GRAPHLENS_RUN"], os.environ["GRAPHLENS_PAGES"], argv)]
    elif _open[0].pid != os.getpid():
        _open[0].renew()
    return _open[0]
