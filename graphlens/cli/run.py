"""`graphlens run`: record a script in the background, and watch it in the terminal UI."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from graphlens import host, runs
from graphlens.cli import _script, _summary, _watching, complain
from graphlens.host import Ended
from graphlens_tracers.errors import CannotStart


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


def go(args: argparse.Namespace) -> int:
    """The script's own exit code when it has ended, else 0."""
    _watching.need_terminal()
    _script.launch(args)  # what is wrong with the words is said by us, not by the background
    recorder = _start(args)
    path = _where(recorder)
    _watching.watch(path)
    return _leave(path, recorder, quiet=args.quiet)


def _start(args: argparse.Namespace) -> subprocess.Popen[bytes]:
    """`graphlens record` in a session of its own: it goes on when this terminal is closed."""
    size = os.get_terminal_size(sys.stdout.fileno())
    options = ["--pty", f"--size={size.lines}x{size.columns}", "--quiet"]
    options += [f"--level={args.level}", f"--framework={args.framework}", f"--python={args.python}"]
    options += [f"--steps={args.steps}"] if args.steps else []
    options += [f"--keep={args.keep}"] + ["--compiled"] * args.compiled
    options += [f"--output={args.output}"] if args.output else []
    options += ["--force"] if args.force else []
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
