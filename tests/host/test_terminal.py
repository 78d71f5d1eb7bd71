"""The terminal that the host gives the script, and the socket of those who watch it."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from graphlens.terminal import Output
from host_processes import RECORD, background, record_of, script, until


@contextmanager
def orders(run: Path) -> Iterator[socket.socket]:
    """The host's socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(record_of(run)["control"])
        yield client


def send(client: socket.socket, **order: object) -> None:
    client.sendall(json.dumps(order).encode() + b"\n")


def typed(client: socket.socket, keys: bytes) -> None:
    send(client, type=base64.b64encode(keys).decode())


def said(run: Path) -> bytes:
    return (run / "output.log").read_bytes()


def test_script_has_a_terminal_of_its_own(tmp_path: Path) -> None:
    """Progress bars, colours and pagers ask; its size is the one that was given."""
    path = script(
        tmp_path,
        """
import os, sys
print([os.isatty(k) for k in range(3)], os.get_terminal_size())
print(os.getsid(0) == os.getpid(), os.tcgetpgrp(0) == os.getpid())
print(open("/dev/tty", "w").isatty(), file=sys.stderr)
""",
    )
    with background(tmp_path / "run", str(path), options=("--size=33x111",)) as host:
        assert host.wait(60) == 0

    assert said(tmp_path / "run") == (
        b"[True, True, True] os.terminal_size(columns=111, lines=33)\r\nTrue True\r\nTrue\r\n"
    )
    record = record_of(tmp_path / "run")
    assert (record["pty"], record["control"], record["exit_code"]) == (True, None, 0)
    assert not Path(record["pages"]).exists()


def test_keys_reach_input(tmp_path: Path) -> None:
    path = script(tmp_path, "name = input('name? ')\nprint('hello', name)\nprint(input())\n")
    run = tmp_path / "run"
    with background(run, str(path)) as host, orders(run) as client:
        until(lambda: b"name? " in said(run))
        typed(client, b"you\n\xc3\xa9\n")
        assert host.wait(60) == 0

    assert said(run).endswith("hello you\r\né\r\n".encode())


def test_window_size_follows(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
import os, signal
# Not print: the signal may come while "ready" is still being printed.
signal.signal(signal.SIGWINCH, lambda number, frame: os.write(1, b"now %d %d\\n" % os.get_terminal_size()))
print("ready", flush=True)
input()
""",
    )
    run = tmp_path / "run"
    with background(run, str(path)) as host, orders(run) as client:
        until(lambda: b"ready" in said(run))
        send(client, resize=[20, 70])
        until(lambda: b"now 70 20" in said(run))
        typed(client, b"\n")
        assert host.wait(60) == 0


@pytest.mark.parametrize("how", ["key", "order"])
def test_interrupt_reaches_the_script_and_its_exit_code_is_kept(how: str, tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
import sys, time
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(9)
""",
    )
    run = tmp_path / "run"
    with background(run, str(path)) as host, orders(run) as client:
        until(lambda: b"ready" in said(run))
        typed(client, b"\x03") if how == "key" else send(client, signal=int(signal.SIGINT))

        assert host.wait(60) == 9


