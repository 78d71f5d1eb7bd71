"""Starts the script, waits for it, and notes how it ended.

The script is run by Python itself, as `python [-m] SCRIPT ARGS`, and keeps what it would have had
without us: descriptors, process group, signals, exit status. Here it keeps its terminal too;
`graphlens.terminal` is the host that gives it one of its own.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import graphlens
from graphlens import runs, tails
from graphlens_tracers import discover
from graphlens_tracers.api import HOLD
from graphlens_tracers.errors import CannotStart

FORMAT = 1
"""Of run.json."""

_BOOTSTRAP = Path(discover.__file__).parent / "bootstrap"

_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_SI_KERNEL = 0x80
"""siginfo's si_code of a signal that the terminal sent: to the script as well, which is in our group."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start, and what to look at.

    Attributes:
        words: SCRIPT (or MODULE) and its arguments.
        module: The first word is a module, as after `python -m`.
        python: The interpreter, as a path.
        steps: "A:B" as typed; empty for all.
        framework: A tracer's name, or "auto".
        compiled: Compiled regions stay compiled, and are not looked into.
        keep: Whose elements are kept, as typed.
        hold: Stop it at its first operation; a debugger has to come.
    """

    words: tuple[str, ...]
    module: bool = False
    python: str = sys.executable
    level: str = "health"
    steps: str = ""
    framework: str = "auto"
    compiled: bool = False
    keep: str = "bad"
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended: by itself with an exit code, or by a signal."""

    code: int | None = None
    signal: int | None = None

    @classmethod
    def of(cls, status: int) -> Ended:
        """From what waitpid() returned."""
        if os.WIFSIGNALED(status):
            return cls(signal=os.WTERMSIG(status))
        return cls(code=os.WEXITSTATUS(status))


# ── before ───────────────────────────────────────────────────────────────────────────────────


def checked(launch: Launch) -> Launch:
    """The launch with the interpreter found, and everything looked at that we can look at.

    Modules, and scripts that do not compile, are left to Python and its own messages.

    Raises:
        CannotStart: The script or the interpreter is not there, or can't be read or run.
        UnknownName: No tracer is called like the framework.
    """
    discover.chosen(launch.framework)
    python = shutil.which(launch.python)
    if python is None:
        raise CannotStart(f"cannot run {launch.python!r}: no such interpreter; see --python")
    script = launch.words[0]
    if not launch.module and script != "-":
        _check_script(script)
    return replace(launch, python=python)


def _check_script(script: str) -> None:
    try:
        mode = os.stat(script).st_mode
        if stat.S_ISREG(mode):  # a pipe, as in `python <(...)`, can be opened only once
            with open(script, "rb"):
                return
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotStart(f"cannot read the script {script!r} in {os.getcwd()}: {reason}") from error
    if stat.S_ISDIR(mode) and not os.path.isfile(os.path.join(script, "__main__.py")):
        raise CannotStart(f"{script!r} is a directory without a __main__.py; name a script in it")


def pages_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """A new directory that only this user can enter, in memory where there is such a place.

    Never in the run directory: a page is mapped, and somebody may truncate what lies there.

    Raises:
        CannotStart: No place would have it.
    """
    places = (environment.get("XDG_RUNTIME_DIR", ""), "/dev/shm", tempfile.gettempdir())
    reasons = []
    for place in places:
        if not os.path.isabs(place):
            continue
        try:
            made = tempfile.mkdtemp(prefix="graphlens-", dir=place)
            seen = os.lstat(made)
            if (
                seen.st_uid == os.geteuid()
                and stat.S_ISDIR(seen.st_mode)
                and stat.S_IMODE(seen.st_mode) == 0o700
            ):
                return Path(made)
            reasons.append(f"{place}: not private")
            os.rmdir(made)
        except OSError as error:
            reasons.append(f"{place}: {error.strerror}")
    raise CannotStart(
        f"no place for a private directory ({'; '.join(reasons)}); "
        "set XDG_RUNTIME_DIR or TMPDIR to a directory of yours"
    )


