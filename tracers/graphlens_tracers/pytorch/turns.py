"""Whose turn it is to record, when PyTorch's own threads work for the traced one.

A backward on a GPU runs on a thread of the autograd engine while the thread that called it waits;
TorchScript's `fork` runs beside its caller. They carry the caller's stack of modes, and so come to
the caller's `Dispatch`. One thread at a time has the turn, and records without any lock. Another
one takes the turn over when it finds the first not inside of our code: with the interpreter lock
in hand it looks at that thread's frames, and since the turn was taken away before it looked, the
other cannot enter any more. When two really run at the same time, both record under a lock, which
is never held while an operation runs. So nobody ever waits for an operation of another thread,
but for `PATIENCE` at most: an operation may itself be waiting for that thread.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from enum import Enum
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphlens_tracers.pytorch.dispatch import Dispatch

NO_THREAD = -1
PATIENCE = 0.2
"""Seconds that an operation is kept waiting at most until another one, begun alone, has ended."""
_PAUSE = 0.0002
_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")


class Turn(Enum):
    """How a thread may record an operation: alone, under the lock, or not at all."""

    ALONE = "alone"
    SHARED = "shared"
    NONE = "none"


class Turns:
    """Who may record into one strand.

    Attributes:
        lock: Held while a thread that shares the turn looks or writes; never while an operation runs.
    """

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self.lock = threading.RLock()
        self._guests = 0
        """Operations under way whose threads share the turn."""
        self._former = NO_THREAD
        """Who lost the turn in the middle of an operation, and has not ended that yet."""
        self._patient = True

    def settle(self) -> None:
        """Recording begins or ends: it is the traced thread's turn, or nobody's."""
        dispatch = self._dispatch
        with self.lock:
            self._former = NO_THREAD
            dispatch.quick_thread = NO_THREAD if dispatch.idle or self._guests else dispatch.thread
            dispatch.expect()

    def take(self) -> Turn:
        """The turn for one operation, and for those after it as long as nobody else comes.

        After SHARED, `done` must be called when the operation has ended.
        """
        found = self._take()
        until = time.monotonic() + PATIENCE
        while found is Turn.NONE and self._patient and time.monotonic() < until:
            time.sleep(_PAUSE)
            found = self._take()
        # Others that come before that operation has ended do not wait for it again.
        self._patient = found is not Turn.NONE
        return found

    def _take(self) -> Turn:
        dispatch, me = self._dispatch, get_ident()
        if self._former == me:
            self._former = NO_THREAD  # that operation has ended: nobody need wait until we have the lock
        with self.lock:
            if dispatch.quick_thread != NO_THREAD:
                # First nobody may enter any more, then look whether somebody is inside.
                self._former, dispatch.quick_thread = dispatch.quick_thread, NO_THREAD
                dispatch.expect()
                # An operation under way lets the next one be met as it was expected; then not, after all.
                dispatch.rows.later.append(dispatch.expect)
            if self._former not in (NO_THREAD, me) and is_inside(self._former):
                return Turn.NONE
            self._former = NO_THREAD
            if not self._guests and (dispatch.engines or me == dispatch.thread):
                dispatch.quick_thread = me
                return Turn.ALONE
            self._guests += 1
            return Turn.SHARED

    def done(self) -> None:
        """An operation that was begun with the turn shared has ended."""
        self._guests -= 1


def is_inside(thread: int) -> bool:
    """Whether a thread is in our code right now, other than around the script's own."""
    frame = sys._current_frames().get(thread)
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(_OURS) and code.co_name not in AROUND:
            return True
        frame = frame.f_back
    return False


AROUND = ("around_thread", "around_engine")
"""Functions of ours inside of which the script or the engine runs."""
