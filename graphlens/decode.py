"""Bytes of a run to typed facts: events, `run.json`. Whatever is wrong is said with its place.

Nothing in here imports by name, evaluates or unpickles: a run may come from anybody.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from graphlens.text import clean, without_surrogates
from graphlens_tracers.errors import BadRunFile
from graphlens_tracers.events import EVENTS, FORMAT, Event, RunStarted

LARGEST_JSON = 1 << 20
"""Bytes of `run.json` at most."""

_BODY = msgspec.json.Decoder(list[tuple[str, msgspec.Raw]])
_DECODERS: dict[str, msgspec.json.Decoder[Event]] = {
    kind.__name__: msgspec.json.Decoder(kind) for kind in EVENTS
}
_KINDS = {kind.__name__: kind for kind in EVENTS}


def newer(what: str, version: int, known: int = FORMAT) -> BadRunFile:
    """The error for a run of a later format."""
    return BadRunFile(f"{what} was written by format {version}, this is format {known}; upgrade graphlens")


def events(body: bytes | memoryview, where: str) -> list[Event]:
    """The events of one frame.

    Args:
        body: A JSON array of [name, fields].
        where: The file and the frame, for errors.

    Raises:
        BadRunFile: It is no such array, an event is of no kind we know, or a field is wrong.
    """
    try:
        items = _BODY.decode(body)
        found = [_event(name, raw, where) for name, raw in items]
    except msgspec.ValidationError as error:
        raise BadRunFile(f"{where}: not an array of events: {clean(str(error))}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        # JSON of Python's own kind: half a surrogate pair in a file's name, NaN as a number.
        found = [_odd_event(item, where) for item in _odd_items(bytes(body), where)]
    except RecursionError:
        raise BadRunFile(f"{where}: nested too deeply") from None
    for event in found:
        if isinstance(event, RunStarted) and event.format > FORMAT:
            raise newer(where, event.format)
    return found


def _event(name: str, raw: msgspec.Raw, where: str) -> Event:
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise BadRunFile(f"{where}: unknown event {clean(name, 40)!r}; upgrade graphlens")
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _wrong_field(name, error, where) from None


def _wrong_field(name: str, error: msgspec.ValidationError, where: str) -> BadRunFile:
    """msgspec says "Expected `int`, got `str` - at `$.inputs[1]`"."""
    said, _, at = str(error).partition(" - at `$")
    field = at.rstrip("`")
    return BadRunFile(f"{where}: {name}{clean(field)}: {clean(said)}")


def _odd_items(body: bytes, where: str) -> list[Any]:  # Any: JSON
    try:
        items = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRunFile(f"{where}: no JSON: {clean(str(error))}") from None
    if not isinstance(items, list):
        raise BadRunFile(f"{where}: not an array of events")
    return items


def _odd_event(item: Any, where: str) -> Event:  # Any: JSON
    if not (isinstance(item, list) and len(item) == 2 and isinstance(item[0], str)):
        raise BadRunFile(f"{where}: not an array of events")
    kind = _KINDS.get(item[0])
    if kind is None:
        raise BadRunFile(f"{where}: unknown event {clean(item[0], 40)!r}; upgrade graphlens")
    try:
        return msgspec.convert(_encodable(item[1]), kind)
    except msgspec.ValidationError as error:
        raise _wrong_field(item[0], error, where) from None


def _encodable(item: Any) -> Any:  # Any: JSON
    if isinstance(item, str):
        return without_surrogates(item)
    if isinstance(item, list):
        return [_encodable(part) for part in item]
    if isinstance(item, dict):
        return {without_surrogates(key): _encodable(part) for key, part in item.items()}
    return item


# ── files ────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def plain_file(path: Path | str) -> Iterator[int]:
    """A descriptor of an ordinary file, opened for reading; closed at the end.

    A link, a pipe or a device is refused: opening a run that somebody sent must not wait on a
    pipe or read a file elsewhere.

    Raises:
        BadRunFile: It is not an ordinary file.
        OSError: It cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if os.path.islink(path):
            raise BadRunFile(f"{clean(str(path))} is a link, not a file") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise BadRunFile(f"{clean(str(path))} is not an ordinary file")
        yield fd
    finally:
        os.close(fd)


def read_at_most(path: Path | str, size: int) -> bytes:
    """Up to `size` bytes from the start of an ordinary file."""
    with plain_file(path) as fd:
        parts = []
        while size > 0 and (part := os.read(fd, min(size, 1 << 20))):
            parts.append(part)
            size -= len(part)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Was:
    """The operation that ran when its process ended, as the host found it in the page."""

    seq: int
    node: int | None = None
    name: str = ""
    since_ns: int = 0


@dataclass(frozen=True, slots=True)
class RunInfo:
    """`run.json`: what was started, where, and how it ended.

    Attributes:
        argv: The script and its arguments.
        module: The script is a module's name (`-m`).
        script: Its absolute path; "" for a module.
        started, ended: Seconds since 1970; `ended` is None while it runs, or when it was never said.
        pages: Directory of the pages of its processes.
        pid, host_pid: The script's process, and that of its host.
        state: What the host said last: "running" may be long over when the host was killed.
        signal: Number of the signal that ended the script.
        control: The host's socket; None when nobody listens.
        running: What each process was doing when it ended, by the name of its log; only those that
            were in the middle of an operation.
        untraced: Interpreters that were too old to be recorded, by version.
    """

    format: int
    name: str
    argv: tuple[str, ...] = ()
    module: bool = False
    script: str = ""
    cwd: str = ""
    python: str = ""
    executable: str = ""
    graphlens: str = ""
    host: str = ""
    started: float = 0.0
    level: str = "health"
    pages: str = ""
    pid: int = 0
    state: str = "running"
    exit_code: int | None = None
    signal: int | None = None
    ended: float | None = None
    pty: bool = False
    control: str | None = None
    host_pid: int = 0
    steps: str | None = None
    framework: str = "auto"
    keep: str = "bad"
    running: dict[str, Was] = field(default_factory=dict)
    untraced: dict[str, int] = field(default_factory=dict)


_INFO = msgspec.json.Decoder(RunInfo)


def run_info(path: Path) -> RunInfo:
    """The `run.json` of the run at `path`.

    Raises:
        BadRunFile: There is none, it is damaged, or of a newer format.
    """
    file = path / "run.json"
    shown = clean(str(file))
    try:
        text = read_at_most(file, LARGEST_JSON)
    except FileNotFoundError:
        raise BadRunFile(f"{clean(str(path))} is not a run: it has no run.json") from None
    except NotADirectoryError:
        raise BadRunFile(f"{clean(str(path))} is not a run: it is not a directory") from None
    except OSError as error:
        raise BadRunFile(f"{shown} cannot be read: {error.strerror}") from error
    try:
        info = _INFO.decode(text)
    except msgspec.ValidationError as error:
        version = _format_of(text)
        if version > FORMAT:
            raise newer(shown, version) from None
        raise BadRunFile(f"{shown}: {clean(str(error))}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            info = msgspec.convert(_encodable(json.loads(text)), RunInfo)
        except (ValueError, RecursionError) as error:
            raise BadRunFile(f"{shown} is damaged: {clean(str(error))}") from None
    if info.format > FORMAT:
        raise newer(shown, info.format)
    return info


def _format_of(text: bytes) -> int:
    """What the file says of its format, when the rest of it is not what we expect."""
    try:
        version = msgspec.json.decode(text, type=dict[str, Any]).get("format")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return 0
    return version if isinstance(version, int) else 0
