"""Follows the log of one process: reads only what is new, and stops where it is torn or damaged.

Headers are believed only when they fit: a frame's length must be within bounds and within the
file before anything of it is read.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from graphlens.decode import newer, plain_file
from graphlens.text import clean
from graphlens_tracers.errors import BadRunFile
from graphlens_tracers.wire import (
    HEADER,
    LONGEST,
    MAGIC,
    PAGE,
    PAGE_MAGIC,
    VERSION,
    At,
    Kind,
    RunningNow,
    running_in,
)

LOG_NAME = re.compile(r"(p-\d{1,10}-[0-9a-f]{8})\.(\d{3,9})\.log")
PAGE_NAME = re.compile(r"(p-\d{1,10}-[0-9a-f]{8})\.(\d{1,10})\.page")
CHUNK = 16 << 20
"""Bytes of a log that are read at once, unless one frame is longer."""


class Found(NamedTuple):
    """A whole frame: its body, and where in the log it lies.

    Attributes:
        file, where: The file, and the number of the frame in it too, for messages.
        segment: Number of the segment file.
        offset: Of the body in the segment file.
        skipped: Something before this frame could not be read.
    """

    kind: Kind
    base: int
    presupposed: int
    body: memoryview
    file: str
    where: str
    segment: int
    offset: int
    skipped: bool


@dataclass
class Log:
    """The segments of one process's log, as far as they were read.

    Attributes:
        trouble: What cannot be read, a message a segment. The last segment's may go away when the
            file grows.
    """

    directory: Path
    stem: str
    segment: int = 0
    offset: int = 0
    frame: int = 0
    trouble: dict[int, str] = field(default_factory=dict)
    _size: int = -1  # of the segment when it was last looked at
    _skipped: bool = False

    @property
    def stuck(self) -> bool:
        """Whether the segment that is being written cannot be read on."""
        return self.segment in self.trouble

    @property
    def torn(self) -> int:
        """Bytes at the end that are no whole frame: nothing while it grows, a loss when it does not."""
        return max(self._size - self.offset, 0) if not self.stuck else 0

    def path(self, segment: int) -> Path:
        """The file of a segment."""
        return self.directory / f"{self.stem}.{segment:03}.log"

    def new(self, latest: int) -> Iterator[Found]:
        """The whole frames that were appended since the last call.

        Args:
            latest: The highest segment that the directory is known to have; -1 for none.

        Raises:
            BadRunFile: A later format, or a segment is not a plain file.
        """
        while True:
            try:
                with plain_file(self.path(self.segment)) as fd:
                    yield from self._segment(fd)
            except FileNotFoundError:
                if latest <= self.segment:
                    return
                self._go_on_after_missing()
                continue
            except OSError as error:
                self.trouble[self.segment] = f"{self._name()}: {error.strerror}"
                return
            if latest <= self.segment and not self.path(self.segment + 1).exists():
                return
            # The writer has gone on. What stands here unread was given up by it, or is damaged.
            if self._size > self.offset:
                rest = self._size - self.offset
                self.trouble.setdefault(self.segment, f"{self._name()}: its last {rest} bytes")
                self._skipped = True
            self.segment, self.offset, self.frame, self._size = self.segment + 1, 0, 0, -1

    def _go_on_after_missing(self) -> None:
        """Go to the next segment that there is."""
        matches = (LOG_NAME.fullmatch(entry.name) for entry in os.scandir(self.directory))
        numbers = (int(match[2]) for match in matches if match and match[1] == self.stem)
        later = min((number for number in numbers if number > self.segment), default=self.segment + 1)
        self.trouble[self.segment] = f"{self._name()}: it is missing"
        self.segment, self.offset, self.frame, self._size = later, 0, 0, -1
        self._skipped = True

    def _name(self) -> str:
        return self.path(self.segment).name

    def _segment(self, fd: int) -> Iterator[Found]:
        size = os.fstat(fd).st_size
        if size == self._size:
            return
        self._size = size
        self.trouble.pop(self.segment, None)
        window = _Window(fd, size)
        while self.offset + HEADER.size <= size:
            head = window.at(self.offset, HEADER.size)
            if len(head) < HEADER.size:
                return  # cut short meanwhile
            magic, version, kind, _, length, crc, base, presupposed = HEADER.unpack(head)
            if magic != MAGIC or length > LONGEST:
                self.trouble[self.segment] = f"{self._name()}: damaged at byte {self.offset}"
                return
            offset = self.offset + HEADER.size
            if offset + length > size:
                return  # torn: the end, until it grows
            body = window.at(offset, length)
            if len(body) < length or not self._sound(body, crc, kind, version):
                return
            where = f"{self._name()}: frame {self.frame}"
            skipped, self._skipped = self._skipped, False
            self.offset, self.frame = offset + length, self.frame + 1
            yield Found(
                Kind(kind), base, presupposed, body, self._name(), where, self.segment, offset, skipped
            )

    def _sound(self, body: memoryview, crc: int, kind: int, version: int) -> bool:
        if zlib.crc32(body) != crc:
            self.trouble[self.segment] = f"{self._name()}: damaged at byte {self.offset}"
            return False
        if version > VERSION:
            raise newer(clean(self._name()), version, VERSION)
        if kind not in Kind.__members__.values():
            self.trouble[self.segment] = f"{self._name()}: frame of unknown kind {kind} at byte {self.offset}"
            return False
        return True


class _Window:
    """Parts of a file, read in large pieces."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.size = fd, size
        self.start, self.data = 0, memoryview(b"")

    def at(self, offset: int, size: int) -> memoryview:
        """`size` bytes from `offset` on; fewer when the file ends before."""
        if offset < self.start or offset + size > self.start + len(self.data):
            wanted = max(size, min(CHUNK, self.size - offset))
            self.start, self.data = offset, memoryview(read_on(self.fd, offset, wanted))
        return self.data[offset - self.start : offset - self.start + size]


