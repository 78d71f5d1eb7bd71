"""`graphlens open`: a run in the terminal UI, whether it is over or not."""

from __future__ import annotations

import argparse
from typing import Any

from graphlens import runs, tails
from graphlens.cli import _watching


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "open",
        help="look at a run in the terminal",
        description="Look at a run in the terminal. One that still runs is followed; "
        "leaving it does not end it.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="a path, a name that `graphlens runs` prints, or `last`")


def go(args: argparse.Namespace) -> int:
    """Exit code 0 once the UI was left."""
    path = runs.resolve(args.run)
    _watching.need_terminal()
    tails.settle(runs.entry(path))  # its host may have been killed
    _watching.watch(path)
    return 0
