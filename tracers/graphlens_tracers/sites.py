"""Stacks to interned sites, and which frames are the user's.

A frame is identified by `(code object, f_lasti)`: cheap, and exact to the column through
`co_positions()`. Codes are kept alive so that their ids cannot be reused.
"""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any

from graphlens_tracers.events import Event, SiteId, SiteSeen, SourceSeen

Place = tuple[CodeType, int]
"""A frame's code and the offset of the instruction it is at."""

Line = tuple[str, int, str]
"""A frame of which no more is known: file, line, function."""

Position = tuple[int | None, int | None, int | None, int | None]
"""Line, end line, column, end column."""
_NOWHERE: Position = (None, None, None, None)

DEEPEST = 200
"""Frames looked at, innermost first; deeper recursion is cut."""
_HANDLERS = ("__torch_dispatch__", "__torch_function__")
"""What a framework calls in the middle of its own work."""
LARGEST_SOURCE = 1 << 20
"""Larger files are not kept."""


beside: set[str] = set()
"""Files of ours that are not here, and call what is recorded."""


class Stacks:
    """Tells the user's frames from the framework's, Python's and ours."""

    def __init__(self, framework: list[str]) -> None:
        """`framework`: directories whose code is not the user's."""
        stdlib = sysconfig.get_paths()["stdlib"]
        ours = os.path.dirname(os.path.abspath(__file__))
        self._theirs = tuple(os.path.join(os.path.abspath(path), "") for path in [*framework, ours])
        self._ours = os.path.join(ours, "")
        self._stdlib = os.path.join(stdlib, "")
        self._packages = tuple(os.path.join(stdlib, name, "") for name in ("site-packages", "dist-packages"))
        self._known: dict[int, bool] = {}
        self._codes: list[CodeType] = []

    def is_user(self, code: CodeType) -> bool:
        """Whether this code is the user's: a script, a model library, anything but framework and Python."""
        known = self._known.get(id(code))
        if known is None:
            known = self._known[id(code)] = self.is_users_file(code.co_filename)
            self._codes.append(code)
        return known

    def is_users_file(self, name: str) -> bool:
        """The same of all code in a file."""
        return not (
            name.startswith(self._theirs)
            or name in beside
            or name.startswith("<frozen ")
            or (name.startswith(self._stdlib) and not name.startswith(self._packages))
        )

    def is_ours(self, code: CodeType) -> bool:
        """Whether this code is the tracer's own."""
        return code.co_filename.startswith(self._ours)

    def user(self, frame: FrameType | None) -> tuple[list[Place], int, list[str]]:
        """The user's frames from `frame` outwards.

        Returns:
            The places, innermost first; how many frames lie before the first of them; and the
            files of those, innermost first. A mode of the user's own hides none of the files behind it.
        """
        places: list[Place] = []
        inner: list[str] = []
        depth = 0
        before, open_end = None, True
        while frame is not None and depth < DEEPEST:
            code = frame.f_code
            if self.is_user(code):
                if before is None:
                    before = len(inner)
                places.append((code, frame.f_lasti))
                open_end = open_end and code.co_name in _HANDLERS
            elif open_end:
                inner.append(code.co_filename)
            frame = frame.f_back
            depth += 1
        return places, len(inner) if before is None else before, inner


def codes_of(function: Any) -> set[CodeType]:
    """The code of a function, and of those that it wraps."""
    codes: set[CodeType] = set()
    while function is not None:
        code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
        if code is not None:
            codes.add(code)
        function = getattr(function, "__wrapped__", None) or getattr(function, "func", None)
    return codes


def loading(frame: FrameType | None, loader: str, fetching: str) -> tuple[bool, bool]:
    """Whether a frame outwards is in the file that ends with `loader`, and in one with `fetching`."""
    fetches = False
    while frame is not None:
        file = frame.f_code.co_filename
        if file.endswith(loader):
            return True, fetches
        fetches = fetches or file.endswith(fetching)
        frame = frame.f_back
    return False, False


