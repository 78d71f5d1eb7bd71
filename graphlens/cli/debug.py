"""`graphlens debug`: stop a script at its operations, by words on standard input.

No terminal is needed: a person, an editor or a test drives it. The script has no standard input;
what it prints goes where ours goes, with --json as answers of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlens import host, project
from graphlens.cli import NOT_STARTED, _script, _summary, complain
from graphlens_tracers.errors import GraphlensError

if TYPE_CHECKING:
    from graphlens.cli._talk import Debugged


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "debug",
        help="stop a script at its operations, by words on standard input",
        usage="graphlens debug [options] SCRIPT [ARG ...]\n"
        "       graphlens debug [options] -m MODULE [ARG ...]",
        description="Run SCRIPT, stopped at its first operation, and do what standard input says, a line "
        "each; `help` lists the words. At the end of the input the script goes on by itself. What was "
        "recorded can be asked for when it has ended, too.",
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


def go(args: argparse.Namespace) -> int:
    """Does not return once the script has started: ends as the script ended."""
    # NumPy and threads: not before the words are right.
    from graphlens.cli._talk import Lines, Talk
    from graphlens.debugger import Debugger
    from graphlens.prompt import Prompt

    wanted = replace(_script.launch(args), hold=True)
    lines = Lines(args.command)
    to, kept = -1, project.breakpoints(Path.cwd())
    while True:
        script = _started(args, wanted)
        debugger = Debugger(script.recording.pages, breakpoints=kept)
        run = script.recording.run
        prompt = Prompt(debugger, partial(_verdict, run), partial(_show, run, args.json))
        talk = Talk(script, prompt, as_json=args.json)
        ended = talk.run(lines, to)
        if talk.restart_at is None:
            break
        to, kept = talk.restart_at, [replace(one, hits=0) for one in talk.kept if not one.temporary]
    with contextlib.suppress(OSError):  # standard error was closed: the script's end is what matters
        if not args.quiet:
            for line in _summary.of(script.recording.run):
                complain(line)
    host.end_like(ended)


def _verdict(run: Path) -> dict[str, Any]:
    from graphlens.session import load
    from graphlens.verdict import verdict_answer

    return verdict_answer(load(run))


def _show(run: Path, as_json: bool, words: list[str]) -> dict[str, Any]:
    """What `graphlens show RUN` prints, as lines and as data."""
    from graphlens import cli  # it imports us by name

    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        cli.run_command("show", ["show", str(run), *words, *["--json"] * as_json])
    said = text.getvalue()
    if not as_json:
        return {"lines": said.splitlines()}
    try:
        return {"shown": json.loads(said)}
    except ValueError:  # an operation a line
        return {"shown": [json.loads(line) for line in said.splitlines()]}


def _swallow_later(alive: int, printed: list[int]) -> None:
    """When the debugger was killed, nobody reads what the script prints: it must not wait for that."""

    def swallow(descriptor: int) -> None:
        os.read(alive, 1)
        while os.read(descriptor, 1 << 16):
            pass

    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are the host's
    for descriptor in printed:
        threading.Thread(target=swallow, args=(descriptor,), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started(args: argparse.Namespace, wanted: host.Launch) -> Debugged:
    """Start the script, with a process of its own that waits for its end and completes its log."""
    from graphlens.cli._talk import Debugged  # as above

    recording = _script.recording(args, wanted, pty=False)
    pipes = [os.pipe() for _ in range(2)] if args.json else []
    alive, _held_by_us = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        os.close(alive)
        for _, write in pipes:
            os.close(write)
        return Debugged(recording, child, [read for read, _ in pipes])
    os.close(_held_by_us)
    code = NOT_STARTED
    try:
        os.setpgid(0, 0)  # Ctrl-C is for the debugger
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for descriptor, (_, write) in enumerate(pipes, 1):
            os.dup2(write, descriptor)
        _swallow_later(alive, [read for read, _ in pipes])
        ended = host.wait(recording)
        recording.finish(ended)
        host.end_like(ended)
    except GraphlensError as error:
        complain(str(error))
        recording.abandon()
    finally:
        os._exit(code)