def environment(
    launch: Launch, run: Path, pages: Path, outer: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The script's environment: ours, and what the bootstrap reads."""
    inner = dict(outer)
    for name in ("GRAPHLENS_STEPS", "GRAPHLENS_COMPILED", "GRAPHLENS_KEEP", HOLD):
        inner.pop(name, None)  # of a recording that this one is started from
    inner["GRAPHLENS_RUN"] = str(run)
    inner["GRAPHLENS_PAGES"] = str(pages)
    inner["GRAPHLENS_LEVEL"] = launch.level
    inner["GRAPHLENS_FRAMEWORK"] = launch.framework
    inner["GRAPHLENS_TRIGGERS"] = ",".join(spec.trigger for spec in discover.chosen(launch.framework))
    if launch.steps:
        inner["GRAPHLENS_STEPS"] = launch.steps
    if launch.keep != "bad":
        inner["GRAPHLENS_KEEP"] = launch.keep
    if launch.hold:
        inner[HOLD] = "1"
    if launch.compiled:
        inner["GRAPHLENS_COMPILED"] = "1"
    path = inner.get("PYTHONPATH")
    inner["PYTHONPATH"] = f"{_BOOTSTRAP}{os.pathsep}{path}" if path else str(_BOOTSTRAP)
    return inner


def command(launch: Launch) -> list[str]:
    """What the script's process is started as."""
    # Not runpy: spawn, pickle and inspect of the script's __main__ break under it.
    return [launch.python, *(["-m"] if launch.module else []), *launch.words]


class Recording:
    """One script being recorded: its run directory, its pages, and run.json.

    Attributes:
        pid: The script's process; 0 before it was started.
        trouble: What of the recording could not be written, in words; empty when all was.
    """

    def __init__(self, launch: Launch, run: Path, *, pty: bool) -> None:
        self.launch = launch
        self.run = run
        self.pages = pages_directory()
        self.pid = 0
        self.trouble = ""
        script = launch.words[0]
        self.record: dict[str, Any] = {
            "format": FORMAT,
            "name": run.name.removesuffix(runs.SUFFIX),
            "argv": list(launch.words),
            "module": launch.module,
            "script": script if launch.module or script == "-" else os.path.abspath(script),
            "cwd": os.getcwd(),
            "python": "",
            "executable": launch.python,
            "graphlens": graphlens.__version__,
            "host": os.uname().nodename,
            "started": time.time(),
            "level": launch.level,
            "steps": launch.steps,
            "keep": launch.keep,
            "framework": launch.framework,
            "pages": str(self.pages),
            "pid": 0,
            "host_pid": os.getpid(),
            "state": "running",
            "exit_code": None,
            "signal": None,
            "ended": None,
            "pty": pty,
            "control": None,
        }
        if os.path.realpath(launch.python) == os.path.realpath(sys.executable):
            self.record["python"] = sys.version.split()[0]

    def start(
        self, mask: Iterable[int] = (), file_actions: Sequence[tuple[Any, ...]] = (), *, session: bool = False
    ) -> None:
        """Start the script.

        Args:
            mask: Signals it is to have blocked.
            file_actions: What to do to its descriptors, as for `os.posix_spawn`.
            session: Make it the leader of a new session.

        Raises:
            CannotStart: The interpreter can't be executed, or run.json not be written; see `abandon`.
        """
        inner = environment(self.launch, self.run, self.pages)
        try:
            runs.write_record(self.run, self.record)
        except OSError as error:
            raise CannotStart(f"cannot write into {self.run}: {error.strerror}") from error
        try:
            self.pid = os.posix_spawn(
                self.launch.python,
                command(self.launch),
                inner,
                file_actions=file_actions,
                setsigmask=mask,
                # Python ignores these; a program that is not Python must find what a shell gives it.
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
                setsid=session,
            )
        except OSError as error:
            raise CannotStart(f"cannot run {self.launch.python!r}: {error.strerror}") from error
        self.record["pid"] = self.pid
        try:
            runs.write_record(self.run, self.record)
        except OSError as error:
            self.trouble = f"cannot write into {self.run}: {error.strerror}"

    def begin_here(self) -> None:
        """This process is what is recorded: nothing is started.

        Raises:
            CannotStart: run.json cannot be written.
        """
        self.pid = self.record["pid"] = os.getpid()
        try:
            runs.write_record(self.run, self.record)
        except OSError as error:
            raise CannotStart(f"cannot write into {self.run}: {error.strerror}") from error

    def abandon(self) -> None:
        """Nothing was started: leave nothing behind."""
        shutil.rmtree(self.pages, ignore_errors=True)
        with contextlib.suppress(OSError):  # what can't be removed now, `graphlens runs` shows as lost
            for name in (runs.RECORD, "output.log"):
                (self.run / name).unlink(missing_ok=True)
            self.run.rmdir()

    def finish(self, ended: Ended) -> None:
        """Complete the logs, and write down how the script ended. `trouble` says what went wrong."""
        running: dict[str, tails.Running] = {}
        try:
            running = tails.sweep(self.run, self.pages)
        except OSError as error:
            self.trouble = (
                f"cannot complete the logs in {self.run}: {error.strerror}; the rest is in {self.pages}"
            )
        self.record |= {
            "state": "finished",
            "exit_code": ended.code,
            "signal": ended.signal,
            "ended": time.time(),
            "running": running,
            "untraced": tails.untraced(self.run),
            "control": None,
        }
        try:
            runs.write_record(self.run, self.record)
        except OSError as error:
            self.trouble = f"cannot write into {self.run}: {error.strerror}"


# ── while it runs ────────────────────────────────────────────────────────────────────────────


def wait(recording: Recording) -> Ended:
    """Start the script on our own terminal and descriptors, and wait until it has ended.

    Signals that reach us alone are handed on to it. Those of the terminal reach it by themselves,
    since it is in our process group, and are only kept from ending us. They stay blocked after the
    return, so that nothing interrupts `finish`.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # One that is ignored (nohup, a job in the background) stays so, for the script as well.
    handed_on = {number for number in _FORWARDED if signal.getsignal(number) is not signal.SIG_IGN}
    waited_for = handed_on | {signal.SIGCHLD, signal.SIGCONT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    try:
        recording.start(mask=sorted(before))
    except CannotStart:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        raise
    while True:
        told = signal.sigwaitinfo(waited_for)
        if told.si_signo == signal.SIGCHLD:
            pid, status = os.waitpid(recording.pid, os.WNOHANG | os.WUNTRACED)
            if pid and not os.WIFSTOPPED(status):
                return Ended.of(status)
            if pid:
                _stop_as_well(recording.pid)
        elif told.si_signo == signal.SIGCONT or told.si_code != _SI_KERNEL:
            with contextlib.suppress(ProcessLookupError):  # it has just ended; SIGCHLD is under way
                os.kill(recording.pid, told.si_signo)


_LOOKS_AGAIN = 0.02
"""Seconds after which a script that goes on without us is noticed."""


def _stop_as_well(pid: int) -> None:
    """The script was stopped: so are we, that the shell sees a stopped job.

    Somebody may let the script alone go on: a process that waits for that wakes us up.
    """
    if not _is_stopped(pid):  # the terminal may have stopped and continued us both in the meantime
        return
    me = os.getpid()
    watch = os.fork()
    if not watch:
        _wake_when_it_goes_on(me, pid)
    os.kill(me, signal.SIGSTOP)
    os.kill(watch, signal.SIGKILL)
    os.waitpid(watch, 0)
    if not _is_stopped(pid):  # it went on by itself: the signal that woke us is not for it
        signal.sigtimedwait({signal.SIGCONT}, 0)


def _wake_when_it_goes_on(host: int, script: int) -> NoReturn:
    try:
        while os.getppid() == host:
            if not _is_stopped(script):
                os.kill(host, signal.SIGCONT)  # again and again, since it may not have stopped yet
            time.sleep(_LOOKS_AGAIN)
    finally:
        os._exit(0)


def _is_stopped(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] == b"T"
    except (OSError, IndexError):
        return False


def end_like(ended: Ended) -> NoReturn:
    """End this process as the script ended: with its exit code, or by the same signal."""
    sys.stdout.flush()
    sys.stderr.flush()
    if ended.signal is not None:
        # The script has left its core file; ours would replace it.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        with contextlib.suppress(OSError):  # SIGKILL and SIGSTOP have no handler to take away
            signal.signal(ended.signal, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {ended.signal})
        os.kill(os.getpid(), ended.signal)
        os._exit(128 + ended.signal)
    os._exit(ended.code or 0)
