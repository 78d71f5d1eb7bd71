"""The host on the user's own terminal: what it passes on, and what it leaves behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphlens import host, runs, tails
from graphlens_tracers.errors import CannotStart
from host_processes import HEEDED, RECORD, on_terminal, record_of, script, until

WAITS = """
import os, signal, sys, time
def told(number, frame):
    # Not print: the signal may come while "ready" is still being printed.
    os.write(1, b"told %s\\n" % signal.Signals(number).name.encode())
for number in {numbers}:
    signal.signal(number, told)
print("ready", flush=True)
for line in sys.stdin:
    print("read", line.strip(), flush=True)
"""


def heed() -> None:
    for number in HEEDED:
        signal.signal(number, signal.SIG_DFL)


def started(path: Path, run: Path, *options: str) -> subprocess.Popen[bytes]:
    """A recording on pipes whose script has said "ready"."""
    process = subprocess.Popen(
        [*RECORD, "-o", str(run), *options, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A job of ours: where no shell looks after the tests themselves, their own group cannot be
        # stopped by SIGTSTP, and a recording in it could not either.
        process_group=0,
        preexec_fn=heed,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1]
)
def test_signal_to_the_host_alone_reaches_the_script_once(number: signal.Signals, tmp_path: Path) -> None:
    """`kill`, `docker stop`, a job scheduler know the host's number only."""
    process = started(script(tmp_path, WAITS.format(numbers=[int(number)])), tmp_path / "run")
    assert process.stdin is not None
    process.send_signal(number)
    assert process.stdout is not None

    assert process.stdout.readline() == b"told %s\n" % number.name.encode()
    process.stdin.write(b"still here\n")
    process.stdin.close()
    assert process.stdout.read() == b"read still here\n"
    assert process.wait(60) == 0


def test_signal_that_ends_the_script_ends_the_host_the_same_way(tmp_path: Path) -> None:
    """A shell, or make, sees what killed it."""
    process = started(script(tmp_path, WAITS.format(numbers=[])), tmp_path / "run")
    process.terminate()

    assert process.wait(60) == -signal.SIGTERM
    assert record_of(tmp_path / "run")["signal"] == signal.SIGTERM
    assert record_of(tmp_path / "run")["exit_code"] is None


def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    """Under nohup a hangup ends neither the host nor the script."""
    path = script(tmp_path, "import signal; print([signal.getsignal(n) is signal.SIG_IGN for n in (1, 2)])")
    ignoring = [
        sys.executable,
        "-c",
        f"""
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv({RECORD[0]!r}, {[*RECORD, "-q", "-o", str(tmp_path / "run"), str(path)]!r})
""",
    ]
    assert subprocess.check_output(ignoring) == b"[True, True]\n"


def test_ctrl_c_at_the_terminal_interrupts_the_script_once(tmp_path: Path) -> None:
    """The terminal sends it to both; the host waits until the script has tidied up."""
    path = script(
        tmp_path,
        """
import time
caught, end = 0, time.monotonic() + 30
while time.monotonic() < end and not caught:
    try:
        print("ready", flush=True)
        time.sleep(30)
    except KeyboardInterrupt:
        caught += 1
try:
    time.sleep(0.5)
except KeyboardInterrupt:
    caught += 1
print("caught in all", caught)
raise SystemExit(6)
""",
    )
    with on_terminal([*RECORD, "-o", str(tmp_path / "run"), str(path)]) as terminal:
        terminal.expect(b"ready")
        terminal.type(b"\x03")
        assert terminal.wait() == 6

    assert b"caught in all 1\r\n" in terminal.said
    assert record_of(tmp_path / "run")["exit_code"] == 6


def test_uncaught_ctrl_c_ends_both_by_the_signal(tmp_path: Path) -> None:
    path = script(tmp_path, "import time\nprint('ready', flush=True)\ntime.sleep(30)\n")
    with on_terminal([*RECORD, "-o", str(tmp_path / "run"), str(path)]) as terminal:
        terminal.expect(b"ready")
        terminal.type(b"\x03")

        assert terminal.wait() == -signal.SIGINT
    assert terminal.said.count(b"KeyboardInterrupt") == 1


def state(pid: int) -> str:
    """One letter, as ps prints it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_script_that_stops_itself_stops_the_host_and_both_go_on(tmp_path: Path) -> None:
    """As a job of a shell: stopped, then brought back to the foreground."""
    path = script(
        tmp_path,
        """
