"""Where runs are kept and what they are called; finding and deleting them.

A run is a directory. Here is only what can be known without opening its logs: `run.json`. Nothing
is deleted that is not a run of ours, file by file.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphlens_tracers.errors import BadRunFile, CannotWrite, FileExists, UnknownRun

SUFFIX = ".glens"
RECORD = "run.json"
LARGEST_RECORD = 16 << 20
"""Bytes; a run.json that is larger is not read."""

_OURS = re.compile(
    r"run\.json(\.[0-9]+)?|output\.log(\.[0-9]+)?|p-[0-9]+-[0-9a-f]{8}\.[0-9]{3,}\.log|values-.*\.bin|untraced-[0-9.]+-[0-9]+"
)
_SOURCE = re.compile(r"[0-9a-f]{64}(\..*)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A run as `graphlens runs` lists it.

    Attributes:
        name: What a person types.
        started: Unix time, seconds.
        state: "running", "finished", or "lost" when its processes are gone without a word.
        record: All of run.json.
        size_bytes: Of all its files.
    """

    name: str
    path: Path
    started: float
    state: str
    record: Mapping[str, Any]  # Any: JSON, typed where it is used

    @property
    def size_bytes(self) -> int:
        return sum(found.stat(follow_symlinks=False).st_size for found in _files(self.path))


def state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where runs are kept that were given no place: $GRAPHLENS_HOME, else the user's state directory.

    Raises:
        CannotWrite: There is no home directory either.
    """
    if chosen := environment.get("GRAPHLENS_HOME"):
        return Path(chosen).absolute()
    state = environment.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # a relative one is to be ignored, says the XDG specification
        return Path(state) / "graphlens"
    home = environment.get("HOME") or os.path.expanduser("~")
    if not os.path.isabs(home):
        raise CannotWrite("no home directory to keep runs in; set GRAPHLENS_HOME to a directory")
    return Path(home) / ".local" / "state" / "graphlens"


def create(script: str) -> Path:
    """A new, empty run directory under the state directory: train-1, train-2, … for train.py.

    Raises:
        CannotWrite: The state directory can't be made or written.
    """
    home = state_directory()
    stem = _stem(script)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = 1 + max((int(found[1]) for found in _numbered(home, stem)), default=0)
        while True:
            path = home / f"{stem}-{number}{SUFFIX}"
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:
                number += 1  # another run of the same script started at this moment
            else:
                return path
    except OSError as error:
        raise CannotWrite(
            f"cannot keep a run in {home}: {error.strerror}; "
            "set GRAPHLENS_HOME to another directory, or use --output"
        ) from error


def create_at(path: Path, *, force: bool) -> Path:
    """An empty run directory just there.

    Args:
        force: Delete a finished run that is in the way.

    Raises:
        FileExists: Something is there, and `force` is off or it is no run of ours.
        CannotWrite: It can't be made.
    """
    path = path.absolute()
    if os.path.lexists(path):
        if not force:
            raise FileExists(f"{path} is already there; use --force to replace it")
        delete(path)
    try:
        path.mkdir(mode=0o700)
    except OSError as error:
        raise CannotWrite(f"cannot make the run directory {path}: {error.strerror}") from error
    return path


def resolve(run: str) -> Path:
    """The directory meant by a path, a name, or "last".

    Raises:
        UnknownRun: There is none.
    """
    if run == "last":
        newest = max(entries(), key=lambda entry: entry.started, default=None)
        if newest is None:
            raise UnknownRun("there are no runs yet; make one with: graphlens record SCRIPT")
        return newest.path
    if os.sep not in run:
        home = state_directory()
        for name in (run, run + SUFFIX):
            if name.endswith(SUFFIX) and (home / name).is_dir():
                return home / name
    path = Path(run).absolute()
    if not os.path.lexists(path):
        raise UnknownRun(f"no run {run!r}: it is neither a path nor a name; see: graphlens runs")
    return path


def name_of(path: Path) -> str:
    """What a person types for this run: its name in the state directory, else its path."""
    try:
        kept = path.parent == state_directory()
    except CannotWrite:
        kept = False
    return path.name.removesuffix(SUFFIX) if kept else str(path)


def entries() -> list[Entry]:
    """The runs in the state directory, oldest first; directories that are no runs are left out."""
    home = state_directory()
    try:
        found = [Path(item.path) for item in os.scandir(home) if item.name.endswith(SUFFIX)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CannotWrite(
            f"cannot read {home}: {error.strerror}; set GRAPHLENS_HOME to another directory"
        ) from error
    listed = []
    for path in found:
        try:
            listed.append(entry(path))
        except BadRunFile:
            continue  # being made right now, or not ours
    return sorted(listed, key=lambda item: (item.started, item.name))


def entry(path: Path) -> Entry:
    """One run directory.

    Raises:
        BadRunFile: It is none, or its run.json can't be read.
    """
    record = read_record(path)
    started = record.get("started")
    return Entry(
        name=name_of(path),
        path=path,
        started=float(started) if isinstance(started, (int, float)) else 0.0,
        state=state_of(record),
        record=record,
    )


def read_record(path: Path) -> dict[str, Any]:  # Any: JSON
    """What run.json says, unchecked but for being an object.

    Raises:
        BadRunFile: It is not there, or is no JSON object. Pipes and devices are not waited for.
    """
    try:
        fd = os.open(path / RECORD, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise BadRunFile(f"{path} is not a run: {RECORD}: {error.strerror}") from error
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise BadRunFile(f"{path} is not a run: {RECORD} is not a file")
        text = file.read(LARGEST_RECORD + 1)
    try:
        if len(text) > LARGEST_RECORD:
            raise ValueError(f"longer than {LARGEST_RECORD} bytes")
        record = json.loads(text)
        if not isinstance(record, dict):
            raise ValueError("not a JSON object")
    except (ValueError, RecursionError) as error:
        raise BadRunFile(f"{path / RECORD} cannot be read: {error}") from error
    return record


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Replace run.json at once: a reader sees the old one or the new one.

    Raises:
        OSError: It can't be written; the old one is untouched.
    """
    beside = path / f"{RECORD}.{os.getpid()}"
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            json.dump(record, file, indent=1)
            file.write("\n")
        os.replace(beside, path / RECORD)
    except OSError:
        os.unlink(beside)
        raise


