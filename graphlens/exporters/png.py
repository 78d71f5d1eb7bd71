"""The picture as PNG, two pixels a point, by CairoSVG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from graphlens.exporters import Options
from graphlens.exporters._raster import EXTRA, MODULE, drawn, scale_of

if TYPE_CHECKING:
    from graphlens.store import Run


class PNG:
    """The exporter."""

    name = "png"
    suffix = ".png"
    draws = True
    module, extra = MODULE, EXTRA

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the picture of the graph that `options` chooses."""
        import cairosvg  # an extra

        document = drawn(run, options)
        scale: Any = scale_of(document)  # the whole number that it begins with is not all it takes
        cairosvg.svg2png(bytestring=document.encode(), write_to=out, scale=scale)


EXPORTER = PNG()
