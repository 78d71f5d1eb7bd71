"""Two runs beside each other: where numbers part, and the operations that are not the same."""

from __future__ import annotations

from typing import ClassVar

from graphlens.plain import Answer
from graphlens_tui.boards import BoardPane
from graphlens_tui.boxes import Board, Box, Stop
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.listing import Listing
from graphlens_tui.messages import Compared, DifferenceChosen
from graphlens_tui.model import Model
from graphlens_tui.palette import Palette
from graphlens_tui.panes import Slot
from graphlens_tui.run_boxes import operations_box, parted_box, run_box

WIDE = 110
"""Columns from which the two runs stand side by side."""


class ComparePane(BoardPane):
    """Frames on one page that scrolls; the cursor goes through what differs."""

    TITLE: ClassVar[str] = "comparison"
    SLOT: ClassVar[Slot] = "runs"
    ORDER: ClassVar[int] = 2
    HELP: ClassVar[str | None] = """\
Two marked runs, the older one first: where the range of an output first is another one,
and the operations of the first step whose operations are not the same: - only the older
run has it, + only the newer one, ~ both have it, but not alike. Lines that only moved in
a file are the same. Enter goes to an operation in the run that is open, backspace back."""

    def __init__(self, model: Model, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__(model, glyphs, palette)
        self.listing = Listing()
        self.compared: Compared | None = None
        self._made_for: object = None

    def found(self, compared: Compared | None) -> None:
        """Show another comparison, or none."""
        self.compared, self.cursor = compared, 0
        self.to_row(0)
        self.changed()

    def changed(self) -> None:
        """Make the page again where something on it has changed, or its width."""
        width, compared = self.size.width, self.compared
        if not width or compared is None:
            return
        known = [self.listing.known.get(one.path) for one in (compared.older, compared.newer)]
        made_for = self.size, self.palette, compared, known
        if made_for == self._made_for:
            return
        self._made_for = made_for
        wide = width >= WIDE
        half = width // 2 if wide else width
        older, newer = self._box(half), self._box(width - half if wide else width)
        for box, sign, entry, summary in (
            (older, "-", compared.older, known[0]), (newer, "+", compared.newer, known[1]),
        ):  # fmt: skip
            run_box(sign, entry, summary, box)
        board = Board(width)
        if wide:
            board.put(older, newer)
        parted, operations = self._box(width), self._box(width)
        parted_box(compared, parted)
        operations_box(compared, operations)
        board.put(parted)
        board.put(operations, least=self.size.height - len(board.lines) if wide else 0)
        for box in () if wide else (older, newer):
            board.put(box)
        self._board = board
        self.cursor = min(self.cursor, max(0, len(board.stops) - 1))
        self.set_lines(board.lines)

    def _box(self, width: int) -> Box:
        return Box(max(4, width - 4), self.glyphs, self.palette)

    def choose(self, stop: Stop) -> None:
        """Go to what differs there."""
        self.post_message(DifferenceChosen(stop.target[0]))

    def difference(self, number: int) -> Answer | None:
        """What a row is about: something with the places `mine` and `other`, either of which may be None."""
        if self.compared is None:
            return None
        answer = self.compared.answer
        found: Answer | None = answer["parted"] if number < 0 else answer["operations"][number]
        return found


PANE = ComparePane
