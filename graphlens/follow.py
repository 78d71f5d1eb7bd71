"""Reads on in what one process writes: its log, and its pages, each event folded where it belongs.

A page's rows are in the log a moment later, and its events too. Rows of pages are therefore kept
apart and read anew each time; events are folded for good, because the second time changes nothing.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from graphlens import log
from graphlens.build import Declared
from graphlens.calls import CallTable, spread
from graphlens.decode import events
from graphlens.index import RangeIndex, RowIndex
from graphlens.rows import Damaged, NodeTable, row_blocks
from graphlens.text import clean
from graphlens_tracers.errors import BadRunFile
from graphlens_tracers.events import (
    Bound,
    CallBegan,
    CallEnded,
    CallId,
    CallsRan,
    CallTurned,
    Event,
    Gap,
    GraphId,
    LogFinished,
    NodeSeen,
    ProcId,
    Seq,
    Unusual,
    ValueId,
)
from graphlens_tracers.wire import At, Kind, frames, page_frames, text_records

LATEST = 1 << 61
"""No sequence number is larger, so that sums of two of them fit int64."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What one batch changed; small enough to send to every pane.

    `rows`: sequence numbers from the first up to, not including, the second are new; both the same
    when nothing ran, but something else changed.
    """

    proc: ProcId
    graphs: tuple[GraphId, ...]
    rows: tuple[Seq, Seq]


class Locks:
    """What is guarded by a lock, for the reader's thread and those that ask."""

    lock: threading.RLock


