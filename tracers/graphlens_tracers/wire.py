"""The log's frames and the shared page: the two places where bytes cross the process boundary.

A log is a series of frames, a header and a body each. A page holds what has not been put into a
frame yet. Little-endian throughout. Both are described for other readers in `docs/format.md`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

VERSION = 1
"""Of the layout below. A reader knows all older ones and refuses a newer one."""

MAGIC = b"GLNS"
HEADER = struct.Struct("<4sBBHIIQI4x")
"""magic, version, kind, flags (0), body length, CRC-32 of the body, sequence base, declarations
presupposed (events written before it in declaration frames of this process)."""
LONGEST = 64 << 20
"""No body is longer; a header that says so is damage."""
SEGMENT = 8 << 20
"""A segment of a log is closed when the next frame would make it longer."""


class Kind(IntEnum):
    """What a frame's body holds."""

    DECLARATIONS = 1  # JSON array of events
    ROWS = 2  # see ROWS_HEADER
    RANGES = 3  # see RANGES_HEADER
    FACTS = 4  # JSON array of events
    CALLS = 5  # JSON array of events


ROWS_HEADER = struct.Struct("<IIII")
"""Rows, blocks, scalars, strand; then BLOCKs, a TOOK each row, a GAP each row, SCALARs."""
BLOCK = struct.Struct("<IIQQ")
"""First row (counted in this frame), its node, its t0 (perf_counter_ns), its sequence number. Rows
of a block have consecutive nodes and consecutive sequence numbers."""
TOOK = struct.Struct("<I")
"""A column: ns that the operation took; with the top bit set, microseconds. 0: nobody knows."""
GAP = struct.Struct("<H")
"""A column: time from the end of the row before (the block's t0 for its first row) to this row's
beginning, rounded down to units of TICK ns; with the top bit set, of LONG_TICK ns. Ends are sums of
these two columns. What long pauses lose by rounding is in the next long one."""
TICK = 64
LONG_TICK = 8192
LONG_PAUSE = 1 << 15
LONGEST_PAUSE = LONG_PAUSE * LONG_TICK
"""Before a row that comes after a pause of so many ns a block begins."""
SCALAR = struct.Struct("<HHd")
"""Row (counted in this frame), argument (k-th scalar of the node's form), its value in this row.
Written where it is not what this frame said of it last; where this frame has said nothing, it is as
in the form. Bit 15 of the argument: this one and all later elements of the list it stands in."""
WHOLE_LIST = 1 << 15
RANGES_HEADER = struct.Struct("<II")
"""Blocks, 8-byte slots; then RANGE_BLOCKs, then the slots."""
RANGE_BLOCK = struct.Struct("<QIII4x")
"""First sequence number, its node, how many rows, first slot (counted in this frame). A row takes
one slot for each output with `ranged` "f2", "b2" or "f4" (minimum at byte 0, maximum at byte 4, in
that dtype) and two for "f8" (minimum, maximum). (+inf, -inf) means that there was nothing to look
at: an empty tensor, or one that could not be read (then there is a Gap)."""


class Frame(NamedTuple):
    """One frame of a log; `end` is the offset of the next one."""

    kind: Kind
    base: int
    presupposed: int
    body: bytes
    start: int
    end: int


def frame(kind: Kind, body: bytes, base: int, presupposed: int) -> bytes:
    """The bytes of one frame."""
    return HEADER.pack(MAGIC, VERSION, kind, 0, len(body), zlib.crc32(body), base, presupposed) + body


class NewerFormat(ValueError):
    """The log was written by a later version than this reader knows."""

    def __init__(self, version: int) -> None:
        super().__init__(f"format {version}, this is format {VERSION}")
        self.version = version


def frames(data: bytes | memoryview, start: int = 0) -> Iterator[Frame]:
    """The whole frames of a log from `start` on; stops at the first that is torn or damaged.

    Raises:
        NewerFormat: A frame has a later version.
    """
    view = memoryview(data)
    while len(view) - start >= HEADER.size:
        magic, version, kind, _flags, length, crc, base, presupposed = HEADER.unpack_from(view, start)
        if magic != MAGIC or length > LONGEST or start + HEADER.size + length > len(view):
            return
        body = bytes(view[start + HEADER.size : start + HEADER.size + length])
        if zlib.crc32(body) != crc:
            return
        if version > VERSION:
            raise NewerFormat(version)
        try:
            known = Kind(kind)
        except ValueError:
            return
        end = start + HEADER.size + length
        yield Frame(known, base, presupposed, body, start, end)
        start = end


# ── the page ─────────────────────────────────────────────────────────────────────────────────
# 64 KiB a thread. The traced thread writes, readers copy it whole and check that GENERATION was
# even and the same before and after. Offsets in bytes; all header fields are u64.

PAGE = 65536
PAGE_MAGIC = int.from_bytes(b"GLPAGE01", "little")


class At(IntEnum):
    """Byte offsets of the page's header fields."""

    MAGIC = 0
    GENERATION = 8  # odd while the page is being emptied into the log
    PID = 16
    THREAD = 24
    STRAND = 32
    CONTROL = 40  # written by us to ask for something: 0 nothing
    FRAMES = 48  # declarations written to the log before this page's content
    RUNNING = 56  # the operation that was begun last, see `running_in`
    RUNNING_SINCE = 72  # perf_counter_ns
    ROWS = 80  # how many rows below are complete
    BLOCKS = 88
    SLOTS = 96
    SCALARS = 112
    TEXT = 120  # bytes of text below that are complete
    BASE = 128  # sequence number of the first row
    DROPPED = 136
    SEGMENT = 144  # number of the log's current segment
    RUNNING_NAME = 256  # 256 bytes, NUL-ended UTF-8: op, file:line