def state_of(record: Mapping[str, Any]) -> str:
    """ "running", "finished", or "lost": it says running, but its host and its script are gone."""
    if record.get("state") == "finished":
        return "finished"
    pids = [record.get(key) for key in ("pid", "host_pid")]
    alive = record.get("host") == os.uname().nodename and any(
        isinstance(pid, int) and is_alive(pid) for pid in pids
    )
    return "running" if alive else "lost"


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs; one that only waits to be reaped does not."""
    if pid <= 0:
        return False  # kill() would mean a group of processes
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except (OSError, IndexError):
        return True


def delete(path: Path) -> None:
    """Delete a run and nothing else.

    Raises:
        FileExists: It is not a run of ours, or holds a file that is not ours.
        CannotWrite: It still runs, or a file can't be removed.
    """
    if path.is_symlink() or not path.is_dir():
        raise FileExists(f"{path} is not a run of graphlens; nothing was deleted")
    files = list(_files(path))
    for found in files:
        inside = os.path.relpath(found.path, path)
        kept_source = os.path.dirname(inside) == "sources" and _SOURCE.fullmatch(found.name)
        if not (_OURS.fullmatch(inside) or kept_source) or not found.is_file(follow_symlinks=False):
            raise FileExists(f"{path} holds {inside}, which is not ours; nothing was deleted")
    if files:
        try:
            state = state_of(read_record(path))
        except BadRunFile as error:
            raise FileExists(f"{path} is not a run of graphlens; nothing was deleted") from error
        if state == "running":
            raise CannotWrite(f"{name_of(path)} still runs; end its script first")
    try:
        # run.json last: what is left of a deletion that was cut short is still known as a run.
        for found in sorted(files, key=lambda file: file.name == RECORD):
            os.unlink(found.path)
        if (path / "sources").is_dir():
            (path / "sources").rmdir()
        path.rmdir()
    except OSError as error:
        raise CannotWrite(f"cannot delete {path}: {error.strerror}") from error


def _files(path: Path) -> Iterator[os.DirEntry[str]]:
    """Everything in a run directory; only the directory `sources` is entered."""
    with os.scandir(path) as found:
        for item in found:
            if item.name == "sources" and item.is_dir(follow_symlinks=False):
                with os.scandir(item.path) as sources:
                    yield from sources
            else:
                yield item


def _stem(script: str) -> str:
    """The part of a run's name that says which script: easy to type, safe as a file name."""
    if script == "-":
        return "stdin"
    base = os.path.basename(os.path.abspath(script))
    stem = re.sub(r"[^A-Za-z0-9._]+", "-", base.removesuffix(".py")).strip("-.")[:40]
    return stem or "run"


def _numbered(home: Path, stem: str) -> Iterator[re.Match[str]]:
    pattern = re.compile(re.escape(stem) + r"-([0-9]{1,9})" + re.escape(SUFFIX))
    for item in os.scandir(home):
        if match := pattern.fullmatch(item.name):
            yield match
