"""How a run was looked at when it was left: kept in the state directory, never beside the run.

A small JSON file a run, named after what the run is and not where it lies. Whatever is damaged is as if
it was not there, and that is said; the oldest are deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphlens.runs import state_directory
from graphlens.session import RunInfo
from graphlens_tracers.errors import CannotWrite

FOLDER = "views"
MOST = 200
"""Runs whose views are kept."""
LARGEST = 1 << 18
"""Bytes of one."""
MOST_CLOSED = 1000
"""Folded steps that are listed one by one."""


@dataclass(frozen=True)
class View:
    """How a run was looked at.

    Attributes:
        at: The selected operation; None for none. `call`: whose headline was selected instead.
        folded: Keys of folded module calls; `closed`: numbers of folded steps; None for all of them.
        filter: The query of the filter; "" for none.
        light: Dark text on light.
        side, bottom: Columns of the details, rows of the output; None for what suits the screen.
    """

    at: int | None = None
    call: int | None = None
    mode: str = "graph"
    folded: list[str] = field(default_factory=list)
    closed: list[int] | None = field(default_factory=list)
    filter: str = ""
    light: bool = False
    side: int | None = None
    bottom: int | None = None


def identity(info: RunInfo) -> str:
    """The name of a run's file: the same wherever the run is moved to."""
    said = json.dumps([info.started, info.host, info.pid, list(info.argv), info.python])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def load(info: RunInfo) -> tuple[View | None, str]:
    """How it was looked at, and what is wrong with what was kept; None and "" where nothing was.

    What was kept is read as if anybody could have written it: pipes are not waited for, links not followed.
    """
    try:
        path = state_directory() / FOLDER / f"{identity(info)}.json"
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None, ""
    except (OSError, CannotWrite) as error:
        return None, f"how this run was left cannot be read: {getattr(error, 'strerror', None) or error}"
    with os.fdopen(fd, "rb") as file:
        text = file.read(LARGEST + 1) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    try:
        return _checked(json.loads(text)), ""
    except (ValueError, TypeError, RecursionError):
        return None, "how this run was left is damaged: it is opened at its beginning"


def _checked(said: Any) -> View:  # Any: JSON
    """Raises TypeError or ValueError for what is no view."""
    if not isinstance(said, dict):
        raise TypeError("not an object")
    kinds: Mapping[str, tuple[type, ...]] = {
        "at": (int, type(None)), "call": (int, type(None)), "mode": (str,), "folded": (list,),
        "closed": (list, type(None)), "filter": (str,), "light": (bool,), "side": (int, type(None)),
        "bottom": (int, type(None)),
    }  # fmt: skip
    known = {name: said[name] for name in kinds if name in said}
    for name, value in known.items():
        if not isinstance(value, kinds[name]) or (isinstance(value, bool) and name != "light"):
            raise TypeError(name)
        if isinstance(value, int) and not 0 <= value < 1 << 62:
            raise ValueError(name)
    view = View(**known)
    if not all(isinstance(key, str) for key in view.folded):
        raise TypeError("folded")
    if not all(type(call) is int for call in view.closed or ()):
        raise TypeError("closed")
    return view


def keep(info: RunInfo, view: View) -> None:
    """Keep how a run was looked at, in place of what was kept before.

    Raises:
        CannotWrite: There is no room for it, or no place.
    """
    text = json.dumps(asdict(view), ensure_ascii=True)
    if len(text) > LARGEST:
        return  # more folds than anybody makes by hand
    folder = state_directory() / FOLDER
    path = folder / f"{identity(info)}.json"
    beside = folder / f"{path.name}.{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(beside, path)
        except OSError:
            os.unlink(beside)
            raise
        _prune(folder)
    except OSError as error:
        raise CannotWrite(f"how the run was looked at is not kept: {folder}: {error.strerror}") from error


def _prune(folder: Path) -> None:
    """Delete the oldest; one that another program deletes at this moment is gone as well."""
    with os.scandir(folder) as items:
        found = [(item.stat(follow_symlinks=False).st_mtime, item.path) for item in items]
    for _, path in sorted(found, reverse=True)[MOST:]:
        Path(path).unlink(missing_ok=True)