import os, signal
print("ready", flush=True)
os.kill(os.getpid(), signal.SIGTSTP)
print("went on", flush=True)
""",
    )
    process = started(path, tmp_path / "run")
    assert process.stdout is not None
    until(lambda: state(process.pid) == "T")
    assert state(record_of(tmp_path / "run")["pid"]) == "T"
    process.send_signal(signal.SIGCONT)

    assert process.stdout.read() == b"went on\n"
    assert process.wait(60) == 0


def test_descriptors_and_limits_are_inherited(tmp_path: Path) -> None:
    """`57>log`, `<(…)`, ulimit: the script gets what we were given."""
    path = script(
        tmp_path,
        "import os, resource\nos.write(57, b'five')\nprint(resource.getrlimit(resource.RLIMIT_CORE))",
    )
    inside, outside = os.pipe()
    os.dup2(outside, 57, inheritable=True)  # a low number may be the test runner's
    try:
        said = subprocess.check_output(
            [*RECORD, "-q", "-o", str(tmp_path / "run"), str(path)],
            pass_fds=(57,),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
        )
        assert os.read(inside, 10) == b"five"
    finally:
        for fd in (57, inside, outside):
            os.close(fd)

    assert said == b"(0, 0)\n"


def test_segfault_is_passed_on_without_a_second_core(tmp_path: Path) -> None:
    path = script(tmp_path, "import ctypes\nctypes.string_at(0)\n")
    done = subprocess.run(
        [*RECORD, "-o", str(tmp_path / "run"), str(path)], cwd=tmp_path, capture_output=True
    )

    assert done.returncode == -signal.SIGSEGV
    assert record_of(tmp_path / "run")["signal"] == signal.SIGSEGV


def test_run_json_says_what_was_started(tmp_path: Path) -> None:
    path = script(tmp_path, "import sys; sys.exit(3)")
    before = time.time()
    subprocess.run([*RECORD, "-q", "-o", str(tmp_path / "run"), str(path), "--lr", "0.1"], cwd=tmp_path)
    record = record_of(tmp_path / "run")

    assert record["argv"] == [str(path), "--lr", "0.1"]
    assert (record["state"], record["exit_code"], record["signal"]) == ("finished", 3, None)
    assert record["cwd"] == str(tmp_path) and record["script"] == str(path)
    assert before <= record["started"] <= record["ended"] <= time.time()
    assert not Path(record["pages"]).exists()
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "run" / "run.json").stat().st_mode & 0o777 == 0o600


def test_host_killed_leaves_the_script_running_and_the_run_lost(tmp_path: Path) -> None:
    """Nothing of the script depends on the host; what it left is taken in later."""
    path = script(
        tmp_path, "import sys\nprint('ready', flush=True)\nsys.stdin.read()\nprint('ended', flush=True)\n"
    )
    process = started(path, tmp_path / "run")
    assert process.stdin is not None
    assert process.stdout is not None
    process.kill()
    process.wait()
    pid = record_of(tmp_path / "run")["pid"]
    os.kill(pid, 0)
    process.stdin.close()

    assert process.stdout.read() == b"ended\n"
    assert record_of(tmp_path / "run")["state"] == "running"
    until(lambda: runs.entry(tmp_path / "run").state == "lost")
    tails.settle(runs.entry(tmp_path / "run"))
    assert not Path(record_of(tmp_path / "run")["pages"]).exists()


def test_pages_lie_where_only_this_user_can_look(tmp_path: Path) -> None:
    made = host.pages_directory({"XDG_RUNTIME_DIR": str(tmp_path)})

    assert made.parent == tmp_path
    assert made.stat().st_mode & 0o777 == 0o700


def test_pages_go_elsewhere_when_the_runtime_directory_is_unusable(tmp_path: Path) -> None:
    made = host.pages_directory({"XDG_RUNTIME_DIR": str(tmp_path / "missing")})
    made.rmdir()

    assert made.parent != tmp_path / "missing"


@pytest.mark.parametrize(
    ("word", "why"),
    [("missing.py", "No such file"), ("empty", "directory without a __main__.py"), ("nul\0.py", "null")],
)
def test_script_that_cannot_be_read_is_named(
    word: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()

    with pytest.raises(CannotStart, match=why):
        host.checked(host.Launch((word,)))


def test_interpreter_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = script(tmp_path, "")

    with pytest.raises(CannotStart, match="no such interpreter"):
        host.checked(host.Launch((str(path),), python="python-of-another-world"))