class Sites:
    """Declares each place in the user's source once."""

    def __init__(self, declare: Callable[[Event], None], run: str) -> None:
        self._declare = declare
        self._sources = os.path.join(run, "sources")
        self._ids: dict[tuple[SiteId | None, int, int], SiteId] = {}
        self._codes: dict[
            int, tuple[CodeType, list[tuple[int | None, int | None, int | None, int | None]]]
        ] = {}
        self._lines: dict[tuple[SiteId | None, Line], SiteId] = {}
        self._count = 0
        self._files: set[str] = set()
        self._directory = os.getcwd()

    def site(self, places: list[Place]) -> SiteId | None:
        """The site of a stack, innermost place first; None for an empty one."""
        found: SiteId | None = None
        for code, lasti in reversed(places):
            key = (found, id(code), lasti)
            known = self._ids.get(key)
            if known is None:
                known = self._ids[key] = self._new()
                self._declare(self._seen(known, found, code, lasti))
            found = known
        return found

    def site_of_lines(self, lines: Sequence[Line]) -> SiteId | None:
        """The site of a stack of which only lines are known, innermost first; None for an empty one."""
        found: SiteId | None = None
        for line in reversed(lines):
            known = self._lines.get((found, line))
            if known is None:
                known = self._lines[found, line] = self._new()
                name, number, function = line
                file = self._path(name)
                self._keep(file)
                self._declare(SiteSeen(known, found, file, number, -1, -1, -1, function))
            found = known
        return found

    def _new(self) -> SiteId:
        self._count += 1
        return SiteId(self._count - 1)

    def _seen(self, site: SiteId, outer: SiteId | None, code: CodeType, lasti: int) -> SiteSeen:
        line, end_line, column, end = self._position(code, lasti)
        file = self._path(code.co_filename)
        self._keep(file)
        return SiteSeen(
            site,
            outer,
            file,
            line if line is not None else code.co_firstlineno,
            -1 if column is None else column,
            end_line if end_line is not None else -1,
            -1 if end is None else end,
            code.co_qualname,
        )

    def line(self, place: Place) -> int:
        """The line of a place in its file, counted from 1."""
        return self._position(*place)[0] or place[0].co_firstlineno

    def _position(self, code: CodeType, lasti: int) -> Position:
        known = self._codes.get(id(code))
        if known is None:
            known = self._codes[id(code)] = (code, list(code.co_positions()))
        positions = known[1]
        return positions[lasti // 2] if 0 <= lasti // 2 < len(positions) else _NOWHERE

    def _path(self, name: str) -> str:
        if name.startswith("<") or os.path.isabs(name):
            return name
        return os.path.normpath(os.path.join(self._directory, name))

    def _keep(self, file: str) -> None:
        """Copy the file into the run, so that lines stay right after an edit."""
        if file in self._files:
            return
        self._files.add(file)
        try:
            text = _cell(file)
            if not text:
                with open(file, "rb") as source:
                    text = source.read(LARGEST_SOURCE + 1)
            if len(text) > LARGEST_SOURCE:
                return
            digest = hashlib.sha256(text).hexdigest()
            os.makedirs(self._sources, mode=0o700, exist_ok=True)
            kept = os.path.join(self._sources, digest)
            if not os.path.exists(kept):
                fd = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                with open(fd, "wb") as copy:
                    copy.write(text)
        except (OSError, MemoryError):
            return  # generated code has no file, a deleted script neither: the site still has its line
        self._declare(SourceSeen(file, digest))


def _cell(file: str) -> bytes:
    """The text of a cell of a notebook, which has no file; IPython puts it where tracebacks find it."""
    known: Any = getattr(sys.modules.get("linecache"), "cache", {}).get(file)
    # Entries of files have the time at which those changed.
    if not isinstance(known, tuple) or len(known) != 4 or known[1] is not None:
        return b""
    return "".join(known[2]).encode("utf-8", "surrogatepass")


def caller(depth: int) -> FrameType | None:
    """The frame `depth` calls above the caller of this; None when the stack is not so deep."""
    try:
        return sys._getframe(depth + 1)
    except ValueError:
        return None
