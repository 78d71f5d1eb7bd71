"""The command line: finds the command, prints errors, and exits.

Each command is a module of this folder with `add_to(subparsers)` and `go(args) -> exit code`, and is
imported only when it is asked for: commands start fast.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from graphlens_tracers.errors import GraphlensError, Usage

COMMANDS = {
    "run": "run a script and watch it in the terminal",
    "record": "run a script and record it; it keeps the terminal",
    "debug": "stop a script at its operations, by words on standard input",
    "check": "record a script, or read a run, and judge it, for pipelines",
    "why": "say which number went wrong first, where, and why",
    "show": "print what was recorded, as text or JSON",
    "open": "look at a run in the terminal",
    "export": "write a graph as a picture or a data file",
    "runs": "list and delete saved runs",
    "doctor": "say what works here, and why not",
}
"""In the order in which `graphlens --help` lists them."""

STARTING = ("run", "record", "debug", "check")
"""Those that start a script: everything from SCRIPT on is the script's."""
NOT_STARTED = 125
"""Their exit code when we fail before the script has started: it can't be taken for the script's."""


class Parser(argparse.ArgumentParser):
    """argparse, with our own form of error."""

    def error(self, message: str) -> NoReturn:
        raise Usage(f"{message}; see: {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the result is the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if not word.startswith("-")), "")
    try:
        code = run_command(command, words)
        sys.stdout.flush()
        return code
    except GraphlensError as error:
        complain(str(error))
        started = command in STARTING and not isinstance(error, Usage)
        return NOT_STARTED if started else error.exit_code
    except BrokenPipeError:
        # The reader of our output has gone: end quietly, as other commands do.
        _die(signal.SIGPIPE)
    except KeyboardInterrupt:
        _die(signal.SIGINT)


def complain(message: str) -> None:
    """A line of ours on standard error; names in it can hold no control characters."""
    print(f"graphlens: {visible(message)}", file=sys.stderr)


def visible(text: str) -> str:
    """One printable line: whatever could move a terminal's cursor is spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def run_command(command: str, words: list[str]) -> int:
    """Run one command, whose name is among the words; raises what `main` would complain of."""
    parser = Parser(
        prog="graphlens",
        description="See the computation graph of a training script: live, saved, and as a picture.",
        epilog="`graphlens COMMAND --help` tells more. "
        "RUN is a path, a name that `graphlens runs` prints, or `last`.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command", parser_class=Parser)
    chosen = importlib.import_module(f"graphlens.cli.{command}") if command in COMMANDS else None
    for name, does in COMMANDS.items():
        if name == command and chosen is not None:
            chosen.add_to(commands)
        else:
            commands.add_parser(name, help=does)
    script: list[str] = []
    if chosen is not None and command in STARTING:
        from graphlens.cli import _script as starting  # needed by two commands only

        at = words.index(command) + 1
        options, script = starting.split(words[at:], command)
        words = words[:at] + options
    elif command == "export" and "--" in words:  # it may start one: what follows belongs to the script
        at = words.index("--")
        words, script = words[:at], words[at + 1 :]
    elif command == "show" and chosen is not None:
        at = words.index(command) + 1
        words = words[:at] + chosen.options_first(words[at:])
    args = parser.parse_args(words)
    if args.version:
        import graphlens  # costs nothing now; kept here beside its only use

        print(f"graphlens {graphlens.__version__}")
        return 0
    if chosen is None:
        parser.print_help()
        return 0
    args.words = script
    code: int = chosen.go(args)
    return code


def _die(number: signal.Signals) -> NoReturn:
    """End by a signal, so that a shell sees what happened."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)
