"""`graphlens check`: record a script, or read a run, and judge it; made for pipelines."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from graphlens import host, runs
from graphlens.cli import _script, _summary, complain
from graphlens.host import Ended
from graphlens_tracers.errors import CannotWrite, UnknownRun

FOUND, INCOMPLETE = 10, 11
"""Exit codes: something harmful was found; with --strict, not everything could be looked at."""


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "check",
        help="record a script, or read a run, and say by the exit code whether a number did harm",
        usage="graphlens check [options] SCRIPT [ARG ...]\n"
        "       graphlens check [options] -m MODULE [ARG ...]\n"
        "       graphlens check [options] RUN",
        description="Record SCRIPT, or read RUN, and judge it as `graphlens why` does. Exit code 0: nothing "
        f"that is not finite did harm; {FOUND}: something did; {INCOMPLETE}, with --strict: nothing was "
        "found, but not everything was looked at. A script that fails by itself keeps its own.",
        epilog="Options stand before SCRIPT; everything from SCRIPT on belongs to the script.",
        allow_abbrev=False,
    )
    _script.add_options(parser)
    parser.add_argument("--strict", action="store_true", help="fail where not everything was looked at")
    parser.add_argument(
        "--json", metavar="FILE", help="write the verdict as `graphlens why --json` prints it"
    )
    parser.add_argument("--junit", metavar="FILE", help="write it as a JUnit test report")
    parser.add_argument("--sarif", metavar="FILE", help="write it as SARIF, for annotations of the source")


def go(args: argparse.Namespace) -> int:
    """See `add_to`; a script that was killed by a signal ends us by the same one."""
    run = _as_run(args.words)
    ended = Ended(code=0)
    if run is None:
        recording = _script.recording(args, _script.launch(args), pty=False)
        try:
            ended = host.wait(recording)
        except BaseException:  # Ctrl-C before the script has started, too
            if not recording.pid:
                recording.abandon()
            raise
        recording.finish(ended)
        if recording.trouble:
            complain(recording.trouble)
        run = recording.run
    code = _judge(args, run)
    if code not in (FOUND,) and (ended.signal is not None or ended.code):
        host.end_like(ended)
    return code


def _as_run(words: list[str]) -> Path | None:
    """The run that is meant; None for a script."""
    if len(words) != 1 or words[0].startswith("-"):
        return None
    try:
        path = runs.resolve(words[0])
    except UnknownRun:
        return None
    return path if path.is_dir() and (path / "run.json").exists() else None


def _judge(args: argparse.Namespace, run: Path) -> int:
    if not any(run.glob("p-*.log")):
        for line in _summary.of(run):
            complain(line)
        return INCOMPLETE if args.strict else 0
    from graphlens.cli import _reports, _verdict  # numpy and the store: not before there is a run
    from graphlens.session import load
    from graphlens.verdict import verdict_answer

    answer = verdict_answer(load(run))
    if not args.quiet:
        for line in _verdict.text_of(answer, runs.name_of(run)):
            complain(line)
    if args.json:
        _write(args.json, json.dumps(answer, indent=1) + "\n")
    if args.junit:
        _write(args.junit, _reports.junit(answer))
    if args.sarif:
        _write(args.sarif, _reports.sarif(answer) + "\n")
    if answer["status"] == "found":
        return FOUND
    return INCOMPLETE if args.strict and answer["status"] == "incomplete" else 0


def _write(file: str, text: str) -> None:
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"cannot write {file}: {error.strerror}; name another file") from error