PAGE_BLOCK = struct.Struct("<IIQQI4x")
"""A BLOCK, and the first slot of its ranges."""

AT_BLOCKS, MAX_BLOCKS = 512, 208  # PAGE_BLOCK
AT_SCALARS, MAX_SCALARS = 7168, 340  # SCALAR
AT_ROWS, MAX_ROWS = 11264, 2048  # u64: TOOK in the low half, GAP above it
AT_SLOTS, MAX_SLOTS = 27648, 2688  # 8 bytes
AT_TEXT, MAX_TEXT = 49152, PAGE - 49152
"""Text: records of (u32 length, u32 kind, JSON of one event, padding to 4), kind as in `Kind`."""
TEXT_RECORD = struct.Struct("<II")

assert AT_BLOCKS + MAX_BLOCKS * PAGE_BLOCK.size <= AT_SCALARS
assert AT_SCALARS + MAX_SCALARS * SCALAR.size <= AT_ROWS
assert AT_ROWS + MAX_ROWS * 8 <= AT_SLOTS
assert AT_SLOTS + MAX_SLOTS * 8 <= AT_TEXT


def text_records(page: bytes | memoryview, length: int) -> Iterator[tuple[Kind, bytes]]:
    """The events in a page's text, as (kind, JSON)."""
    at, stop = AT_TEXT, AT_TEXT + min(length, MAX_TEXT)
    while at + TEXT_RECORD.size <= stop:
        size, kind = TEXT_RECORD.unpack_from(page, at)
        at += TEXT_RECORD.size
        if at + size > stop or kind not in (Kind.DECLARATIONS, Kind.FACTS, Kind.CALLS):
            return
        yield Kind(kind), bytes(page[at : at + size])
        at += (size + 3) & ~3


NO_NODE = 0xFFFFFFFF
"""In the upper half of RUNNING: the operation has no node yet, but a RUNNING_NAME."""


class RunningNow(NamedTuple):
    """An operation that has begun and not ended; `node` is None where it is not declared yet."""

    seq: int
    node: int | None
    since_ns: int


def running_in(page: bytes | memoryview) -> RunningNow | None:
    """The operation that a page says is running; None between two operations.

    RUNNING is the row that it will have, in the low half, and its node + 1 in the upper one. As soon
    as the row is there it has ended.
    """
    running, rows, base, since = (
        int(struct.unpack_from("<Q", page, at)[0]) for at in (At.RUNNING, At.ROWS, At.BASE, At.RUNNING_SINCE)
    )
    row, node = running & 0xFFFFFFFF, running >> 32
    if not node or row != rows:
        return None
    return RunningNow(base + row, None if node == NO_NODE else node - 1, since)


def page_frames(page: bytes | memoryview) -> list[bytes]:
    """A page's content as the frames that its thread would append next, declarations first.

    Used by the traced thread when the page is full, and by the host and readers for what a
    process left behind. The result is empty for an empty page.
    """
    field = {at: struct.unpack_from("<Q", page, at)[0] for at in At if at is not At.RUNNING_NAME}
    if field[At.MAGIC] != PAGE_MAGIC:
        return []
    base, presupposed = field[At.BASE], field[At.FRAMES]
    texts: dict[Kind, list[bytes]] = {Kind.DECLARATIONS: [], Kind.CALLS: [], Kind.FACTS: []}
    for kind, event in text_records(page, field[At.TEXT]):
        texts[kind].append(event)
    out: list[bytes] = []

    def put(kind: Kind, body: bytes) -> None:
        out.append(frame(kind, body, base, presupposed))

    def put_text(kind: Kind) -> None:
        if texts[kind]:
            put(kind, b"[" + b",".join(texts[kind]) + b"]")

    put_text(Kind.DECLARATIONS)
    presupposed += len(texts[Kind.DECLARATIONS])
    rows, slots = min(field[At.ROWS], MAX_ROWS), min(field[At.SLOTS], MAX_SLOTS)
    scalars = min(field[At.SCALARS], MAX_SCALARS)
    begun = bytes(page[AT_BLOCKS : AT_BLOCKS + min(field[At.BLOCKS], MAX_BLOCKS) * PAGE_BLOCK.size])
    # A block is opened before its first row: the last one may have none.
    blocks = [block for block in PAGE_BLOCK.iter_unpack(begun) if block[0] < rows]
    if rows:
        columns = memoryview(page)[AT_ROWS : AT_ROWS + rows * 8]
        put(
            Kind.ROWS,
            ROWS_HEADER.pack(rows, len(blocks), scalars, field[At.STRAND] & 0xFFFFFFFF)
            + b"".join(
                [begun[k : k + BLOCK.size] for k in range(0, len(blocks) * PAGE_BLOCK.size, PAGE_BLOCK.size)]
            )
            + columns.cast("I")[::2].tobytes()
            + columns.cast("H")[2::4].tobytes()
            + bytes(page[AT_SCALARS : AT_SCALARS + scalars * SCALAR.size]),
        )
    if slots and blocks:  # a process can die between the stores of SLOTS and ROWS
        stops = [block[0] for block in blocks[1:]] + [rows]
        put(
            Kind.RANGES,
            RANGES_HEADER.pack(len(blocks), slots)
            + b"".join(
                [
                    RANGE_BLOCK.pack(seq, node, stop - row, slot)
                    for (row, node, _, seq, slot), stop in zip(blocks, stops, strict=True)
                ]
            )
            + bytes(page[AT_SLOTS : AT_SLOTS + slots * 8]),
        )
    put_text(Kind.CALLS)
    put_text(Kind.FACTS)
    return out
