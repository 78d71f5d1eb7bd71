"""What is kept with a project: `.graphlens.toml` in the directory that a script is started in.

    [debug]
    break = ["train.py:53", "log if absmax(in0) > 9", { where = "*.attn", ignore = 2, enabled = false }]

It is written only when somebody asks for it; what else it holds, comments too, stays as it is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from graphlens_tracers.control import Breakpoint, breakpoint_of, words_of
from graphlens_tracers.errors import CannotWrite, Usage

FILE = ".graphlens.toml"


def breakpoints(folder: Path) -> list[Breakpoint]:
    """The breakpoints that are kept with the project; none where there is no such file.

    Raises:
        Usage: It cannot be read, or one of them means nothing.
    """
    kept = _read(folder / FILE).unwrap().get("debug", {})
    wanted = kept.get("break", []) if isinstance(kept, dict) else None
    if not isinstance(wanted, list):
        raise Usage(f"{FILE}: [debug] break is no list of places")
    return [_breakpoint(one, number) for number, one in enumerate(wanted, 1)]


def _breakpoint(one: Any, number: int) -> Breakpoint:
    one = {"where": one} if isinstance(one, str) else one
    if not isinstance(one, dict) or not isinstance(one.get("where"), str):
        raise Usage(f'{FILE}: breakpoint {number} is neither "WHERE" nor {{ where = "WHERE" }}')
    ignore, enabled = one.get("ignore", 0), one.get("enabled", True)
    if type(ignore) is not int or type(enabled) is not bool or set(one) - {"where", "ignore", "enabled"}:
        raise Usage(f"{FILE}: breakpoint {number} may have ignore = NUMBER and enabled = true or false")
    try:
        return breakpoint_of(one["where"], number, ignore=ignore, enabled=enabled)
    except ValueError as error:
        raise Usage(f"{FILE}: breakpoint {number}: {error}") from error


def save(folder: Path, wanted: Sequence[Breakpoint]) -> Path:
    """Keep these breakpoints with the project, temporary ones left out.

    Raises:
        Usage: The file is there, and is no TOML.
        CannotWrite: It cannot be written.
    """
    path = folder / FILE
    document = _read(path)
    kept = tomlkit.array()
    for one in wanted:
        if one.temporary:
            continue
        more = {"ignore": one.ignore} if one.ignore else {}
        more |= {} if one.enabled else {"enabled": False}
        entry = tomlkit.inline_table()
        entry.update({"where": words_of(one), **more})
        kept.append(entry if more else words_of(one))
    debug = document.setdefault("debug", tomlkit.table())
    if not isinstance(debug, dict):
        raise Usage(f"{FILE}: debug is no table")
    debug["break"] = kept.multiline(len(kept) > 1)
    part = path.with_name(f"{FILE}.{os.getpid()}")
    try:
        part.write_text(tomlkit.dumps(document), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from error
    return path


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise Usage(f"{path} cannot be read: {error}") from error
