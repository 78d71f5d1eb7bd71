"""The picture for formats that CairoSVG makes of it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from graphlens.exporters import Options
from graphlens_tracers.errors import CannotWrite

if TYPE_CHECKING:
    from graphlens.store import Run

MODULE, EXTRA = "cairosvg", "pictures"
SIDE, AREA = 32_000.0, 2.4e8
"""Pixels: Cairo draws nothing wider, and more of them are a gigabyte of memory."""
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_SIZE = re.compile(r'<svg\b[^>]*?\bwidth="([\d.]+)"[^>]*?\bheight="([\d.]+)"')


def drawn(run: Run, options: Options) -> str:
    """The picture with its colours as attributes alone: Cairo knows no variables of CSS."""
    from graphlens.exporters._chosen import subject_for
    from graphlens.exporters.svg import picture

    plain = replace(options, link=None)  # Cairo draws no links
    return _STYLE.sub("", picture(subject_for(run, options), plain), count=1)


def scale_of(document: str, wanted: float = 2.0) -> float:
    """How many pixels a unit of the picture becomes.

    Raises:
        CannotWrite: It would be too large to be drawn, or too small to be read.
    """
    found = _SIZE.search(document)
    assert found is not None, "the picture does not say how large it is"
    wide, high = float(found[1]), float(found[2])
    scale = min(wanted, SIDE / max(wide, high), math.sqrt(AREA / (wide * high)))
    if scale < 0.5:
        raise CannotWrite(
            f"a picture of {wide:,.0f} by {high:,.0f} points is too large for pixels; use .svg or .html"
        )
    return scale
