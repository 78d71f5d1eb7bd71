"""What a debugger and a traced process say to each other, and how: both sides share this file.

A message is two lengths, a JSON object, and bytes. The traced thread connects when it stops, says
where it is, answers what it is asked, and hangs up when it may go on: while the script runs, it
holds no socket. No code travels but what a person typed to be evaluated.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SOCKET = "debug"
"""What the debugger's socket is called, among the pages."""
GONE = "debug-gone"
"""Is there once a debugger has left: nobody waits for it any more."""
LENGTHS = struct.Struct("<II")
LONGEST = 4 << 20
"""Bytes of one JSON object."""
LARGEST = 64 << 20
"""Bytes of a tensor that are sent at once."""


class Way(StrEnum):
    """How a stopped thread goes on: until where."""

    CONTINUE = "continue"
    STEP = "step"  # the next operation
    OVER = "over"  # the next one that is not in a module or function that this level calls
    OUT = "out"  # the first one after this module call, or function
    LINE = "line"  # the first one of another line of the user's source
    PHASE = "phase"
    TRAINING_STEP = "training-step"
    NON_FINITE = "non-finite"  # right after the operation that makes a NaN or infinity of finite inputs
    AFTER = "after"  # right after this operation
    AT = "at"  # the operation of a number


@dataclass
class Breakpoint:
    """Where, and when, to stop.

    Attributes:
        number: What a person calls it.
        kind: What `pattern` is compared with: "op" (operation), "module", "name" (either of them),
            "line" (file, with `line`), "phase", "graph", "step" (training step, in `line`), "at" (an
            operation's number, in `line`), "any" (every operation: its condition decides).
        condition: A Python expression over the operation's facts; "" for none.
        ignore: How many hits to pass by first.
        temporary: Gone after the first stop.
        hits: How often it was met, its condition being true.
    """

    number: int
    kind: str
    pattern: str = ""
    line: int = 0
    condition: str = ""
    ignore: int = 0
    temporary: bool = False
    enabled: bool = True
    hits: int = 0

    def __str__(self) -> str:
        where = {
            "line": f"{self.pattern}:{self.line}", "step": f"step {self.line}", "at": f"op {self.line}",
            "any": "any operation", "phase": f"phase {self.pattern}", "graph": f"graph {self.pattern}",
            "op": f"op {self.pattern}", "module": f"module {self.pattern}",
        }.get(self.kind, self.pattern)  # fmt: skip
        return where + (f" if {self.condition}" if self.condition else "")


PHASES = ("data", "forward", "backward", "optimizer", "other")
_LINE = re.compile(r"(?:line:)?(?P<file>[^:]+):(?P<line>[0-9]{1,9})")
_NUMBER = re.compile(r"(?P<kind>#|op |step:|step )(?P<line>[0-9]{1,15})")
_WATCHES = {
    "nan": "nan(out)", "inf": "inf(out)", "non-finite": "nan(out) or inf(out)",
}  # fmt: skip


def breakpoint_of(words: str, number: int, **more: Any) -> Breakpoint:
    """What a person means by a place: `log`, `aten.log*`, `layers.*.attn`, `train.py:53`, `#84`, `backward`.

    A condition may follow: `log if absmax(out) > 1e4`. `op:`, `module:`, `phase:`, `graph:`, `step:`
    before it say what it is.

    Raises:
        ValueError: It means nothing.
    """
    where, _, condition = words.strip().partition(" if ")
    where, condition = where.strip(), condition.strip()
    if words.strip().startswith("if "):
        where, condition = "", words.strip()[3:].strip()
    if condition:
        try:
            compile(condition, "<condition>", "eval")
        except (SyntaxError, ValueError) as error:
            raise ValueError(f"the condition {condition!r} is no expression: {error}") from error
    if not where:
        if not condition:
            raise ValueError("say where: an operation, a module, FILE:LINE, #NUMBER, or a phase")
        return Breakpoint(number, "any", condition=condition, **more)
    if match := _NUMBER.fullmatch(where):
        kind = "step" if match["kind"].startswith("step") else "at"
        return Breakpoint(number, kind, line=int(match["line"]), condition=condition, **more)
    kind, _, pattern = where.partition(":")
    if kind in ("op", "module", "phase", "graph") and pattern:
        if kind == "phase" and pattern not in PHASES:
            raise ValueError(f"{pattern!r} is none of the phases {', '.join(PHASES)}")
        return Breakpoint(number, kind, pattern, condition=condition, **more)
    if match := _LINE.fullmatch(where):
        return Breakpoint(number, "line", match["file"], int(match["line"]), condition, **more)
    return Breakpoint(number, "phase" if where in PHASES else "name", where, condition=condition, **more)


def words_of(one: Breakpoint) -> str:
    """What `breakpoint_of` makes this breakpoint of."""
    where = {
        "line": f"{one.pattern}:{one.line}", "step": f"step:{one.line}", "at": f"#{one.line}", "any": "",
        "name": one.pattern,
    }.get(one.kind, f"{one.kind}:{one.pattern}")  # fmt: skip
    return (where + (f" if {one.condition}" if one.condition else "")).strip()


def watch_of(rule: str, number: int, **more: Any) -> Breakpoint:
    """Stop after what makes a rule true: `nan`, `inf`, `non-finite`, `absmax>1e4`, or an expression.

    Raises:
        ValueError: It is no expression.
    """
    rule = rule.strip()
    match = re.fullmatch(r"(absmax|amin|amax|min|max|norm)\s*([<>]=?)\s*(\S+)", rule)
    condition = f"{match[1]}(out) {match[2]} {match[3]}" if match else _WATCHES.get(rule, rule)
    return breakpoint_of(f"if {condition}", number, **more)


def send(connection: socket.socket, message: Mapping[str, Any], data: bytes | memoryview = b"") -> None:
    """Send one message.

    Raises:
        OSError: Nobody takes it.
    """
    words = json.dumps(message, separators=(",", ":")).encode()
    connection.sendall(LENGTHS.pack(len(words), len(data)) + words)
    if len(data):
        connection.sendall(data)


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes]:
    """The next message.

    Raises:
        OSError, EOFError: The other one has gone.
        ValueError: It is none.
    """
    words, data = LENGTHS.unpack(_exactly(connection, LENGTHS.size))
    if words > LONGEST or data > LARGEST:
        raise ValueError(f"a message of {words} and {data} bytes is too long")
    message = json.loads(_exactly(connection, words))
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message, _exactly(connection, data)


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        part = connection.recv(min(size - len(found), 1 << 20))
        if not part:
            raise EOFError("the other side has gone")
        found += part
    return bytes(found)


def is_mine(connection: socket.socket) -> bool:
    """Whether a process of this user is at the other end."""
    peer = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(peer[1] == os.geteuid())


def connect(pages: str) -> socket.socket:
    """The debugger of this user that listens among the pages.

    Raises:
        OSError: There is none.
    """
    path = os.path.join(pages, SOCKET)
    found, around = os.lstat(path), os.lstat(pages)
    if not (found.st_uid == around.st_uid == os.geteuid() and stat.S_ISSOCK(found.st_mode)):
        raise PermissionError(f"{path} is not a socket of yours")
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
        if not is_mine(connection):
            raise PermissionError(f"{path} belongs to somebody else")
    except BaseException:
        connection.close()
        raise
    return connection