def read_on(fd: int, offset: int, size: int) -> bytes:
    """`size` bytes from `offset` on; fewer when the file ends before."""
    data = os.pread(fd, size, offset)
    while len(data) < size and (more := os.pread(fd, size - len(data), offset + len(data))):
        data += more
    return data


def read_body(fd: int, offset: int, size: int, name: str) -> bytes:
    """`size` bytes of a body that was indexed before.

    Raises:
        BadRunFile: The file has been cut since.
    """
    data = read_on(fd, offset, size)
    if len(data) < size:
        raise BadRunFile(f"{name} was cut short while it was read")
    return data


# ── pages ────────────────────────────────────────────────────────────────────────────────────

_TRIES = 50  # a page is emptied in well under a millisecond


@dataclass
class Page:
    """One thread's page: read again only when something in it has moved.

    Attributes:
        data: The last whole copy; b"" before the first, and when the page was taken away.
        strand: Number of the thread.
    """

    path: Path
    strand: int
    data: bytes = b""
    _head: bytes = b""

    def refresh(self) -> bool:
        """Copy the page when it has changed; whether it has."""
        try:
            with plain_file(self.path) as fd:
                head = os.pread(fd, At.RUNNING_NAME, 0)
                if head == self._head or field_of(head, At.MAGIC) != PAGE_MAGIC:
                    return False
                data = _copy(fd)
        except (OSError, BadRunFile):
            # Taken away: the process, or the host after it, has put it into the log.
            changed = bool(self.data)
            self.data = self._head = b""
            return changed
        if len(data) < PAGE:
            return False
        self.data, self._head = data, data[: At.RUNNING_NAME]
        return True

    @property
    def generation(self) -> int:
        """How often it was emptied, times two."""
        return field_of(self.data, At.GENERATION) if self.data else -1

    def field(self, at: At) -> int:
        """A header field of the last copy; 0 when there is none."""
        return field_of(self.data, at) if self.data else 0

    def emptied(self) -> bool:
        """Whether the page has been emptied or taken away since the last copy."""
        try:
            with plain_file(self.path) as fd:
                return field_of(os.pread(fd, 16, 0), At.GENERATION) != self.generation
        except (OSError, BadRunFile):
            return True

    def running(self) -> RunningNow | None:
        """The operation that had begun and not ended when the page was copied."""
        return running_in(self.data) if self.data else None

    def name(self) -> str:
        """What runs now, in the process's own words."""
        raw = self.data[At.RUNNING_NAME : At.RUNNING_NAME + 256]
        return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def _copy(fd: int) -> bytes:
    """A whole page that was not being emptied meanwhile.

    A process that was killed while it emptied its page leaves it so for good: then what there is
    has to do, and the log says which rows of it were written.
    """
    data = b""
    for _ in range(_TRIES):
        data = os.pread(fd, PAGE, 0)
        before, after = field_of(data, At.GENERATION), field_of(os.pread(fd, 16, 0), At.GENERATION)
        if before == after and before % 2 == 0:
            break
    return data


def field_of(page: bytes, at: At) -> int:
    """A header field of a page; 0 when the page is too short."""
    return int.from_bytes(page[at : at + 8], "little")


def pages_in(directory: str) -> dict[str, list[Path]]:
    """The pages in a directory, by the stem of their process's log; none when it cannot be read."""
    found: dict[str, list[Path]] = {}
    try:
        entries = sorted(entry.name for entry in os.scandir(directory)) if directory else []
    except (OSError, ValueError):
        return {}  # the host took it away, the run came from another machine, or it is no path
    for name in entries:
        match = PAGE_NAME.fullmatch(name)
        if match:
            found.setdefault(match[1], []).append(Path(directory, name))
    return found


def logs_in(directory: Path) -> dict[str, int]:
    """The processes that have a log in a run directory, by stem, sorted: the number of the latest segment."""
    matches = (LOG_NAME.fullmatch(entry.name) for entry in os.scandir(directory))
    found: dict[str, int] = {}
    for match in matches:
        if match:
            found[match[1]] = max(found.get(match[1], 0), int(match[2]))
    return dict(sorted(found.items()))
