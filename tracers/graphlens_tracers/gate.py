"""Holds the traced thread at an operation while a person looks: when to stop, and what is answered.

One gate a process. A thread that stops connects to the debugger, which listens among the pages,
and serves it until it may go on; other traced threads wait at their next operation. Nothing is
lost with the debugger: when it has gone, the script goes on, and stops no more.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from graphlens_tracers import asking
from graphlens_tracers.breakpoints import Breakpoints, Last, names_of
from graphlens_tracers.control import GONE, Way, connect, receive, send
from graphlens_tracers.operation import Chain, Notes, Operation

ARRIVAL = 30.0
"""Seconds that a script which is to stop at its first operation waits for the debugger."""
OTHERS = 0.5
"""Seconds that operations of other threads are waited for, before an expression is evaluated."""


class Gate:
    """Decides at each operation whether to stop.

    Attributes:
        armed: Whether operations are to come by at all.
        arms: Called with whether they are, and when what `passed` said holds no more; one a tracer.
        busy: Asked whether another strand than this one runs an operation just now; one a tracer.
        running: The strands whose operation runs just now, as far as they come by.
    """

    def __init__(self, pages: str) -> None:
        self._pages = pages
        self.armed = False
        self.arms: list[Callable[[bool], None]] = []
        self.busy: list[Callable[[object], bool]] = []
        self._breakpoints = Breakpoints()
        self._arriving = False
        self._calm = False
        self._stale = False
        self._begin()

    def _begin(self) -> None:
        self._turn = threading.RLock()
        self._way = Way.CONTINUE
        self._why = ""
        self._times = 1
        self._to = 0
        self._from: dict[str, Any] = {}
        """Where the thread that steps was when it went on; empty: whichever thread comes next."""
        self._evaluating = False
        self._asker: socket.socket | None = None
        """Who waits for an answer."""
        self.running: set[object] = set()
        self._replacing: dict[Operation, list[tuple[int, str, FrameType | None]]] = {}
        """What operations that are about to run make is replaced by."""

    def forked(self) -> None:
        """In a forked child: nothing that the parent's threads hold is held here."""
        self._begin()
        self._settle()

    def failed(self) -> None:
        """We failed: stop no more."""
        self._let_go()

    # ── what is wanted ───────────────────────────────────────────────────────────────────────

    def hold(self) -> None:
        """Stop at the next operation; the debugger may yet have to come."""
        self._way, self._why, self._times, self._from = Way.STEP, "start", 1, {}
        self._arriving = True
        self._settle()

    def _arrive(self) -> None:
        """The first operation: wait for the debugger, and learn its breakpoints before they are met."""
        self._arriving = False
        try:
            with self._connect(ARRIVAL) as connection:
                send(connection, {"called": os.getpid()})
                plan, _ = receive(connection)
            self._take(plan)
            if not plan.get("at_start", True):
                self._way, self._why = Way.CONTINUE, ""
        except (OSError, EOFError, ValueError, TypeError):
            self._let_go()
        self._settle()

    def called(self) -> None:
        """Somebody has written the control byte: ask what they want."""
        with self._turn:
            try:
                with connect(self._pages) as connection:
                    send(connection, {"called": os.getpid()})
                    plan, _ = receive(connection)
                self._take(plan)
                if plan.get("hold"):
                    self._way, self._why, self._times, self._from = Way.STEP, "pause", 1, {}
            except (OSError, EOFError, ValueError, TypeError):
                self._let_go()
            self._settle()

    def _settle(self) -> None:
        """Let operations come by, or not, as is needed now."""
        wanted = bool(self._way is not Way.CONTINUE or self._breakpoints.wanted or self._replacing)
        self._calm = self._way is Way.CONTINUE and not self._replacing and not self._arriving
        if wanted != self.armed or not self._calm or self._stale:
            self.armed, self._stale = wanted, False
            for arm in self.arms:
                arm(wanted)

    def _let_go(self) -> None:
        """Nobody is there any more: stop no more."""
        self._way, self._breakpoints = Way.CONTINUE, Breakpoints()
        self._settle()

    def _take(self, plan: Mapping[str, Any]) -> None:
        """Take over the breakpoints of an order; those that are known keep their hits."""
        if "breakpoints" in plan:
            self._breakpoints.take(plan["breakpoints"])
            self._stale = True

    # ── at an operation ──────────────────────────────────────────────────────────────────────

    def before(self, operation: Operation) -> None:
        """An operation is about to run: stop here if somebody wants that."""
        if self._evaluating:
            return
        with self._turn:
            if self._arriving:
                self._arrive()
            if not self.armed:
                return
            why = self._reason(operation)
            if why:
                self._hold(operation, why, "before")

    def passed(self, operation: Operation) -> Last | None:
        """Where an operation is that came by, if nobody can want to stop at its place; else None.

        Then it need not come by again there, until it is armed anew.
        """
        return self._breakpoints.passed(operation) if self._calm else None

    def went(self, strand: object, last: Last) -> None:
        """The operation before was such a one; `last`: where."""
        with self._turn:
            self._breakpoints.went(strand, last)

    def passes(self, operation: Operation) -> bool:
        """Whether nobody wants to stop inside of an operation, as far as it has an inside."""
        here = self._from.get("strand") is operation.strand
        level = here and len(operation.chain()) <= len(self._from["chain"])
        over = self._way is Way.CONTINUE or (self._way in (Way.OVER, Way.AFTER, Way.OUT) and level)
        return over and not self._breakpoints.wanted

    def wants_result(self, operation: Operation) -> bool:
        """Whether `after` has anything to do at this operation."""
        return (
            self._way in (Way.NON_FINITE, Way.AFTER)
            or operation in self._replacing
            or self._breakpoints.wants_result(operation)
        )

    def after(self, operation: Operation) -> None:
        """An operation has run: replace what it made, stop if somebody wants that."""
        if self._evaluating:
            return
        with self._turn:
            for index, text, frame in self._replacing.pop(operation, ()):
                error = self._replaced(operation, "out", index, text, frame)
                if error:
                    self._hold(operation, f"not replaced: {error}", "after")
            self._settle()
            if not self.armed:
                return
            why = self._breakpoints.after(operation)
            if self._way is Way.AFTER and self._from["operation"]() is operation:
                why = why or "after"
            elif self._way is Way.NON_FINITE and operation.is_birth():
                why = why or "non-finite"
            if why:
                self._hold(operation, why, "after")

    def raised(self, operation: Operation) -> None:
        """An operation has raised: nothing that it makes is replaced."""
        with self._turn:
            if self._replacing.pop(operation, None) is not None:
                self._settle()

    def _reason(self, operation: Operation) -> str:
        """Why to stop before this operation; "" for no reason."""
        why = ""
        if self._way is not Way.CONTINUE and self._arrived(operation):
            self._times -= 1
            if self._times <= 0:
                why = self._why or str(self._way)
            else:
                self._from = self._here(operation)
        return self._breakpoints.before(operation) or why

    def _arrived(self, operation: Operation) -> bool:
        """Whether the thread has gone as far as it was to go."""
        start, way = self._from, self._way
        if not start:
            return way not in (Way.NON_FINITE, Way.AFTER)
        if start["strand"] is not operation.strand or way in (Way.NON_FINITE, Way.AFTER):
            return False
        if way is Way.STEP:
            return True
        if way is Way.AT:
            return operation.seq() >= self._to
        if way is Way.PHASE:
            return bool(operation.phase() != start["phase"])
        chain: Chain = operation.chain()
        around: Chain = start["chain"]
        inside = bool(chain[: len(around)] == around)
        if way is Way.TRAINING_STEP:
            return bool(chain[:1] != around[:1])
        if way is Way.LINE:
            return bool(_lines(operation)[:1] != start["line"])
        return not inside if way is Way.OUT else not (inside and len(chain) > len(around))

    def _here(self, operation: Operation) -> dict[str, Any]:
        """What is compared with later, to see whether the thread has gone far enough."""
        return {
            "strand": operation.strand, "chain": operation.chain(), "phase": operation.phase(),
            "line": _lines(operation)[:1], "operation": weakref.ref(operation),
        }  # fmt: skip

    # ── stopped ──────────────────────────────────────────────────────────────────────────────

    def _hold(self, operation: Operation, why: str, when: str) -> None:
        """Say where the thread is, and do what is asked until it may go on."""
        self._way, self._why, self._times, self._stale = Way.CONTINUE, "", 1, True
        self._settle()  # other threads are to come by at their next operation, and wait
        try:
            connection = self._connect()
        except OSError:
            self._let_go()
            return
        try:
            with connection:
                self._asker = connection
                send(connection, {"stopped": self._said(operation, why, when)})
                while True:
                    request, _ = receive(connection)
                    if "go" in request:
                        break
                    if "leave-off" in request:
                        continue  # it came too late: that is answered
                    answer, more = self._answer(operation, request)
                    send(connection, answer, more)
            self._take(request)
            self._breakpoints.note(operation)  # new ones ask where it was
            self._way = Way(request["go"])
            self._times = max(1, int(request.get("times", 1)))
            self._to = int(request.get("to", 0))
            self._from = self._here(operation)
        except (OSError, EOFError, ValueError, TypeError, KeyError):
            self._let_go()
        finally:
            self._asker = None
        self._settle()

    def _connect(self, patience: float = 0.0) -> socket.socket:
        """The debugger; at the start of a script it may not be there yet.

        Raises:
            OSError: There is none, or it has left.
        """
        end = time.monotonic() + patience
        while True:
            try:
                return connect(self._pages)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                killed = isinstance(error, ConnectionRefusedError)  # or it has not begun to listen yet
                late = time.monotonic() > (min(end, end - patience + 0.5) if killed else end)
                if late or os.path.exists(os.path.join(self._pages, GONE)):
                    raise
            time.sleep(0.02)

    def _said(self, operation: Operation, why: str, when: str) -> dict[str, Any]:
        frames = operation.frames()
        return {
            "pid": os.getpid(), "thread": threading.current_thread().name, "why": why, "when": when,
            "seq": operation.seq(), "op": operation.name,
            "phase": operation.phase(), "step": operation.step(),
            "module": operation.module(), "graph": operation.graph(),
            "modules": [one.path for one in operation.chain() if hasattr(one, "path")],
            "stack": [_frame(frame) for frame in frames],
            "inputs": [operation.describe(tensor) for tensor in operation.inputs()],
            "outputs": [operation.describe(tensor) for tensor in operation.outputs()],
            "hits": {one.number: one.hits for one in self._breakpoints.all},
            "gone": [one.number for one in self._breakpoints.all if one.temporary and not one.enabled],
            **_ranks(), **operation.about(),
        }  # fmt: skip

    def _answer(self, operation: Operation, request: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """What a request gives; what is wrong with it is in `error`."""
        try:
            frames = operation.frames()
            at = int(request.get("frame", 0))
            frame = frames[at] if 0 <= at < len(frames) else None
            asked = request.get("ask")
            if asked == "locals":
                return {"locals": {} if frame is None else asking.local_values(frame)}, b""
            if asked == "eval":
                return self._evaluated(operation, str(request["text"]), frame, bool(request.get("elements")))
            if asked == "tensor":
                tensors = operation.inputs() if request["which"] == "in" else operation.outputs()
                return operation.elements(tensors[int(request["index"])])
            if asked == "replace":
                return self._replace(operation, request, frame), b""
            if asked == "pdb":
                if frame is None:
                    raise ValueError("there is no frame of the script's here")
                import pdb  # noqa: T100  # takes long to import, and few ask for it

                debugger, trace = pdb.Pdb(nosigint=True), sys.gettrace()
                debugger.reset()
                debugger.interaction(frame, None)
                sys.settrace(trace)
                return {}, b""
            raise ValueError(f"nobody knows how to answer {asked!r}")
        except (KeyboardInterrupt, SystemExit):
            raise
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}, b""

    def _evaluated(
        self, operation: Operation, text: str, frame: FrameType | None, elements: bool
    ) -> tuple[dict[str, Any], bytes]:
        if frame is None:
            raise ValueError("there is no frame of the script's here")
        with self._apart(operation):
            answer = asking.evaluate(text, frame, names_of(operation), given_up=self._given_up)
        found: dict[str, Any] = {"printed": answer.printed[-100_000:], "error": answer.error[-20_000:]}
        if answer.error:
            return found, b""
        found["tensor"] = operation.describe(answer.value)
        found["text"] = asking.short(answer.value)
        if found["tensor"] is not None and elements:
            about, data = operation.elements(answer.value)
            return {**found, **about}, data
        return found, b""

    def _replace(
        self, operation: Operation, request: Mapping[str, Any], frame: FrameType | None
    ) -> dict[str, Any]:
        which, index, text = str(request["which"]), int(request.get("index", 0)), str(request["text"])
        compile(text.strip(), asking.FILE, "eval")
        if which == "out" and not operation.outputs():
            self._replacing.setdefault(operation, []).append((index, text, frame))
            return {"later": True}
        error = self._replaced(operation, which, index, text, frame)
        return {"error": error} if error else {}

    def _replaced(
        self, operation: Operation, which: str, index: int, text: str, frame: FrameType | None
    ) -> str:
        """Replace a tensor by what an expression gives; what went wrong, or ""."""
        tensors = operation.inputs() if which == "in" else operation.outputs()
        if not 0 <= index < len(tensors):
            return f"it has no {which}{index}"
        if frame is None:
            return "there is no frame of the script's here"
        try:
            with self._apart(operation):
                x = {"x": operation.usable(tensors[index])}
                answer = asking.evaluate(text, frame, names_of(operation), x, self._given_up)
                if not answer.error:
                    operation.replace(which, index, answer.value)
                    if isinstance(operation, Notes):
                        operation.changed(which, index, text)
        except (ValueError, TypeError, RuntimeError) as error:
            return f"{type(error).__name__}: {error}"
        return answer.error

    def _given_up(self) -> bool:
        """Whether who asked does not wait for the answer any more: it has left, or says so."""
        return self._asker is not None and bool(select.select([self._asker], [], [], 0)[0])

    @contextlib.contextmanager
    def _apart(self, operation: Operation) -> Iterator[None]:
        """While code of a person's runs: no operation of it stops, nothing of the script's is changed.

        Operations that other threads had begun are waited for: they may draw random numbers.
        """
        end = time.monotonic() + OTHERS
        others = operation.strand
        while self.running - {others} or any(busy(others) for busy in self.busy):
            if time.monotonic() > end:
                break
            time.sleep(0.001)
        self._evaluating = True
        try:
            with operation.sheltered():
                yield
        finally:
            self._evaluating = False


