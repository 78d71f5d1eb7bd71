"""`graphlens runs`: the saved runs; deletes them too."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from graphlens import runs, tails
from graphlens.cli import complain, visible
from graphlens.cli._summary import how_it_ended
from graphlens.runs import Entry
from graphlens.text import size_text

KEEP = 20


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "runs",
        help="list and delete saved runs",
        description="List the runs that are kept under the state directory ($GRAPHLENS_HOME, else "
        "$XDG_STATE_HOME/graphlens, else ~/.local/state/graphlens), oldest first.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--delete", nargs="+", metavar="RUN", help="delete these runs")
    parser.add_argument(
        "--prune",
        nargs="?",
        type=_count,
        const=KEEP,
        metavar="KEEP",
        help=f"delete all but the newest KEEP (default {KEEP}) runs; one that still runs is never deleted",
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs")
    return int(text)


def go(args: argparse.Namespace) -> int:
    """Exit code 0, also when there are no runs."""
    if args.delete:
        for path in [runs.resolve(run) for run in args.delete]:
            runs.delete(path)
            complain(f"deleted {runs.name_of(path)}")
        return 0
    listed = runs.entries()
    for entry in listed:
        tails.settle(entry)
    if args.prune is not None:
        old = [entry for entry in listed if entry.state != "running"]
        for entry in old[: max(0, len(listed) - args.prune)]:
            runs.delete(entry.path)
            complain(f"deleted {entry.name}")
        return 0
    if args.json:
        print(
            json.dumps({"schema": "graphlens/runs/1", "runs": [_plain(entry) for entry in listed]}, indent=2)
        )
    elif listed:
        _table(listed)
    else:
        complain("there are no runs yet; make one with: graphlens record SCRIPT")
    return 0


def _plain(entry: Entry) -> dict[str, object]:
    kept = ("script", "argv", "module", "cwd", "started", "ended", "exit_code", "signal", "graphlens")
    return {
        "name": entry.name,
        "path": str(entry.path),
        "state": entry.state,
        "size_bytes": entry.size_bytes,
        **{key: entry.record.get(key) for key in kept},
    }


def _table(listed: list[Entry]) -> None:
    rows = [("NAME", "STARTED", "ENDED", "SIZE", "SCRIPT")]
    for entry in listed:
        started = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.started))
        words = " ".join(str(word) for word in entry.record.get("argv", []))
        if entry.record.get("module"):
            words = "-m " + words
        rows.append((entry.name, started, _ended(entry), size_text(entry.size_bytes), words))
    widths = [max(len(visible(row[k])) for row in rows) for k in range(4)]
    for row in rows:
        cells = [visible(cell).ljust(width) for cell, width in zip(row, widths, strict=False)]
        sys.stdout.write("  ".join([*cells, visible(row[4])]).rstrip() + "\n")


def _ended(entry: Entry) -> str:
    if entry.state != "finished":
        return entry.state
    return how_it_ended(entry.record.get("exit_code"), entry.record.get("signal"))
