"""What TensorFlow's own debugger writes of a run of a session: a file for each time a tensor was made.

It looks at tensors where a fetch cannot reach: inside of loops and branches of TensorFlow 1, and in the
memory of variables before anybody writes to it. It does so in what the runtime makes of the graph; the
graph of the script knows nothing of it, and nothing that is computed changes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
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
        if _has_room(self._path):
            return True
        self.close()
        return False

    def is_refused(self, error: Exception) -> bool:
        """Whether TensorFlow could not prepare what writes here: then nothing of the run has run."""
        words = str(error)
        return ("debug node" in words or self._path in words) and "__dbg_" not in words

    def close(self) -> None:
        """Take it away."""
        shutil.rmtree(self._path, ignore_errors=True)

    def read(self) -> dict[Tensor, list[Ends]]:
        """Minimum and maximum of each tensor, each time it was made, in order; the files are gone."""
        found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        for directory, name in _files(self._path):
            if not name.startswith("_tfdbg_"):
                which, _, moment = name.rpartition("_")
                found[f"{directory}/{which}"].append((int(moment), f"{directory}/{name}"))
        told: dict[Tensor, list[Ends]] = {}
        for files in found.values():
            several = [compat.dumped(_taken(path)) for _, path in sorted(files)]
            told[several[0][0]] = [_ends(numbers) for _, numbers in several]
        return told


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
