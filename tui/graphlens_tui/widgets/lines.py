"""A line to type at the bottom, above it what it may become: for commands, and for the palette."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from rich.cells import cell_len
from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Click, Key
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input, Label

from graphlens.text import clean
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.paint import elided, sized
from graphlens_tui.palette import Palette, style
from graphlens_tui.vocabulary import Offer
from graphlens_tui.widgets.dialogs import Dialog, Typing

MOST = 10
"""Offers that are shown at once."""
MOST_READ = 200
"""Offers that are asked for."""
Complete = Callable[[str], Iterable[Offer]]


class Offers(Widget):
    """What the line may become, one a row; the chosen one is marked."""

    DEFAULT_CSS = "Offers { width: 1fr; height: auto; }"

    def __init__(self, glyphs: Glyphs, palette: Palette) -> None:
        super().__init__()
        self._glyphs, self._palette = glyphs, palette
        self.offers: Sequence[Offer] = ()
        self.chosen = -1

    def show(self, offers: Sequence[Offer], chosen: int) -> None:
        """Show these."""
        self.offers, self.chosen = offers, chosen
        self.styles.height = min(MOST, len(offers))
        self.refresh(layout=True)

    @property
    def first(self) -> int:
        """The offer in the first row."""
        return max(0, min(self.chosen - MOST // 2, len(self.offers) - MOST))

    def render_line(self, y: int) -> Strip:
        """One offer: the mark, its text, its key, what it does."""
        glyphs, palette, width = self._glyphs, self._palette, self.size.width
        at = self.first + y
        if at >= len(self.offers):
            return Strip.blank(width, style(palette.text, palette.bar))
        offer, chosen = self.offers[at], at == self.chosen
        ground = palette.cursor if chosen else palette.bar
        longest = max(cell_len(one.text) for one in self.offers[self.first : self.first + MOST])
        room = max(16, min(width * 2 // 5, longest + 2))
        text = elided(glyphs.text(clean(offer.text, 200)), room - 1, glyphs.text("…"))
        key = f"{offer.key:>9}  "
        rest = glyphs.text(clean(offer.help, 200))
        more = len(self.offers) - MOST
        if y == MOST - 1 and more > 0 and self.first + MOST < len(self.offers):
            rest = f"{rest}   … {len(self.offers) - self.first - MOST} more"
        rest = elided(rest, max(0, width - room - cell_len(key) - 2), glyphs.text("…"))
        segments = [
            Segment(f"{glyphs.cursor if chosen else ' '} ", style(palette.warn, ground, True)),
            Segment(sized(text, room), style(palette.bright if chosen else palette.text, ground, chosen)),
            Segment(key, style(palette.warn, ground, True)),
            Segment(
                elided(rest, max(0, width - room - cell_len(key) - 2), glyphs.text("…")),
                style(palette.mute, ground),
            ),
        ]
        return Strip(segments).adjust_cell_length(width, style(palette.text, ground))

    def on_click(self, event: Click) -> None:
        """Choose one."""
        if isinstance(self.screen, TypedLine):
            self.screen.pick(self.first + event.y)


class TypedLine(Dialog[str | None], inherit_bindings=False):
    """A line with offers; escape is None.

    With `chooses` the answer is the chosen offer, else the line as it stands: then tab puts offers
    into it, and up and down what was typed before.
    """

    def __init__(
        self,
        prompt: str,
        complete: Complete,
        glyphs: Glyphs,
        palette: Palette,
        *,
        history: Sequence[str] = (),
        chooses: bool = False,
    ) -> None:
        super().__init__()
        self._prompt, self._complete, self._chooses = prompt, complete, chooses
        self._history, self._back, self._typed = list(history), 0, ""
        self._offers = Offers(glyphs, palette)
        self._setting = ""

    def compose(self) -> ComposeResult:
        """The offers above the line."""
        with Vertical(id="typed"):
            yield self._offers
            with Horizontal(id="typing"):
                yield Label(">" if self._chooses else ":", markup=False, id="sign")
                yield Typing(placeholder=self._prompt, id="line", select_on_focus=False)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()
        self._offer("")

    def _offer(self, text: str) -> None:
        offers = list(islice(self._complete(text), MOST_READ))
        self._offers.show(offers, 0 if self._chooses and offers else -1)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Other offers, unless it was one of them that was put into the line."""
        event.stop()
        if event.value != self._setting:
            self._setting, self._back = "", 0
            self._offer(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        event.stop()
        if self._chooses:
            self.pick(self._offers.chosen)
        else:
            self.answer(event.value)

    def pick(self, at: int) -> None:
        """Take one of the offers: into the line, or as the answer."""
        offers = self._offers.offers
        if not 0 <= at < len(offers):
            return
        if self._chooses:
            self.answer(offers[at].text)
        else:
            self._offers.show(offers, at)
            self._put(offers[at].text)

    def on_key(self, event: Key) -> None:
        """Go round the offers, or back to what was typed before."""
        turns = {"tab": 1, "shift+tab": -1, **({"down": 1, "up": -1} if self._chooses else {})}
        if event.key in ("escape", "ctrl+c", "ctrl+q"):
            event.stop()
            self.answer(None)
        elif event.key in turns or event.key in ("up", "down"):
            event.stop()
            event.prevent_default()
            if event.key in turns:
                self._turn(turns[event.key])
            else:
                self._remember(1 if event.key == "up" else -1)
        else:
            self.query_one(Typing).typed_ahead(event)

    def _turn(self, by: int) -> None:
        offers = self._offers.offers
        if not offers:
            return
        at = (
            (self._offers.chosen + by) % len(offers)
            if self._offers.chosen >= 0 or by > 0
            else len(offers) - 1
        )
        self._offers.show(offers, at)
        if not self._chooses:
            self._put(offers[at].text)

    def _remember(self, by: int) -> None:
        """What was typed before and begins like this line, further back or nearer."""
        line = self.query_one(Input)
        if self._back == 0:
            self._typed = line.value
        found = [one for one in self._history if one.startswith(self._typed)]
        self._back = max(0, min(self._back + by, len(found)))
        self._put(found[-self._back] if self._back else self._typed)

    def _put(self, text: str) -> None:
        line = self.query_one(Input)
        self._setting = text
        line.value = text
        line.cursor_position = len(text)
