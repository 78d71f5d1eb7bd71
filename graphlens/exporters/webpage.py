"""A graph as one HTML file to look around in: modules open and close in place, with search and details.

It asks nothing of the network, and its policy forbids it to: the script and the style that may run are
named by their digests, and everything that came from a run is data, which the script shows as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from graphlens.exporters import Options
from graphlens.exporters._packed import packed
from graphlens.exporters._palette import ROLES
from graphlens.text import clean

if TYPE_CHECKING:
    from graphlens.store import Run

EVERY = 1_000
"""More levels than a model has: all are open, as far as a browser can show them."""
_HERE = Path(__file__).parent


class Page:
    """The exporter."""

    name = "html"
    suffix = ".html"
    draws = True

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write a page about the graph that `options` choose."""
        from graphlens.exporters._chosen import chosen, part_of
        from graphlens.exporters._outline import outline

        told = outline(
            chosen(run, options),
            run.info.cwd,
            options.phase,
            EVERY if options.full else options.depth,
            lambda subject: part_of(subject, run, options),
        )
        out.write(page(told, options.theme).encode())


EXPORTER = Page()

_KEYS = (
    "Click or Enter: open, close, choose. Arrows: along the lines, right and left into a module and out. "
    "/ searches, + and − zoom, 0 fits, t changes light and dark. Drag or scroll to move, Ctrl and scroll "
    "to zoom."
)


def page(data: dict[str, object], theme: str = "auto") -> str:
    """The whole document around what `_outline.outline` says."""
    script = (_HERE / "_webpage.js").read_text("utf-8")
    style = (_HERE / "_webpage.css").read_text("utf-8") + _colours()
    said, missing = data["said"], data["missing"]
    assert isinstance(said, list) and isinstance(missing, list), "an outline says them as lists"
    notes = [*said, *(["not captured: " + ", ".join(missing)] if missing else [])]
    frame = (_HERE / "_webpage.html").read_text("utf-8")
    return frame.format(
        theme="" if theme == "auto" else f' data-theme="{theme}"',
        title=html.escape(clean(str(data["title"]))),
        note=html.escape(" · ".join(notes)),
        keys=html.escape(_KEYS),
        style=style,
        style_digest=_digest(style),
        script=script,
        script_digest=_digest(script),
        data=_inert(json.dumps(packed(data), separators=(",", ":"), allow_nan=False)),
    )


def _inert(document: str) -> str:
    """JSON in which nothing ends a script or begins a comment; ASCII already."""
    return document.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _colours() -> str:
    """The colours of the pictures, light and dark."""
    light: list[str] = []
    dark: list[str] = []
    for role, paint in ROLES.items():
        light.append(f".{role}{{{';'.join(f'{name}:{pair[0]}' for name, pair in paint.items())}}}")
        dark.append(f".{role}{{{';'.join(f'{name}:{pair[1]}' for name, pair in paint.items())}}}")
    system = "".join(f":root:not([data-theme=light]) {rule}" for rule in dark)
    chosen = "".join(f":root[data-theme=dark] {rule}" for rule in dark)
    return "".join(light) + f"@media (prefers-color-scheme:dark){{{system}}}" + chosen
