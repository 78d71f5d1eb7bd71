"""What lies over the panes for a moment: text to read, a choice to make, a line to type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Key, Resize
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Label, OptionList
from textual.widgets.option_list import Option

from graphlens_tui.glyphs import Glyphs
from graphlens_tui.palette import Palette, style

Piece = tuple[str, str, bool]
"""Text, colour, bold."""


class Lines(ScrollView, can_focus=True, inherit_bindings=False):
    """A few lines that scroll."""

    DEFAULT_CSS = "Lines { scrollbar-size: 0 0; overflow: hidden hidden; }"

    def __init__(self, lines: Sequence[Sequence[Piece]], glyphs: Glyphs, palette: Palette) -> None:
        super().__init__()
        self._lines, self._glyphs, self._palette = lines, glyphs, palette

    def on_resize(self, event: Resize) -> None:
        """As many lines as there are."""
        self.virtual_size = Size(self.size.width, len(self._lines))

    def scroll(self, rows: int) -> None:
        """Further down, or up."""
        most = max(0, len(self._lines) - self.size.height)
        self.scroll_to(y=max(0, min(int(self.scroll_offset.y) + rows, most)), animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        ground = style(self._palette.text, self._palette.bar)
        row = y + int(self.scroll_offset.y)
        pieces = self._lines[row] if row < len(self._lines) else ()
        segments = [
            Segment(self._glyphs.text(text), style(colour, self._palette.bar, bold))
            for text, colour, bold in pieces
        ]
        return Strip(segments).adjust_cell_length(self.size.width, ground)


Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer]):
    """What is closed once, however many keys come before it is gone."""

    _answered = False

    def answer(self, answer: Answer) -> None:
        """Give the answer, and go away."""
        if not self._answered:
            self._answered = True
            self.dismiss(answer)


class Reading(Dialog[None]):
    """Text to read; any key that does not scroll closes it."""

    def __init__(
        self, title: str, lines: Sequence[Sequence[Piece]], glyphs: Glyphs, palette: Palette, hint: str
    ) -> None:
        super().__init__()
        self._title, self._hint = title, hint
        self._lines = Lines(lines, glyphs, palette)
        self._count = len(lines)

    def compose(self) -> ComposeResult:
        """A frame around the lines."""
        with Vertical(id="reading") as frame:
            frame.border_title, frame.border_subtitle = self._title, self._hint
            frame.styles.height = self._count + 2
            yield self._lines

    def on_key(self, event: Key) -> None:
        """Scroll or close."""
        event.stop()
        rows = {
            "j": 1, "down": 1, "k": -1, "up": -1, "pagedown": 10, "ctrl+d": 10, "pageup": -10, "ctrl+u": -10,
            "home": -10_000, "end": 10_000, "g": -10_000, "G": 10_000,
        }.get(event.key)  # fmt: skip
        if rows is None:
            self.answer(None)
        else:
            self._lines.scroll(rows)


class Choice(Dialog[str | None]):
    """One of a few answers: by its letter, or with the cursor and enter; escape is None."""

    def __init__(self, title: str, text: str, answers: Sequence[tuple[str, str]]) -> None:
        """Args: answers: (letter or number, what it does)."""
        super().__init__()
        self._title, self._text, self._answers = title, text, answers

    def compose(self) -> ComposeResult:
        """The question and the answers."""
        with Vertical(id="choice") as frame:
            frame.border_title = self._title
            if self._text:
                yield Label(self._text, markup=False, id="question")
            yield OptionList(
                *(Option(f"{letter}  {what}", id=letter) for letter, what in self._answers), markup=False
            )

    def on_mount(self) -> None:
        """The first answer is chosen until another one is."""
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter, or the mouse."""
        self.answer(event.option.id)

    def on_key(self, event: Key) -> None:
        """A letter answers at once."""
        letters = [letter for letter, _ in self._answers]
        answers = self.query_one(OptionList)
        if event.key in letters:
            event.stop()
            self.answer(event.key)
        elif event.key in ("escape", "q", "ctrl+c", "ctrl+q"):
            event.stop()
            self.answer(None)
        elif event.key == "j":
            answers.action_cursor_down()
        elif event.key == "k":
            answers.action_cursor_up()


class Typing(Input):
    """A line that is typed or pasted: what could move the terminal's cursor is left out."""

    def validate_value(self, value: str) -> str:
        """Printable characters alone."""
        return value if value.isprintable() else "".join(one for one in value if one.isprintable())

    def typed_ahead(self, event: Key) -> None:
        """A key that came before this line had the keys; one that it did not want itself goes no further."""
        event.stop()
        if event.is_printable and event.character is not None:
            self.insert_text_at_cursor(event.character)
        elif event.key == "enter":
            self.call_later(self.action_submit)


class Ask(Dialog[str | None]):
    """One line to type; escape is None."""

    def __init__(self, prompt: str, before: str) -> None:
        super().__init__()
        self._prompt, self._before = prompt, before

    def compose(self) -> ComposeResult:
        """The line."""
        yield Typing(self._before, placeholder=self._prompt, id="ask", select_on_focus=True)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        self.answer(event.value)

    def on_key(self, event: Key) -> None:
        """Escape."""
        if event.key in ("escape", "ctrl+c", "ctrl+q"):
            event.stop()
            self.answer(None)
        else:
            self.query_one(Typing).typed_ahead(event)