def test_kill_reaches_a_script_that_ignores_all_else_and_its_children(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("ready", child.pid, flush=True)
time.sleep(60)
""",
    )
    run = tmp_path / "run"
    with background(run, str(path)) as host, orders(run) as client:
        until(lambda: b"\n" in said(run))
        child = int(said(run).split()[1])
        send(client, signal=int(signal.SIGINT))
        send(client, signal=int(signal.SIGTERM))
        send(client, signal=int(signal.SIGKILL))
        assert host.wait(60) == -signal.SIGKILL

    assert record_of(run)["signal"] == signal.SIGKILL
    until(
        lambda: (
            not Path(f"/proc/{child}").exists() or Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"
        )
    )


def test_end_is_seen_although_a_grandchild_keeps_the_terminal(tmp_path: Path) -> None:
    """The end of the script is its exit, not the end of its output; nothing printed before is lost."""
    path = script(
        tmp_path,
        """
import os, signal, time
if os.fork() == 0:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    time.sleep(30)
print("x" * 200_000)
print("last words", flush=True)
""",
    )
    run = tmp_path / "run"
    with background(run, str(path)) as host:
        assert host.wait(20) == 0

    assert said(run).endswith(b"x\r\nlast words\r\n") and len(said(run)) > 200_000


def test_script_goes_on_when_nobody_watches(tmp_path: Path) -> None:
    path = script(tmp_path, "print('ready', flush=True)\nprint(input(), flush=True)\n")
    run = tmp_path / "run"
    with background(run, str(path)) as host:
        until(lambda: b"ready" in said(run))
        with orders(run) as client:
            typed(client, b"half a ")
        with orders(run) as client:
            client.sendall(b"this is no order\n")
            assert client.recv(10) == b""  # cut off
        with orders(run) as client:
            client.sendall(b'{"signal": 9999}\n')
            assert client.recv(10) == b""
        with orders(run) as client:
            typed(client, b"line\n")
            assert host.wait(60) == 0

    assert said(run).endswith(b"half a line\r\n")


def test_typing_ahead_of_a_script_that_does_not_read_is_bounded(tmp_path: Path) -> None:
    """The host neither waits for the script nor grows without end."""
    path = script(
        tmp_path, "import time\nprint('ready', flush=True)\ntime.sleep(1)\nprint('done', flush=True)\n"
    )
    run = tmp_path / "run"
    with background(run, str(path)) as host, orders(run) as client:
        until(lambda: b"ready" in said(run))
        for _ in range(40):
            typed(client, b"k" * 100_000)
        rss = int(Path(f"/proc/{host.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert host.wait(60) == 0

    assert rss < 64 << 20
    assert b"done" in said(run)


def test_socket_is_private(tmp_path: Path) -> None:
    path = script(tmp_path, "print('ready', flush=True)\ninput()\n")
    run = tmp_path / "run"
    with background(run, str(path)):
        socket_path = Path(record_of(run)["control"])

        assert socket_path.is_socket()
        assert socket_path.parent.stat().st_mode & 0o777 == 0o700
        assert len(str(socket_path)) < 108


def test_much_output_is_kept_at_both_ends(tmp_path: Path) -> None:
    """The first lines say what was started, the last ones how it ended."""
    log = Output(tmp_path / "output.log", half=1000)
    lines = [b"line %d\n" % k for k in range(5000)]
    for line in lines:
        log.write(line)
        assert (tmp_path / "output.log").stat().st_size < 3300
    log.close()
    kept = (tmp_path / "output.log").read_bytes()
    head, note, tail = kept.partition(b"\r\n[graphlens: ")
    left_out = int(tail.split(b" ", 1)[0])
    newest = tail.split(b"out here]\r\n", 1)[1]

    assert note and b"".join(lines).startswith(head) and b"".join(lines).endswith(newest)
    assert len(head) == 1000 and 900 < len(newest) <= 1000 and newest.startswith(b"line ")
    assert len(head) + left_out + len(newest) == len(b"".join(lines))


def test_little_output_is_kept_whole(tmp_path: Path) -> None:
    log = Output(tmp_path / "output.log", half=1000)
    log.write(b"x" * 2000)
    log.close()

    assert (tmp_path / "output.log").read_bytes() == b"x" * 2000


def test_hundred_megabytes_of_output_do_not_fill_the_memory(tmp_path: Path) -> None:
    path = script(
        tmp_path, "import os\nfor k in range(400): os.write(1, b'y' * 99_999 + b'\\n')\nprint('end')\n"
    )
    run = tmp_path / "run"
    with background(run, str(path)) as host:
        peak = 0
        while host.poll() is None:
            status = Path(f"/proc/{host.pid}/status")
            try:
                peak = max(peak, int(status.read_text().split("VmHWM:")[1].split()[0]))
            except (OSError, IndexError):
                break  # it has just ended
        assert host.wait(60) == 0

    assert 16 << 20 <= len(said(run)) < 17 << 20
    assert said(run).endswith(b"y\r\nend\r\n") and b"bytes of output left out here" in said(run)
    assert peak < 128 << 10  # KiB


def test_run_directory_of_the_host_failing_is_said_before_the_script_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [*RECORD, "--pty", "-o", str(tmp_path / "no" / "run"), __file__], capture_output=True, text=True
    )

    assert done.returncode == 125 and done.stdout == ""
    assert (
        done.stderr.startswith("graphlens: cannot make the run directory") and "[cannot-write]" in done.stderr
    )


def test_python_of_the_test_is_the_one_recorded(tmp_path: Path) -> None:
    path = script(tmp_path, "import sys; print(sys.executable)")
    with background(tmp_path / "run", str(path)) as host:
        host.wait(60)

    assert said(tmp_path / "run").decode().strip() == sys.executable
