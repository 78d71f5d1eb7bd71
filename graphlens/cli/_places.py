"""Files, modules and lines as `graphlens show` says them."""

from __future__ import annotations

import os
from typing import Any

from graphlens.session import Process
from graphlens_tracers.events import NodeSeen

Answer = dict[str, Any]  # Any: JSON


def shown_path(file: str, cwd: str) -> str:
    """A file relative to the directory the script was started in when below it, else as it is."""
    if cwd and file.startswith(cwd.rstrip(os.sep) + os.sep):
        return os.path.relpath(file, cwd)
    return file


def inside(path: str) -> str:
    """A module's path as the user's model knows it: without the root's class name."""
    root, _, rest = path.partition(".")
    return rest or root


def place(process: Process, node: NodeSeen | None, cwd: str) -> Answer:
    """The module and the user's line of a node; for a backward one those of its forward twin."""
    if node is None:
        return {"module": "", "file": None, "line": None}
    site = process.site_of(node)
    return {
        "module": inside(process.scope_path(node)),
        "file": None if site is None else shown_path(site.file, cwd),
        "line": None if site is None else site.line,
    }
