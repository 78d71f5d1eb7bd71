"""The options of the commands that start a script, and where the script's own words begin."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from graphlens import host, runs
from graphlens.host import Launch, Recording
from graphlens_tracers import discover
from graphlens_tracers.api import LEVELS, Keep
from graphlens_tracers.errors import GraphlensError, Usage

TAKE_A_WORD = (
    "-o",
    "--output",
    "--level",
    "--steps",
    "--keep",
    "--framework",
    "--python",
    "--size",
    "-c",
    "--command",
    "--json",
    "--junit",
    "--sarif",
    "--break",
    "--watch",
)
"""Options that are followed by a word of theirs."""


def split(words: list[str], command: str = "") -> tuple[list[str], list[str]]:
    """Our options, and the words of the script: from SCRIPT, or from `-m`, on.

    One `--` is accepted between them.
    """
    alone = ("--json",) if command == "debug" else ()
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            rest = words[at + 1 :]
            # After `--` nothing is an option, so a script's name may begin with a dash.
            return words[:at], ["--", *rest] if rest else []
        if word == "-m" or not word.startswith("-") or word == "-":
            return words[:at], words[at:]
        if word.startswith("-m") and not word.startswith("--"):
            return words[:at], ["-m", word[2:], *words[at + 1 :]]
        at += 2 if word in TAKE_A_WORD and word not in alone else 1
    return words, []


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `run` and `record`."""
    names = [spec.name for spec in discover.tracers()]
    parser.add_argument(
        "-m",
        dest="module",
        action="store_true",
        help="run a module, as `python -m` does: graphlens record -m package.train",
    )
    parser.add_argument("-o", "--output", metavar="RUN", help="where to keep the run; never overwrites")
    parser.add_argument("--force", action="store_true", help="let --output replace a run that is there")
    parser.add_argument(
        "--level",
        choices=LEVELS,
        default="health",
        help="structure: which operations ran; health (default): ranges and non-finite numbers too",
    )
    parser.add_argument(
        "--steps", metavar="A:B", default="", help="only training steps from A up to, not with, B"
    )
    parser.add_argument(
        "--keep",
        metavar="none|bad|step:A:B|all",
        default="bad",
        help="whose elements are kept; bad (default): what an operation read and made where a NaN or an "
        "infinity was born",
    )
    parser.add_argument(
        "--framework", choices=["auto", *names], default="auto", help="default: what the script imports"
    )
    parser.add_argument(
        "--compiled",
        action="store_true",
        help="leave what the script compiles (torch.compile) compiled: one operation each, not looked into",
    )
    parser.add_argument(
        "--python", metavar="PATH", default=sys.executable, help="run the script with this interpreter"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no closing summary")


def launch(args: argparse.Namespace) -> Launch:
    """What was asked for, looked at as far as that is possible before the start.

    Raises:
        Usage: No script was named, or steps are none.
        CannotStart: There is no such script or interpreter.
    """
    words: list[str] = args.words
    module = bool(words) and words[0] == "-m"
    if words and words[0] in ("-m", "--"):
        words = words[1:]
    if not words or not words[0]:
        example = "-m package.train" if module else "train.py"
        what = "module" if module else "script"
        raise Usage(f"which {what}? for example: graphlens {args.command} {example}")
    return host.checked(
        Launch(
            words=tuple(words),
            module=module,
            python=args.python,
            level=args.level,
            steps=_steps(args.steps),
            framework=args.framework,
            compiled=args.compiled,
            keep=_keep(args),
        )
    )


def _keep(args: argparse.Namespace) -> str:
    words: str = args.keep
    try:
        keep = Keep.of(words)
    except ValueError as error:
        raise Usage(f"--keep {error}; for example step:10:12, for all tensors of steps 10 and 11") from error
    if keep.whole_steps and args.level == "structure":
        raise Usage(f"--keep {words} needs --level health: at level structure no tensor is looked at")
    return words


def _steps(text: str) -> str:
    match = re.fullmatch(r"([0-9]{0,9}):([0-9]{0,9})", text)
    if text and match is None:
        raise Usage(f"--steps {text!r} is not of the form A:B; for example 10:20, or 10: for all from 10 on")
    if match and match[1] and match[2] and int(match[1]) >= int(match[2]):
        raise Usage(f"--steps {text} is empty: it ends before step {match[2]}")
    return text


def recording(args: argparse.Namespace, wanted: Launch, *, pty: bool) -> Recording:
    """A new run directory, with all that is needed to start.

    Raises:
        FileExists, CannotWrite, CannotStart: Nothing was made.
    """
    if args.output:
        run = runs.create_at(Path(args.output), force=args.force)
    else:
        run = runs.create(wanted.words[0])
    try:
        return Recording(wanted, run, pty=pty)
    except GraphlensError:
        run.rmdir()
        raise
