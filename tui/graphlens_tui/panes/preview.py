"""The run under the cursor of the list: what was started, how it ended, and what it amounts to."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text

from graphlens.text import clean
from graphlens_tui.boxes import Box
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.listing import Listing
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette
from graphlens_tui.panes import Slot, TextPane
from graphlens_tui.run_boxes import preview


class PreviewPane(TextPane):
    """Made anew when the cursor is on another run, or more is known of it."""

    TITLE: ClassVar[str] = "preview"
    SLOT: ClassVar[Slot] = "runs"
    ORDER: ClassVar[int] = 1
    HELP: ClassVar[str | None] = """\
Its command, how and when it ended, what it ran by phase and by kind, where it first was
not finite, the verdict where that is soon worked out, and what was not seen. The strip is
all that the process which trains ran, in order, as in the health timeline."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.listing = Listing()

    def changed(self) -> None:
        """Make the page again."""
        width, entry = self.scrollable_content_region.width, self.listing.selected()
        if not width or not self.display:
            return
        box = Box(max(4, width - 2), self.glyphs, self.palette)
        if entry is None:
            box.line(("no run is selected", self.palette.faint))
        else:
            self.border_title = Text(
                self.glyphs.text(f"preview · {clean(entry.name, 100)}")
            )  # a string would be markup
            preview(entry, self.listing.known.get(entry.path), box)
        self.set_lines(box.lines)

    @property
    def wanted(self) -> int:
        """Lines that it would fill."""
        return int(self.virtual_size.height)


PANE = PreviewPane
