"""What a process left in its shared pages when it ended, put where it belongs: at the end of its log.

A process that is killed writes nothing any more, but its pages are files, and hold every finished
operation that is not in the log yet, and the one that was running.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from graphlens.runs import Entry, is_alive
from graphlens_tracers import wire
from graphlens_tracers.wire import (
    PAGE,
    PAGE_MAGIC,
    RANGES_HEADER,
    At,
    Frame,
    Kind,
    NewerFormat,
    frame,
    frames,
    page_frames,
)

PAGE_NAME = re.compile(r"(?P<log>p-[0-9]+-[0-9a-f]{8})\.(?P<strand>[0-9]+)\.page")


class Running(TypedDict):
    """The operation that was running when a process ended.

    `node` is None for one that was not declared yet: then `name` says what it is. `since_ns` is on
    the process's monotonic clock.
    """

    seq: int
    node: int | None
    name: str
    since_ns: int


def sweep(run: Path, pages: Path) -> dict[str, Running]:
    """Append what ended processes left in their pages, and take the pages away.

    Pages of processes that are still alive stay, and with them the directory.

    Returns:
        What was running in each, by the name of its log ("p-PID-NONCE").

    Raises:
        OSError: A log can't be written. Its page stays.
    """
    running: dict[str, Running] = {}
    for path in sorted(pages.glob("*.page")):
        match = PAGE_NAME.fullmatch(path.name)
        page = _read(path) if match else None
        if match is None or page is None or is_alive(_field(page, At.PID)):
            continue
        log = match["log"]
        try:
            _append(run, log, page)
        except (ValueError, struct.error):
            continue  # the process wrote over its own memory before it died: what it says is nonsense
        if (now := running_in(page)) is not None:
            running[log] = now
        path.unlink()
    try:
        pages.rmdir()
    except OSError:
        return running  # a living process still has its page there
    return running


def settle(entry: Entry) -> None:
    """Take in what is left of a run whose host could not, because it was killed or ended first.

    Looks only into a directory that is private to this user, whatever run.json says.
    """
    pages = Path(str(entry.record.get("pages") or ""))
    if entry.state == "running" or not pages.is_absolute() or not pages.name.startswith("graphlens-"):
        return
    try:
        seen = pages.lstat()
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_mode & 0o077:
            return
        (pages / "control").unlink(missing_ok=True)
        sweep(entry.path, pages)
    except OSError:
        return  # no room, or taken away by somebody else in this moment: tried again next time


def running_in(page: bytes) -> Running | None:
    """The operation that a page says is running; None between two operations."""
    running = wire.running_in(page)
    if running is None:
        return None
    name = page[At.RUNNING_NAME : At.RUNNING_NAME + 256].split(b"\0", 1)[0]
    return {
        "seq": running.seq,
        "node": running.node,
        "name": name.decode("utf-8", "replace"),
        "since_ns": running.since_ns,
    }


def untraced(run: Path) -> dict[str, int]:
    """How many interpreters left a mark that they are too old to be recorded, by version."""
    found: Counter[str] = Counter()
    for path in run.glob("untraced-*-*"):
        found[path.name.split("-")[1]] += 1
    return dict(sorted(found.items()))


def _read(path: Path) -> bytes | None:
    """A whole page of ours; None for anything else, which is then left where it is."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        page = file.read(PAGE + 1)
    return page if len(page) == PAGE and _field(page, At.MAGIC) == PAGE_MAGIC else None


def _field(page: bytes, at: At) -> int:
    value: int = struct.unpack_from("<Q", page, at)[0]
    return value


def _append(run: Path, log: str, page: bytes) -> None:
    """Put what the page holds, and the log does not, behind the last whole frame of the log."""
    # The page may still name the segment before the one that was being written.
    segments = [int(path.name.split(".")[-2]) for path in run.glob(f"{log}.[0-9]*[0-9].log")]
    number = max([*segments, _field(page, At.SEGMENT)])
    if number >= 1 << 20:
        return  # no process of ours gets there: the page is damaged
    path = run / f"{log}.{number:03d}.log"
    try:
        known = list(frames(path.read_bytes())) if number in segments else []
    except NewerFormat:
        return  # its own version will read the page
    add = b"".join(_missing(known, list(frames(b"".join(page_frames(page))))))
    if not add:
        return
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        # Killed in the middle of a write: nothing is found again behind a torn frame.
        end = known[-1].end if known else 0
        file.truncate(end)
        file.seek(end)
        file.write(add)


def _missing(known: list[Frame], page: list[Frame]) -> Iterator[bytes]:
    """Those of a page's frames that its log does not hold.

    A process that died while it emptied the page has written some of them, or all. It empties in
    this order: append, then the header fields, then rows, slots and text each by one store; so what
    is in the log has the same body there, or is a frame of ranges without its rows.
    """
    last = {seen.kind: seen for seen in known}
    behind = 0
    for new in page:
        there = last.get(new.kind)
        if there is not None and there.body == new.body:
            if new.kind is Kind.DECLARATIONS:
                # The count in the page may include these declarations already.
                behind = new.presupposed - there.presupposed
            continue
        if new.kind is Kind.RANGES and RANGES_HEADER.unpack_from(new.body)[0] == 0:
            continue
        yield frame(new.kind, new.body, new.base, new.presupposed - behind)
