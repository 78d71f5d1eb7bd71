"""Sessions: a saved run tells everything once; a live one is followed until it has ended."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from factories import LogWriter, OpRow, PageWriter, new_run, ran, run_json, seen, small_run
from graphlens.live import Live
from graphlens.session import Delta, RunState, Saved
from graphlens_tracers.errors import NotLive
from graphlens_tracers.wire import Kind

HERE = os.uname().nodename


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def running(path: Path, **more: object) -> LogWriter:
    """A run that this process pretends to record."""
    info = {"state": "running", "host": HERE, "pid": os.getpid(), "ended": None, "exit_code": None, **more}
    return new_run(path, **info).declare(*seen(ran(0)))


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[Live, LogWriter]]:
    """A session on a run of this process."""
    log = running(tmp_path / "run.glens")
    session = Live(log.directory)
    yield session, log
    session.close()


def test_a_saved_run_tells_everything_at_once(tmp_path: Path) -> None:
    """One big batch for each process."""
    log = small_run(tmp_path / "run.glens", ran(0), ran(1, inputs=[0]))
    session = Saved(log.directory)
    told: list[Delta] = []
    session.watch(told.append)()
    session.close()

    assert told == [Delta(session.run.main.id, (session.run.main.graphs()[0].graph,), told[0].rows)]
    assert told[0].rows == (0, 4)
    assert session.state is RunState.FINISHED


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"state": "finished"}, RunState.FINISHED),
        ({"state": "running", "host": HERE, "pid": os.getpid()}, RunState.RUNNING),
        ({"state": "running", "host": HERE, "pid": 2**22 + 5}, RunState.LOST),
        ({"state": "running", "host": "another", "pid": 1}, RunState.LOST),
    ],
)
def test_a_run_stands_where_its_processes_do(
    tmp_path: Path, more: dict[str, object], state: RunState
) -> None:
    """What run.json says last may be long over."""
    new_run(tmp_path / "run.glens", **more)

    assert Saved(tmp_path / "run.glens").state is state


def test_a_live_run_tells_what_is_there_and_then_what_comes(live: tuple[Live, LogWriter]) -> None:
    """In order, and every op once."""
    session, log = live
    log.ran(0, 0)
    told: list[Delta] = []
    session.watch(told.append)
    until(lambda: told and told[-1].rows[1] == 2)
    log.ran(0)
    until(lambda: told[-1].rows[1] == 3)
    late: list[Delta] = []
    session.watch(late.append)
    until(lambda: late)

    assert [delta.rows[0] for delta in told] == [0, *(delta.rows[1] for delta in told[:-1])]
    assert late[0].rows == (0, 3)
    assert session.state is RunState.RUNNING
    assert session.ended() is None


def test_who_has_left_is_told_no_more(live: tuple[Live, LogWriter]) -> None:
    """A pane that is closed."""
    session, log = live
    gone: list[Delta] = []
    here: list[Delta] = []
    stop = session.watch(gone.append)
    session.watch(here.append)
    until(lambda: gone and here)
    stop()
    stop()
    count = len(gone)
    log.ran(0)
    until(lambda: here[-1].rows[1] == 1)

    assert len(gone) == count


def test_the_end_is_noticed_with_all_that_was_written_before(live: tuple[Live, LogWriter]) -> None:
    """The last rows and the end may come together."""
    session, log = live
    told: list[Delta] = []
    session.watch(told.append)
    log.ran(0).finish()
    run_json(log.directory, state="finished", exit_code=3)
    until(lambda: session.state is RunState.FINISHED)
    session.close()

    assert session.run.main.op_count == 1
    assert session.run.main.finished
    assert session.ended() == (3, None)
    assert told[-1].rows[1] == 1


def test_one_who_comes_after_the_end_is_told_too(live: tuple[Live, LogWriter]) -> None:
    """At once: nobody follows any more."""
    session, log = live
    log.ran(0)
    run_json(log.directory, state="finished", exit_code=None, signal=9)
    until(lambda: session.state is RunState.FINISHED)
    session.close()
    told: list[Delta] = []
    session.watch(told.append)

    assert [delta.rows for delta in told] == [(0, 1)]
    assert session.ended() == (None, 9)


def test_a_run_whose_processes_are_gone_is_lost(tmp_path: Path) -> None:
    """The host was killed with the script: nobody will say how it ended."""
    script = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    log = running(tmp_path / "run.glens", pid=script.pid, host_pid=script.pid)
    log.seq = 0
    session = Live(log.directory)
    before = session.state
    told: list[Delta] = []
    session.watch(told.append)
    until(lambda: told)
    PageWriter(log, rows=[OpRow(0, [(1, 2)])], running=(1, 0, "")).write(log.directory / "pages")
    script.kill()
    script.wait()
    until(lambda: session.state is RunState.LOST)
    session.close()
    now = session.run.main.running()

    assert before is RunState.RUNNING
    assert session.run.main.op_count == 1
    assert now is not None
    assert now.seq == 1
    with pytest.raises(NotLive):
        session.interrupt()


def test_a_page_is_seen_before_it_is_full(live: tuple[Live, LogWriter]) -> None:
    """While the script sleeps, its last op is on the screen."""
    session, log = live
    page = PageWriter(log, rows=[OpRow(0, [(1, 2)])], running=(1, 0, ""))
    page.write(log.directory / "pages")
    until(lambda: session.run.main.op_count == 1)
    page.running = None
    page.rows.append(OpRow(0, [(1, 2)], 64))
    page.write(log.directory / "pages")
    until(lambda: session.run.main.op_count == 2)

    assert session.run.main.running() is None


def test_what_cannot_be_read_ends_the_session_and_says_why(live: tuple[Live, LogWriter]) -> None:
    """A thread that dies silently would leave a screen that lies."""
    session, log = live
    log.put(Kind.FACTS, b'[["Nonsense",{}]]')
    until(lambda: session.trouble is not None)

    assert "Nonsense" in str(session.trouble)
    assert session.state is RunState.LOST


def test_following_an_idle_run_costs_next_to_nothing(live: tuple[Live, LogWriter]) -> None:
    """The script needs the processor, not we."""
    session, _ = live
    until(lambda: session.run.processes())
    time.sleep(0.3)
    began = time.process_time()
    time.sleep(1.0)

    assert time.process_time() - began < 0.1


def test_views_may_ask_while_it_is_read(live: tuple[Live, LogWriter]) -> None:
    """A screen is drawn on one thread, and the log is read on another."""
    session, log = live
    stop = threading.Event()
    wrong: list[str] = []

    def ask() -> None:
        while not stop.is_set():
            process = session.run.main
            count = process.end
            rows = process.rows(max(0, count - 50), count)
            if rows.seq.tolist() != list(range(max(0, count - 50), count)):
                wrong.append(str(rows.seq))
            process.graph(process.graphs()[0].graph).check()

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(60):
        log.ran(*[0] * 20)
        time.sleep(0.005)
    until(lambda: session.run.main.op_count == 1200)
    stop.set()
    asking.join()

    assert not wrong


# ── orders ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def private() -> Iterator[Path]:
    """A directory whose path is short enough for a socket, and that nobody else can enter."""
    path = Path(tempfile.mkdtemp(prefix="glt-"))
    yield path
    shutil.rmtree(path)


def test_orders_reach_the_host(tmp_path: Path, private: Path) -> None:
    """One JSON object a line, in order."""
    with socket.socket(socket.AF_UNIX) as host:
        host.bind(str(private / "control"))
        host.listen()
        log = running(tmp_path / "run.glens", control=str(private / "control"))
        session = Live(log.directory)
        session.type(b"yes\n")
        session.resize(24, 80)
        session.interrupt()
        session.terminate()
        session.kill()
        client, _ = host.accept()
        session.close()
        with client, client.makefile() as lines:
            orders = [json.loads(line) for line in lines]

    assert base64.b64decode(orders[0]["type"]) == b"yes\n"
    assert orders[1:] == [{"resize": [24, 80]}, {"signal": 2}, {"signal": 15}, {"signal": 9}]


def test_a_host_that_has_gone_is_said_to_be(tmp_path: Path, private: Path) -> None:
    """And one that never listened."""
    log = running(tmp_path / "run.glens", control=str(private / "control"))
    session = Live(log.directory)
    with pytest.raises(NotLive, match="does not answer"):
        session.type(b"x")
    session.close()
    other = running(tmp_path / "other.glens")
    session = Live(other.directory)
    with pytest.raises(NotLive, match="graphlens run"):
        session.type(b"x")
    session.close()


def test_an_order_goes_to_no_file_that_a_run_names(tmp_path: Path, private: Path) -> None:
    """A run that somebody sent could name any path."""
    (private / "file").write_text("mine")
    log = running(tmp_path / "run.glens", control=str(private / "file"))
    session = Live(log.directory)
    with pytest.raises(NotLive, match="not a socket of yours"):
        session.type(b"x")
    private.chmod(0o777)
    with socket.socket(socket.AF_UNIX) as host:
        host.bind(str(private / "control"))
        run_json(
            log.directory,
            **{**json.loads((log.directory / "run.json").read_text()), "control": str(private / "control")},
        )
        until(lambda: session.run.info.control == str(private / "control"))
        with pytest.raises(NotLive, match="not a socket of yours"):
            session.type(b"x")
    session.close()

    assert (private / "file").read_text() == "mine"
