"""What reaches a traced process through the debugger's socket: bounded, of this user, and no code."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphlens_tracers import control


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    left, right = socket.socketpair()
    with left, right:
        yield left, right


@pytest.mark.parametrize(
    ("words", "data"),
    [(control.LONGEST + 1, 0), (0xFFFFFFFF, 0), (2, control.LARGEST + 1), (0xFFFFFFFF, 0xFFFFFFFF)],
)
def test_too_long_a_message_is_refused_before_it_is_read(
    words: int, data: int, pair: tuple[socket.socket, socket.socket]
) -> None:
    """Nobody makes us reserve memory by eight bytes."""
    pair[0].sendall(control.LENGTHS.pack(words, data))
    with pytest.raises(ValueError, match="too long"):
        control.receive(pair[1])


@pytest.mark.parametrize("words", [b"", b"[]", b"3", b"null", b"{", b"\xff\xfe", b'"x"'])
def test_what_is_no_object_is_refused(words: bytes, pair: tuple[socket.socket, socket.socket]) -> None:
    """A message is a JSON object."""
    pair[0].sendall(control.LENGTHS.pack(len(words), 0) + words)
    with pytest.raises(ValueError):
        control.receive(pair[1])


def test_half_a_message_is_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    """The other side has gone in the middle of it."""
    pair[0].sendall(control.LENGTHS.pack(100, 0) + b"{")
    pair[0].close()
    with pytest.raises(EOFError):
        control.receive(pair[1])


def test_a_file_in_the_place_of_the_socket_is_refused(tmp_path: Path) -> None:
    """Only a socket of this user's is connected to."""
    (tmp_path / control.SOCKET).write_text("")
    with pytest.raises(PermissionError, match="not a socket of yours"):
        control.connect(str(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a moment")
def test_another_user_is_refused(tmp_path: Path) -> None:
    """The kernel says who is at the other end."""
    path = str(tmp_path / control.SOCKET)
    found: list[bool] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        for directory in (tmp_path, *tmp_path.parents):
            if directory.is_relative_to("/tmp") and directory != Path("/tmp"):
                directory.chmod(0o755)
        os.chmod(path, 0o777)
        server.listen()

        def accept() -> None:
            connection, _ = server.accept()
            with connection:
                found.append(control.is_mine(connection))

        taker = threading.Thread(target=accept)
        taker.start()
        pid = os.fork()
        if not pid:
            os.setuid(65534)
            with socket.socket(socket.AF_UNIX) as client:
                os._exit(client.connect_ex(path))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        taker.join(60)

    assert found == [False]
