"""What TensorFlow's own debugger writes of a run of a session: a file for each time a tensor was made.

It looks at tensors where a fetch cannot reach: inside of loops and branches of TensorFlow 1, and in the
memory of variables before anybody writes to it. It does so in what the runtime makes of the graph; the
graph of the script knows nothing of it, and nothing that is computed changes.
"""

from __future__ import annotations

import _thread
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import Tensor
from graphlens_tracers.tf.frames import NOTHING, Ends

AT_ONCE = 4
"""Runs of the same part of a graph that are looked at at the same time."""
MOST = 50_000
"""Files that a run may write, or no other run of that part of a graph is looked at: each costs a tenth of
a millisecond and more."""
EVERY = 1.0
"""Seconds after which a run is long, and what it has written so far is taken away."""
SETTLED = 1_000_000
"""Microseconds after which a file that was begun is whole."""
ROOM = 1 << 30
"""Bytes that must be free where files are written: a run fails when there is no place for one."""


class Dumps:
    """The directories for the runs of one part of a graph.

    TensorFlow makes a run anew for each directory that it is told of, so those are used again. Each is
    there, for nobody but this user, from the begin of a run to its end.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        """Args: tensors: Those that are looked at: operation and output."""
        self._tensors = tensors
        self._free: list[Dump] = []
        self._count = 0
        self._is_slow = False

    def begin(self) -> Dump | None:
        """A directory for a run that begins; None where there is none to be had."""
        if self._is_slow or not (self._free or self._count < AT_ONCE):
            return None
        if not self._free:
            self._free.append(Dump(self._tensors))
            self._count += 1
        dump = self._free.pop()
        if dump.open():
            return dump
        self._free.append(dump)
        return None

    def end(self, dump: Dump) -> dict[Tensor, list[Ends]]:
        """What was written in a run, which is over; the directory is gone."""
        try:
            told = dump.read()
            self._is_slow = self._is_slow or sum(map(len, told.values())) > MOST
            return told
        finally:
            dump.close()
            self._free.append(dump)


class Dump:
    """A directory that TensorFlow's debugger writes into.

    What is written is read, and taken away, while a long run goes on: it would fill the memory.

    Attributes:
        watch: The RunOptions that ask for it, as bytes.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._path = tempfile.mkdtemp(prefix="graphlens-", dir=_place())
        os.rmdir(self._path)
        self.watch = compat.watch(tensors, f"file://{self._path}")

    def open(self) -> bool:
        """Make it; False where somebody else has, or where there is no room."""
        try:
            os.mkdir(self._path, 0o700)
        except OSError:
            return False
        if not _has_room(self._path):
            self.close()
            return False
        self._told: defaultdict[str, list[tuple[int, Ends]]] = defaultdict(list)
        self._tensors: dict[str, Tensor] = {}
        self._failed: list[Exception] = []
        self._over, self._done = _thread.allocate_lock(), _thread.allocate_lock()
        self._over.acquire()
        self._done.acquire()
        _thread.start_new_thread(self._drain, ())
        return True

    def is_refused(self, error: Exception) -> bool:
        """Whether TensorFlow could not prepare what writes here: then nothing of the run has run."""
        words = str(error)
        return ("debug node" in words or self._path in words) and "__dbg_" not in words

    def close(self) -> None:
        """Take it away."""
        shutil.rmtree(self._path, ignore_errors=True)

    def read(self) -> dict[Tensor, list[Ends]]:
        """Minimum and maximum of each tensor, each time it was made, in order, of a run that is over.

        Raises:
            OSError: A file could not be read.
        """
        self._over.release()
        self._done.acquire()
        for error in self._failed:
            raise error
        self._collect()
        found = {self._tensors[path]: sorted(several) for path, several in self._told.items()}
        return {tensor: [ends for _, ends in several] for tensor, several in found.items()}

    def _drain(self) -> None:
        """On a thread of its own, that `threading` does not know."""
        try:
            while not self._over.acquire(timeout=EVERY):
                self._collect(time.time_ns() // 1000 - SETTLED)
        except Exception as error:
            self._failed.append(error)
        finally:
            self._done.release()

    def _collect(self, before: float = float("inf")) -> None:
        """Read what was written before a moment, in us since 1970, and take it away."""
        for directory, name in list(_files(self._path)):
            which, _, moment = name.rpartition("_")
            if name.startswith("_tfdbg_") or int(moment) >= before:
                continue
            path = f"{directory}/{which}"
            self._tensors[path], numbers = compat.dumped(_taken(f"{directory}/{name}"))
            self._told[path].append((int(moment), _ends(numbers)))


def _place() -> str:
    """A directory with room, in memory where there is such a one."""
    places = [place for place in ("/dev/shm", tempfile.gettempdir()) if os.access(place, os.W_OK | os.X_OK)]
    return next(filter(_has_room, places), places[-1])


def _has_room(path: str) -> bool:
    room = os.statvfs(path)
    return room.f_bavail * room.f_frsize >= ROOM


def _files(path: str) -> Iterator[tuple[str, str]]:
    with os.scandir(path) as inside:
        for one in inside:
            if one.is_dir(follow_symlinks=False):
                yield from _files(one.path)
            else:
                yield path, one.name


def _taken(path: str) -> bytes:
    """What is in a small file, which is gone then."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 1 << 16)
    finally:
        os.close(file)
        os.unlink(path)


def _ends(summary: Sequence[float]) -> Ends:
    """Minimum and maximum, by what DebugNumericSummary says: its own are those of finite elements."""
    initialised, _, nan, negative_infinite, _, _, _, infinite, low, high = summary[:10]
    if not initialised:
        return NOTHING
    if nan:
        return float("nan"), float("nan")
    return (-float("inf") if negative_infinite else low), (float("inf") if infinite else high)
