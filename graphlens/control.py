"""Orders to the host of a run that still goes: one JSON object a line, through a private socket."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import threading
from collections.abc import Mapping

from graphlens.decode import RunInfo
from graphlens.text import clean
from graphlens_tracers.errors import NotLive

PATIENCE = 2.0
"""Seconds that the host may take to accept an order."""


class Control:
    """The host's socket. It is connected at the first order, and again when the host hung up.

    What a run says of itself is not trusted: only a socket of this user's, in a directory that
    nobody else can write, is spoken to.
    """

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def send(self, order: Mapping[str, object], info: RunInfo) -> None:
        """Hand one order to the host of a run.

        Raises:
            NotLive: Nobody listens.
        """
        line = json.dumps(order, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            if self._socket is not None:
                try:
                    self._socket.sendall(line)
                    return
                except OSError:
                    self._drop()  # it hung up: try once more
            try:
                self._socket = self._connect(info)
                self._socket.sendall(line)
            except OSError as error:
                self._drop()
                raise NotLive(f"the host of {clean(info.name)} does not answer: {error.strerror}") from error

    def _connect(self, info: RunInfo) -> socket.socket:
        path = info.control
        if path is None:
            raise NotLive(f"{clean(info.name)} has no terminal of ours; only `graphlens run` gives it one")
        found, around = os.lstat(path), os.lstat(os.path.dirname(path))
        mine = found.st_uid == around.st_uid == os.geteuid()
        if not (mine and stat.S_ISSOCK(found.st_mode)) or around.st_mode & 0o022:
            raise NotLive(f"{clean(path)} is not a socket of yours")
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            client.settimeout(PATIENCE)
            client.connect(path)
            peer = struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            if peer[1] != os.geteuid():
                raise NotLive(f"{clean(path)} belongs to somebody else")
        except BaseException:
            client.close()
            raise
        return client

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._drop()