_S = TypeVar("_S", bound=Locks)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def locked(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """Views ask from their own thread while the reader's thread goes on reading."""

    @functools.wraps(method)
    def inside(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with self.lock:
            return method(self, *args, **kwargs)

    return inside


class Follower(Locks):
    """Everything read so far of one process."""

    def __init__(self, directory: Path, stem: str, number: int, lock: threading.RLock) -> None:
        self.id = ProcId(number)
        self.stem = stem
        self.pid = int(stem.split("-")[1])
        self.finished = False
        self.lock = lock
        self._log = log.Log(directory, stem)
        self._pages: dict[str, log.Page] = {}
        self._declared = Declared()
        self._declarations = 0
        self._ranged = NodeTable()
        self._rows = RowIndex(self._log)
        self._ranges = RangeIndex(self._log, self._ranged)
        self._calls = CallTable()
        self._facts: dict[tuple[int, int], Unusual] = {}
        self._fact_keys: list[tuple[int, int]] | None = []
        self._bound: dict[tuple[CallId, ValueId], Bound] = {}
        self._gaps: dict[tuple[str, str], Gap] = {}
        self._changed: set[GraphId] = set()
        self._stopped = False
        self._dropped = 0
        self._failed: BadRunFile | None = None

    # ── reading on ───────────────────────────────────────────────────────────────────────────

    def refresh(self, pages: Sequence[Path], latest: int) -> Delta | None:
        """Read what is new in the log and in the pages.

        Raises:
            BadRunFile: What it says makes no sense; the same each time, for nothing is skipped.
        """
        if self._failed is not None:
            raise self._failed
        try:
            return self._read_on(pages, latest)
        except BadRunFile as error:
            self._failed = error
            raise

    def _read_on(self, pages: Sequence[Path], latest: int) -> Delta | None:
        before = self._rows.stop
        moved = read = False
        for _ in range(3):
            moved |= self._look_at(pages)
            read |= self._read_log(moved, latest)
            if not any(page.emptied() for page in self._pages.values() if page.data):
                break
            # A page went into the log after it was copied, and before the log was read: its rows are
            # in both, and newer ones may be in neither. Look once more.
        if not moved and not read:
            return None
        for page in self._pages.values():
            self._read_page(page)
        graphs, self._changed = tuple(sorted(self._changed)), set()
        return Delta(self.id, graphs, (Seq(min(before, self._rows.stop)), Seq(self._rows.stop)))

    @property
    def has_page(self) -> bool:
        """Whether what is not in its log yet can be read."""
        return any(page.data for page in self._pages.values())

    def _look_at(self, pages: Sequence[Path]) -> bool:
        for path in pages:
            match = log.PAGE_NAME.fullmatch(path.name)
            if match and path.name not in self._pages:
                self._pages[path.name] = log.Page(path, int(match[2]))
        moved = [page.refresh() for page in self._pages.values()]
        return any(moved)

    def _read_log(self, moved: bool, latest: int) -> bool:
        """Whether something was new. What is read here stays: only what comes from pages is cut off again."""
        read = False
        if moved:
            self._cut_tail()
        for found in self._log.new(latest):
            if not read:
                read = True
                self._cut_tail()
            if found.skipped:
                self._calls.lose({strand: seq - 1 for strand, seq in self._rows.next.items()})
            if found.presupposed > self._declarations:
                missing = found.presupposed - self._declarations
                self._unreadable(f"{found.where}: {missing} declarations before it are missing")
                self._stopped = True
            if not self._stopped:
                self._frame(found)
            elif found.kind is Kind.FACTS:
                self._fold_gaps(events(found.body, found.where))
        if moved or read:
            self._rows.settle()
            self._ranges.settle()
        return read

    def _cut_tail(self) -> None:
        self._rows.cut_tail()
        self._ranges.cut_tail()

    def _frame(self, found: log.Found) -> None:
        place = found.segment, found.offset, len(found.body)
        try:
            if found.kind is Kind.ROWS:
                blocks = row_blocks(found.body)
                self._rows.add(blocks, self._rows.bodies.add(*place))
            elif found.kind is Kind.RANGES:
                if self._ranges.add(found.body):
                    self._ranges.bodies.add(*place)
            else:
                said = events(found.body, found.where)
                if found.kind is Kind.DECLARATIONS:
                    self._declarations += len(said)
                self._fold(said, found.where)
        except Damaged as error:
            self._unreadable(f"{found.file}: {error}")

    def _read_page(self, page: log.Page) -> None:
        """What a page holds: rows and ranges until the next look, events for good."""
        if not page.data or self._stopped or self._log.stuck:
            return  # what came before it cannot be read
        where = clean(page.path.name)
        self._dropped = max(self._dropped, page.field(At.DROPPED))
        try:
            if page.field(At.FRAMES) > self._declarations:
                # The disk refuses the log: declarations wait in the process. That at least is said.
                for kind, text in text_records(page.data, page.field(At.TEXT)):
                    if kind is Kind.FACTS:
                        self._fold_gaps(events(b"[" + text + b"]", where))
                return
            for frame in frames(b"".join(page_frames(page.data))):
                body = memoryview(frame.body)
                if frame.kind is Kind.ROWS:
                    blocks = row_blocks(body)
                    self._rows.add(blocks, self._rows.bodies.add_loose(frame.body))
                elif frame.kind is Kind.RANGES:
                    if self._ranges.add(body):
                        self._ranges.bodies.add_loose(frame.body)
                else:
                    self._fold(events(frame.body, where), where)
        except (Damaged, BadRunFile) as error:
            self._unreadable(f"{where}: {clean(str(error))}")

    def _fold_gaps(self, said: Sequence[Event]) -> None:
        """What was not seen is true, whatever else is missing."""
        for event in said:
            if isinstance(event, Gap):
                self._gaps[event.kind, event.what] = event
            elif isinstance(event, LogFinished):
                self.finished = True
                self._dropped = max(self._dropped, event.dropped)

    def _fold(self, said: Sequence[Event], where: str) -> None:
        for event in said:
            if isinstance(event, CallBegan | CallTurned | CallEnded):
                self._fold_call(event, where)
            elif isinstance(event, CallsRan):
                for one in spread(event):
                    self._fold_call(one, where)
            elif isinstance(event, Unusual):
                if 0 <= event.seq < LATEST:
                    before = self._facts.get((event.seq, event.slot))
                    self._facts[event.seq, event.slot] = event if before is None else _both(before, event)
                    self._fact_keys = None
            elif isinstance(event, Bound):
                self._bound[event.call, event.leaf] = event
            elif isinstance(event, Gap | LogFinished):
                self._fold_gaps([event])
            else:
                if isinstance(event, NodeSeen):
                    self._ranged.add(event)
                graph = self._declared.fold(event)
                if graph is not None:
                    self._changed.add(graph)

    def _fold_call(self, event: CallBegan | CallTurned | CallEnded, where: str) -> None:
        sizes: list[tuple[str, int, int]] = [("call", event.call, 1 << 31)]
        if isinstance(event, CallBegan):
            sizes.append(("first", event.first, LATEST))
        if isinstance(event, CallEnded):
            sizes.append(("last", event.last + 1, LATEST))
        for name, value, limit in sizes:
            if not 0 <= value < limit:
                raise BadRunFile(f"{where}: {type(event).__name__}.{name}: out of range")
        self._calls.fold(event)

    def _unreadable(self, what: str) -> None:
        key = ("unreadable", what)
        before = self._gaps.get(key)
        first, count = (Seq(self._rows.stop), 0) if before is None else (before.first, before.count)
        self._gaps[key] = Gap("unreadable", what, first, count + 1)


def _both(first: Unusual, second: Unusual) -> Unusual:
    """Two facts of one output add up; what the second one does not say is as the first one says."""
    return replace(
        second,
        numerics=second.numerics or first.numerics,
        spec=second.spec or first.spec,
        error=second.error or first.error,
        inputs=second.inputs or first.inputs,
        kept=tuple(dict.fromkeys((*first.kept, *second.kept))),
        printed=first.printed or second.printed,
        by_hand=tuple(dict.fromkeys((*first.by_hand, *second.by_hand))),
    )