def _ranks() -> dict[str, int]:
    """Which of how many ranks this process is, as its launcher has told it."""
    rank, world = (os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE"))
    known = rank.isdecimal() and world.isdecimal() and int(world) > 1
    return {"rank": int(rank), "world": int(world)} if known else {}


def _lines(operation: Operation) -> list[tuple[object, int]]:
    """The lines of the user's source that it is in, innermost first."""
    stands = operation.line()
    frames: list[tuple[object, int]] = [(id(frame), frame.f_lineno) for frame in operation.frames()]
    return frames if stands is None else [stands, *frames]


def _frame(frame: FrameType) -> dict[str, Any]:
    code = frame.f_code
    positions = list(code.co_positions())
    at = frame.f_lasti // 2
    line, end_line, column, end = positions[at] if 0 <= at < len(positions) else (None, None, None, None)
    file = code.co_filename
    return {
        "file": file if file.startswith("<") else os.path.abspath(file),
        "line": frame.f_lineno, "function": code.co_qualname, "code": asking.line_of(frame),
        "columns": [column, end] if line == end_line and column is not None else None,
    }  # fmt: skip


# ── the process's own ────────────────────────────────────────────────────────────────────────

_gates: list[Gate] = []


def gate() -> Gate:
    """The gate of this process."""
    if not _gates:
        _gates.append(Gate(os.environ.get("GRAPHLENS_PAGES", "")))
        os.register_at_fork(after_in_child=_gates[0].forked)
    return _gates[0]
