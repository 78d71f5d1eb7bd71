"""The source files of a process, and what each of their lines has run, as pages to read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

import numpy as np

from graphlens.session import Process
from graphlens.text import clean, clean_line
from graphlens_tracers.errors import UnknownName
from graphlens_tui.decoded import Ill
from graphlens_tui.palette import Palette
from graphlens_tui.widgets.dialogs import Piece

Lines = list[list[Piece]]


def shown_path(file: str, cwd: str) -> str:
    """Relative to where the script was started, when it is below."""
    return clean(file.removeprefix(cwd.rstrip("/") + "/") if cwd else file, 300)


def files_lines(process: Process, cwd: str, palette: Palette) -> Lines:
    """Each file with how many operations of the graphs stand in it."""
    with process.lock:
        sites = [process.site_of(node) for node in list(process.nodes.values())]
    counts = Counter(site.file for site in sites if site is not None)
    lines: Lines = [[(f"{'ops':>7}  source", palette.mute, False)]]
    for file in sorted({*counts, *process.sources}):
        kept = "" if file in process.sources else "   not kept"
        lines.append(
            [
                (f"{counts[file]:>7,}  ", palette.text, False),
                (shown_path(file, cwd), palette.bright, False),
                (kept, palette.warn, False),
            ]
        )
    return lines


def source_lines(process: Process, cwd: str, wanted: str, ill: Ill, palette: Palette) -> tuple[str, Lines]:
    """A file as it was, each line with how many operations of the graphs stand on it, and how bad they were.

    Args:
        wanted: Its path, or the end of it.

    Raises:
        UnknownName: No file of that name was kept, or more than one.
    """
    names = {file: shown_path(file, cwd) for file in process.sources}
    exact = [file for file, name in names.items() if wanted in (file, name)]
    matching = exact or [file for file in names if file.endswith(os.sep + wanted.lstrip(os.sep))]
    if len(matching) != 1 or not wanted:
        raise UnknownName(f"which file? {', '.join(sorted(names.values())[:8]) or 'none was kept'}")
    (file,) = matching
    marks = _marks(process, file, ill)
    lines: Lines = []
    for number, code in enumerate((process.source(file) or "").splitlines(), 1):
        ops, worst = marks.get(number, (0, ""))
        lines.append(
            [
                (f"{number:>5} ", palette.mute, False),
                (f"{ops or '':>5} ", palette.text, False),
                (f"{worst:>3} ", palette.nan if worst == "NaN" else palette.inf, True),
                (clean_line(code), palette.bright if ops else palette.mute, False),
            ]
        )
    return names[file], lines


def _marks(process: Process, file: str, ill: Ill) -> dict[int, tuple[int, str]]:
    """For each line its operations, and the worst of them."""
    bad: dict[int, str] = dict.fromkeys(_nodes_of(process, ill.inf), "inf")
    bad |= dict.fromkeys(_nodes_of(process, ill.nan), "NaN")
    found: dict[int, tuple[int, str]] = {}
    with process.lock:
        nodes = list(process.nodes.values())
    for node in nodes:
        site = process.site_of(node)
        if site is not None and site.file == file:
            ops, worst = found.get(site.line, (0, ""))
            found[site.line] = ops + 1, min(worst, bad.get(node.node, ""), key=_BADNESS.index)
    return found


_BADNESS = ("NaN", "inf", "")


def _nodes_of(process: Process, seqs: Sequence[int] | np.ndarray) -> list[int]:
    if not len(seqs):
        return []
    ran, nodes = process.nodes_of(int(seqs[0]), int(seqs[-1]) + 1)
    return [int(node) for node in np.unique(nodes[np.isin(ran, seqs)])]
