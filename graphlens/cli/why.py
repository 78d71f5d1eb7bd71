"""`graphlens why`: which number went wrong first, where, why, and whether it matters."""

from __future__ import annotations

import argparse
import json
from typing import Any

from graphlens import runs

FOUND = 10
"""Exit code, where it is asked for: something harmful was found."""


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "why",
        help="say which number went wrong first, where, and why",
        description="Say where the first NaN or infinity was born that did harm: the operation, the source "
        "line, its inputs, the cause, the way to the loss, a gradient or a parameter, and what helps. What "
        "is not finite and does no harm is listed apart.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="a path, a name that `graphlens runs` prints, or `last`")
    parser.add_argument("--exit-code", action="store_true", help=f"exit with {FOUND} when harm was found")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document")
    form.add_argument("--plain", action="store_true", help="text, which is the default")


def go(args: argparse.Namespace) -> int:
    """Exit code 0; with --exit-code 10 when something harmful was found."""
    path = runs.resolve(args.run)
    from graphlens.cli import _verdict  # numpy and the store: not before the words are right
    from graphlens.session import load
    from graphlens.verdict import verdict_answer

    answer = verdict_answer(load(path))
    if args.json:
        print(json.dumps(answer, indent=1))
    else:
        print("\n".join(_verdict.text_of(answer, runs.name_of(path))))
    return FOUND if args.exit_code and answer["status"] == "found" else 0
