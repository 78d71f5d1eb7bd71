"""Elements of tensors that are kept: written to a file beside the log, the moment they are there.

A fact says where (`events.Kept`). The file is opened, written and closed each time, as the log is.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Hashable, Sequence

from graphlens_tracers.api import Keep
from graphlens_tracers.events import Kept, Numerics, Spec
from graphlens_tracers.sink import LogSink

BIRTHS = 16
"""Births of infinities whose tensors one log keeps, and as many of NaN."""
LARGEST = 64 << 20
"""Bytes of one tensor that are kept: of a larger one a part."""
MOST = 2 << 30
"""Bytes that one log keeps."""


class Keeping:
    """What one log keeps."""

    def __init__(self, sink: LogSink, keep: Keep) -> None:
        self._sink = sink
        self._keep = keep
        self.whole_steps = keep.whole_steps
        """Whether there is a step of which everything is kept."""
        self._name = ""
        self._at = 0
        self._born: set[tuple[Hashable, str]] = set()
        self._left = {"nan": BIRTHS, "inf": BIRTHS}
        self._full = False
        self.everything = False
        """Whether every tensor is kept now."""

    def begin(self, step: int | None) -> None:
        """A call begins; `step`: None before the first one."""
        self.everything = self._keep.everything(step)

    def born(self, node: Hashable, made: Numerics, read: Sequence[Numerics | None]) -> bool:
        """Whether what a node made is a birth that is to be kept: the first one of its kind there is.

        NaN is born of what is no NaN, an infinity of what is finite.
        """
        kind = "nan" if made.nan else "inf"
        if not self._keep.bad or self._left[kind] <= 0 or (node, kind) in self._born:
            return False
        for one in read:
            if one is not None and (one.nan or (kind == "inf" and (one.pos_inf or one.neg_inf))):
                return False
        self._born.add((node, kind))
        self._left[kind] -= 1
        return True

    def put(
        self, elements: memoryview, spec: Spec, start: int = 0, given: int | None = None
    ) -> tuple[Kept, ...]:
        """Keep elements, and say where they are; nothing where that cannot be done, which a gap says.

        Args:
            elements: Their bytes.
            spec, start: Of the tensor that they are of, as in `Kept`.
            given: The input that it is; None for the output.
        """
        if self._full:
            return ()
        sink = self._sink
        if self._name != sink.name:  # in a forked child it is another log's
            self._name, self._at = sink.name, 0
        at, size = self._at, elements.nbytes
        if at + size > MOST:
            return self._stop("beyond 2 GiB of one process")
        path = os.path.join(sink.run, f"values-{sink.name[2:]}.bin")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                written = 0
                while written < size:
                    done = os.pwrite(fd, elements[written:], at + written)
                    if not done:
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    written += done
            finally:
                os.close(fd)
        except (OSError, MemoryError) as error:
            reason = error.strerror if isinstance(error, OSError) else "out of memory"
            return self._stop(f"that could not be written: {reason}")
        self._at = at + size
        return (Kept(spec, at, size, zlib.crc32(elements), start, given),)

    def _stop(self, why: str) -> tuple[Kept, ...]:
        self._full = True
        self._sink.gap("unkept", f"elements of tensors {why}")
        return ()


def part_of(shape: tuple[int, ...], width: int, place: tuple[int, ...] = ()) -> tuple[list[slice | int], int]:
    """Which part of a large tensor is kept, and its first element: as indices of its leading axes.

    Args:
        width: Bytes of an element.
        place: An element that has to be in it.
    """
    found: list[slice | int] = []
    start = 0
    for axis, size in enumerate(shape):
        row = width
        for n in shape[axis + 1 :]:
            row *= n
        if size * row <= LARGEST:
            break
        rows = max(1, LARGEST // row)
        first = min(place[axis], size - rows) if axis < len(place) else 0
        start += first * (row // width)
        if row <= LARGEST:
            found.append(slice(first, first + rows))
            break
        found.append(first)
    return found, start
