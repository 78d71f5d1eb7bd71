"""`graphlens doctor`: what works here, and why not."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from graphlens import doctor
from graphlens.cli import visible


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="say what works here, and why not",
        description="Say which frameworks can be recorded here, and what else works, without importing any.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")


def go(args: argparse.Namespace) -> int:
    """Exit code 0, whatever was found."""
    versions, checks = doctor.versions(), doctor.report()
    if args.json:
        found = [dataclasses.asdict(check) for check in checks]
        print(json.dumps({"schema": "graphlens/doctor/1", "versions": versions, "checks": found}, indent=2))
        return 0
    for name, version in versions.items():
        print(f"{name:<12}{visible(version)}")
    print()
    width = max(len(f"{check.part} {check.name}") for check in checks) + 2
    for check in checks:
        words = "; ".join(filter(None, (check.found, check.why)))
        print(f"{'ok ' if check.works else 'no '} {check.part + ' ' + check.name:<{width}}{visible(words)}")
    return 0
