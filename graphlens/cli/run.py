"""`graphlens run`: record a script in the background, and watch it in the terminal UI."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from graphlens import host, project, runs
from graphlens.cli import _script, _summary, _watching, complain
from graphlens.host import Ended
from graphlens_tracers.control import Breakpoint, breakpoint_of, watch_of, words_of
from graphlens_tracers.errors import CannotStart, Usage


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run a script and watch it in the terminal",
        usage="graphlens run [options] SCRIPT [ARG ...]\n       graphlens run [options] -m MODULE [ARG ...]",
        description="Run SCRIPT and watch its graph grow. Leaving the UI does not end the script, "
        "unless you say so.",
        epilog="Options stand before SCRIPT; everything from SCRIPT on belongs to the script.",
        allow_abbrev=False,
    )
    _script.add_options(parser)
    parser.add_argument(
        "--hold",
        action="store_true",
        help="stop at the first operation",
    )
    parser.add_argument(
        "--break", dest="breaks", metavar="WHERE", action="append", default=[],
        help="stop at log, aten.log*, layers.*.attn, FILE:LINE, '#84', backward, 'log if absmax(in0) > 9'; "
        "may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--watch", dest="watches", metavar="RULE", action="append", default=[],
        help="stop after what makes nan, inf, non-finite, 'absmax>1e4', or an expression of out true; "
        "may be repeated",
    )  # fmt: skip
    parser.add_argument("--stop-on-non-finite", action="store_true", help="the same as --watch non-finite")


def go(args: argparse.Namespace) -> int:
    """The script's own exit code when it has ended, else 0."""
    _watching.need_terminal()
    _script.launch(args)  # what is wrong with the words is said by us, not by the background
    breakpoints = _breakpoints(args)
    holds = bool(breakpoints) or args.hold
    if holds:
        breakpoints = with_saved(breakpoints)
    started: list[tuple[Path, subprocess.Popen[bytes]]] = []

    def start(*, hold: bool) -> Path:
        # Once more: the place that was named is taken by the first one.
        recorder = _start(args, hold=hold, output="" if started else args.output or "")
        started.append((_where(recorder), recorder))
        return started[-1][0]

    path = start(hold=holds)
    _watching.watch(path, breakpoints if holds else None, at_start=args.hold, again=partial(start, hold=True))
    path, recorder = started[-1]
    return _leave(path, recorder, quiet=args.quiet)


def _breakpoints(args: argparse.Namespace) -> list[Breakpoint]:
    """What the script is to stop at from its first operation on.

    Raises:
        Usage: One of them means nothing.
    """
    watches = [*args.watches, *["non-finite"] * args.stop_on_non_finite]
    try:
        found = [breakpoint_of(where, k) for k, where in enumerate(args.breaks, 1)]
        return found + [watch_of(rule, k) for k, rule in enumerate(watches, len(found) + 1)]
    except ValueError as error:
        raise Usage(str(error)) from error


def with_saved(breakpoints: Sequence[Breakpoint]) -> list[Breakpoint]:
    """These, and those that are kept with the project. Raises Usage when they cannot be read."""
    saved = project.breakpoints(Path.cwd())
    known = {words_of(one) for one in saved}
    found = [*saved, *(one for one in breakpoints if words_of(one) not in known)]
    return [replace(one, number=number) for number, one in enumerate(found, 1)]


def _start(args: argparse.Namespace, *, hold: bool, output: str) -> subprocess.Popen[bytes]:
    """`graphlens record` in a session of its own: it goes on when this terminal is closed."""
    size = os.get_terminal_size(1)  # while the UI runs, sys.stdout is its own
    options = ["--pty", f"--size={size.lines}x{size.columns}", "--quiet"]
    options += [f"--level={args.level}", f"--framework={args.framework}", f"--python={args.python}"]
    options += [f"--steps={args.steps}"] if args.steps else []
    options += [f"--keep={args.keep}"] + ["--compiled"] * args.compiled
    options += [f"--output={output}"] if output else []
    options += ["--force"] if args.force and output else []
    options += ["--hold"] if hold else []
    return subprocess.Popen(
        # -P: the directory we are in may hold a graphlens.py of somebody else.
        [sys.executable, "-P", "-m", "graphlens", "record", *options, *args.words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _where(recorder: subprocess.Popen[bytes]) -> Path:
    """Wait until the script has started; the run that it is recorded in.

    Raises:
        CannotStart: It was not.
    """
    assert recorder.stdout is not None
    assert recorder.stderr is not None
    with recorder.stdout, recorder.stderr:
        said = recorder.stdout.readline()
        if said:
            return Path(json.loads(said)["run"])
        why = recorder.stderr.read().decode("utf-8", "replace").strip()
    recorder.wait()
    prefix, suffix = "graphlens: ", f" [{CannotStart.slug}]"
    raise CannotStart(why.removeprefix(prefix).removesuffix(suffix) or "the recorder ended without a word")


def _leave(path: Path, recorder: subprocess.Popen[bytes], *, quiet: bool) -> int:
    """Say where the run is and how it stands; end as the script ended, if it did."""
    recorder.poll()
    record = runs.read_record(path)
    name = runs.name_of(path)
    if runs.state_of(record) == "running":
        if not quiet:
            complain(
                f"{name} goes on (process {record.get('pid')}); watch it again with: graphlens open {name}"
            )
        return os.EX_OK
    ended = Ended(record.get("exit_code"), record.get("signal"))
    if not quiet:
        if ended.code or ended.signal is not None:
            complain(f"the script ended: {_summary.how_it_ended(ended.code, ended.signal)}")
        for line in _summary.of(path):
            complain(line)
    host.end_like(ended)
