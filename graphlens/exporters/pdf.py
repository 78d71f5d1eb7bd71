"""The picture as a page of PDF, by CairoSVG: text stays text, and nothing is too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from graphlens.exporters import Options
from graphlens.exporters._raster import EXTRA, MODULE, drawn

if TYPE_CHECKING:
    from graphlens.store import Run


class PDF:
    """The exporter."""

    name = "pdf"
    suffix = ".pdf"
    draws = True
    module, extra = MODULE, EXTRA

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the picture of the graph that `options` chooses."""
        import cairosvg  # an extra

        document = drawn(run, options)
        cairosvg.svg2pdf(bytestring=document.encode(), write_to=out)


EXPORTER = PDF()
