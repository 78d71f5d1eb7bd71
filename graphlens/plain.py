"""Facts of a run as plain data, as the commands print them and the verdict holds them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from graphlens import processes
from graphlens.processes import Who
from graphlens.session import Process, Run
from graphlens_tracers.events import Gap, NodeSeen, ScopeId

Answer = dict[str, Any]  # Any: JSON


def number(value: float | None) -> float | str | None:
    """A number as JSON has it: what is not finite becomes "nan", "inf" or "-inf"."""
    if value is None or math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


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


def made_at(process: Process, scope: ScopeId | None, cwd: str) -> Answer:
    """Where the script has made a module: "made_file" and "made_line", null where nobody saw that."""
    site = process.scope_site(scope)
    file, line = (None, None) if site is None else (shown_path(site.file, cwd), site.line)
    return {"made_file": file, "made_line": line}


# ── what was looked at ───────────────────────────────────────────────────────────────────────


def coverage(run: Run, whos: Sequence[Who]) -> Answer:
    """Whether all numbers of these processes were looked at ("complete"), and what was not ("gaps")."""
    gaps = gap_answers(run, whos)
    missed = [gap for gap in gaps if gap["kind"] not in processes.SEEN_ALL_THE_SAME]
    return {"complete": run.info.level != "structure" and not missed, "gaps": gaps}


def gap_answers(run: Run, whos: Sequence[Who]) -> list[Answer]:
    """What was not looked at in these processes, and, if they are all, outside of them."""
    numbers = {who.number for who in whos}
    everything = len(numbers) == len(run.processes())
    return [
        gap_answer(gap, who)
        for who, gap in processes.gaps(run)
        if (everything if who is None else who.number in numbers)
    ]


def gap_answer(gap: Gap, who: Who | None) -> Answer:
    """Something that was not looked at."""
    number = None if who is None else who.number
    return {"kind": gap.kind, "what": gap.what, "first": gap.first, "count": gap.count, "process": number}
