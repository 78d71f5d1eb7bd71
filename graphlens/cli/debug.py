"""`graphlens debug`: stop a script at its operations, by words on standard input.

No terminal is needed: a person, an editor or a test drives it. The script has no standard input;
what it prints goes where ours goes, with --json as answers of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from graphlens import host
from graphlens.cli import NOT_STARTED, _script, _summary, complain
from graphlens.host import Ended, Recording
from graphlens_tracers.errors import GraphlensError

LOOK = 0.02
"""Seconds between two looks whether the script has stopped or ended."""


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "debug",
        help="stop a script at its operations, by words on standard input",
        usage="graphlens debug [options] SCRIPT [ARG ...]\n"
        "       graphlens debug [options] -m MODULE [ARG ...]",
        description="Run SCRIPT, stopped at its first operation, and do what standard input says, a line "
        "each; `help` lists the words. At the end of the input the script goes on by itself.",
        epilog="Options stand before SCRIPT; everything from SCRIPT on belongs to the script.",
        allow_abbrev=False,
    )
    _script.add_options(parser)
    parser.add_argument(
        "-c", "--command", metavar="WORDS", action="append", default=[], help="do this first; may be repeated"
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line; what the script prints is one, too"
    )


@dataclass
class _Debugged:
    """A script under the debugger, and the process that waits for its end."""

    recording: Recording
    host: int
    printed: list[int] = field(default_factory=list)


def go(args: argparse.Namespace) -> int:
    """Does not return once the script has started: ends as the script ended."""
    from graphlens.debugger import Debugger  # NumPy and threads: not before the words are right
    from graphlens.prompt import Prompt

    wanted = replace(_script.launch(args), hold=True)
    lines = _lines(args.command)
    to = -1
    while True:
        script = _started(args, wanted)
        debugger = Debugger(script.recording.pages)
        prompt = Prompt(debugger, partial(_verdict, script.recording.run))
        talk = _Talk(script, prompt, args.json)
        ended = talk.run(lines, to)
        to = talk.restart_at
        if to < 0 or ended is None:
            break
    debugger.close()
    assert ended is not None
    with contextlib.suppress(OSError):  # standard error was closed: the script's end is what matters
        if not args.quiet:
            for line in _summary.of(script.recording.run):
                complain(line)
    host.end_like(ended)


def _verdict(run: Path) -> dict[str, Any]:
    from graphlens.session import load
    from graphlens.verdict import verdict_answer

    return verdict_answer(load(run))


def _lines(first: list[str]) -> Iterator[str]:
    yield from first
    yield from sys.stdin


def _started(args: argparse.Namespace, wanted: host.Launch) -> _Debugged:
    """Start the script, with a process of its own that waits for its end and completes its log."""
    recording = _script.recording(args, wanted, pty=False)
    pipes = [os.pipe() for _ in range(2)] if args.json else []
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        for _, write in pipes:
            os.close(write)
        return _Debugged(recording, child, [read for read, _ in pipes])
    code = NOT_STARTED
    try:
        os.setpgid(0, 0)  # Ctrl-C is for the debugger
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for descriptor, (_, write) in enumerate(pipes, 1):
            os.dup2(write, descriptor)
        ended = host.wait(recording)
        recording.finish(ended)
        host.end_like(ended)
    except GraphlensError as error:
        complain(str(error))
        recording.abandon()
    finally:
        os._exit(code)


class _Talk:
    """Words in, answers out, until the script has ended."""

    def __init__(self, script: _Debugged, prompt: Any, as_json: bool) -> None:
        self._script, self._prompt, self._json = script, prompt, as_json
        self._ended: Ended | None = None
        self.restart_at = -1
        """The operation that the script is to be run to again; -1 when not."""
        self._saying = threading.Lock()
        self._readers = [
            threading.Thread(target=self._read, args=(name, read), daemon=True)
            for name, read in zip(("stdout", "stderr"), script.printed, strict=False)
        ]
        for reader in self._readers:
            reader.start()

    def run(self, lines: Iterator[str], to: int) -> Ended | None:
        """Obey until there are no more lines, then wait for the end.

        Args:
            to: The operation to go to first; -1 for the first one.
        """
        self._await()
        if to > 0 and self._prompt.stop is not None:
            self._obey(f"until #{to}")
        if self._prompt.stop is not None:
            self._say(self._prompt.stopped(self._prompt.stop))
        for line in lines if self._ended is None else ():
            if line.strip() and not line.lstrip().startswith("#"):
                self._obey(line)
            if self._ended is not None or self.restart_at >= 0:
                break
        self._prompt.debugger.close()
        while self._ended is None:
            self._look(block=True)
        for reader in self._readers:
            reader.join()
        self._say({"answer": "ended", "exit_code": self._ended.code, "signal": self._ended.signal})
        return self._ended

    def _obey(self, line: str) -> None:
        """Do what a line says; when the script goes on, wait until it stops again."""
        try:
            answer = self._prompt.obey(line)
        except (GraphlensError, ValueError) as error:
            self._say({"answer": "error", "error": str(error)})
            return
        if answer is None:
            self._await()
            if self._prompt.stop is not None:
                self._say(self._prompt.stopped(self._prompt.stop))
        elif answer["answer"] in ("kill", "restart"):
            self.restart_at = answer.get("to", -1)
            os.kill(self._script.host, signal.SIGTERM)
            self._prompt.debugger.close()
            self._prompt.stop = None
        else:
            self._say(answer)

    def _await(self) -> None:
        """Wait until the script stops or ends; Ctrl-C stops it."""
        debugger = self._prompt.debugger
        while self._ended is None:
            try:
                waiting = next(iter(debugger.stops), None)
                stop = debugger.wait(LOOK) or waiting
                if stop is not None and not stop.over:
                    self._prompt.stop = stop
                    return
                self._look()
            except KeyboardInterrupt:
                debugger.pause()

    def _look(self, *, block: bool = False) -> None:
        """Whether the script has ended."""
        pid, status = os.waitpid(self._script.host, 0 if block else os.WNOHANG)
        if pid:
            self._ended = Ended.of(status)

    def _read(self, name: str, descriptor: int) -> None:
        """Hand on what the script prints."""
        with open(descriptor, "rb", buffering=0) as stream:
            while part := stream.read(1 << 16):
                self._say({"answer": "printed", "stream": name, "text": part.decode("utf-8", "replace")})

    def _say(self, answer: dict[str, Any]) -> None:
        from graphlens.prompt import text_of

        with self._saying:
            if self._json:
                print(json.dumps(answer), flush=True)
                return
            if answer["answer"] == "ended":
                how = _summary.how_it_ended(answer["exit_code"], answer["signal"])
                print(f"the script ended: {how}", flush=True)
            elif answer["answer"] == "verdict":
                from graphlens.cli import _verdict as words

                print("\n".join(words.text_of(answer, "this run")), flush=True)
            else:
                print("\n".join(text_of(answer)), flush=True)
