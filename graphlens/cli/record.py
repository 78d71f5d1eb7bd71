"""`graphlens record`: run a script and record it. The script keeps the terminal."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import replace
from typing import Any

from graphlens import host
from graphlens.cli import _script, _summary, complain
from graphlens.host import Ended, Recording
from graphlens_tracers.errors import Usage


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "record",
        help="run a script and record it; it keeps the terminal",
        usage="graphlens record [options] SCRIPT [ARG ...]\n"
        "       graphlens record [options] -m MODULE [ARG ...]",
        description="Run SCRIPT as `python SCRIPT` does, and record every operation. What it prints, how it "
        "ends and what it computes stay as they are; the run is kept for show, open and export.",
        epilog="Options stand before SCRIPT; everything from SCRIPT on belongs to the script.",
        allow_abbrev=False,
    )
    _script.add_options(parser)
    # For `graphlens run`, which starts us in the background: the script gets a terminal of its own.
    parser.add_argument("--pty", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--hold", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--size", default="24x80", help=argparse.SUPPRESS)


def go(args: argparse.Namespace) -> int:
    """Does not return once the script has started: ends as the script ended."""
    wanted = replace(_script.launch(args), hold=args.hold)
    recording = _script.recording(args, wanted, pty=args.pty)
    try:
        ended = _in_terminal(recording, args.size) if args.pty else host.wait(recording)
    except BaseException:  # Ctrl-C before the script has started, too
        if not recording.pid:
            recording.abandon()
        raise
    recording.finish(ended)
    try:
        if recording.trouble:
            complain(recording.trouble)
        if not args.quiet:
            for line in _summary.of(recording.run):
                complain(line)
    except OSError:
        pass  # standard error was closed: the script's end is what matters
    host.end_like(ended)


def _in_terminal(recording: Recording, size: str) -> Ended:
    from graphlens.terminal import Terminal  # sockets and terminals, which a plain record needs not

    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", size)
    if match is None:
        raise Usage(f"--size {size!r} is not of the form ROWSxCOLUMNS")
    terminal = Terminal(recording, int(match[1]), int(match[2]))
    terminal.start()
    # Whoever started us learns where the run is, and needs not listen any longer.
    print(json.dumps({"run": str(recording.run)}), flush=True)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, sys.stdout.fileno())
    return terminal.run()
