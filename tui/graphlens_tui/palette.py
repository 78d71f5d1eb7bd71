"""Colours by what they are for, on a dark and on a light ground, as Rich styles made once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style
from textual.theme import Theme

from graphlens.categories import Category

DARK_THEME = Theme(
    name="graphlens-dark", primary="#7aa2f7", secondary="#bb9af7", accent="#ff9e64", warning="#e0af68",
    error="#ff3d6e", success="#9ece6a", foreground="#c8d0f0", background="#16161e", surface="#16161e",
    panel="#1f2335", dark=True, variables={"border": "#565f89", "border-blurred": "#3b4261"},
)  # fmt: skip
LIGHT_THEME = Theme(
    name="graphlens-light", primary="#2e5fd0", secondary="#7847bd", accent="#b15c00", warning="#8f5e15",
    error="#c4003b", success="#3f6f1a", foreground="#24283b", background="#fbfbfd", surface="#fbfbfd",
    panel="#e9ebf3", dark=False, variables={"border": "#a8aecb", "border-blurred": "#b4bad2"},
)  # fmt: skip


@dataclass(frozen=True)
class Palette:
    """One ground and what is drawn on it.

    Attributes:
        ground, bar, cursor, cursor_away: Backgrounds: of the panes, of the bars, of the selected line
            in the pane that has the keys, and in one that has not.
        faint, mute, text, bright: Text, from what may be overlooked to what must not.
        lanes: Values take them in turn.
        signs: Negative, zero and positive elements.
        track, frame: What a bar has not filled; lines around frames.
        cells: Of strips of operations: without a number, all finite, with large ones.
        cell: Behind the number under the cursor.
    """

    ground: str
    bar: str
    cursor: str
    cursor_away: str
    faint: str
    mute: str
    text: str
    bright: str
    accent: str
    on_accent: str
    warn: str
    inf: str
    nan: str
    on_ill: str
    good: str
    lanes: tuple[str, ...]
    signs: tuple[str, str, str]
    track: str
    frame: str
    cells: tuple[str, str, str]
    cell: str
    category: dict[Category, str]
    syntax: str

    def kind(self, category: Category) -> str:
        """The colour of a family of operations."""
        return self.category.get(category, self.text)


def _families(**colours: str) -> dict[Category, str]:
    return {Category(name): colour for name, colour in colours.items()}


DARK = Palette(
    ground="#16161e", bar="#1f2335", cursor="#3d3a24", cursor_away="#292e42",
    faint="#666e9a", mute="#8d96bf", text="#a9b1d6", bright="#e4e9ff", accent="#7aa2f7", on_accent="#10131f",
    warn="#e0af68", inf="#ff9e64", nan="#ff3d6e", on_ill="#16161e", good="#9ece6a",
    lanes=("#bb9af7", "#f7768e", "#c0caf5", "#7aa2f7", "#9ece6a", "#ff9e64", "#73daca", "#e0af68"),
    signs=("#4468c0", "#787c99", "#45a8a0"), track="#262a3d", frame="#3b4261",
    cells=("#2f4470", "#2c6e57", "#b08b45"), cell="#565f89",
    category=_families(
        matmul="#7aa2f7", attention="#bb9af7", norm="#73daca", activation="#9ece6a", elementwise="#7dcfff",
        view="#8087ad", cast="#8087ad", reduction="#e0af68", gather="#e0e07a", random="#f7a072",
        collective="#c678dd", flow="#f7768e", optimizer="#d8b4a0",
    ),
    syntax="one-dark",
)  # fmt: skip
LIGHT = Palette(
    ground="#fbfbfd", bar="#e9ebf3", cursor="#fff0c2", cursor_away="#e4e8f5",
    faint="#7f86a8", mute="#565c80", text="#3b4261", bright="#12141f", accent="#2e5fd0", on_accent="#ffffff",
    warn="#8f5e15", inf="#b84a00", nan="#c4003b", on_ill="#ffffff", good="#3f6f1a",
    lanes=("#7847bd", "#c4314b", "#4b5272", "#2e5fd0", "#3f7a1a", "#b15c00", "#0f7b6c", "#8f5e15"),
    signs=("#3457b8", "#777d98", "#0c7d70"), track="#d5d9e6", frame="#b4bad2",
    cells=("#94a6da", "#4f9f78", "#c07f12"), cell="#c3cdf2",
    category=_families(
        matmul="#2148b8", attention="#7847bd", norm="#0f7b6c", activation="#3f7a1a", elementwise="#00719e",
        view="#666c88", cast="#666c88", reduction="#9a5a00", gather="#7a6a00", random="#b1502a",
        collective="#8a2fa8", flow="#b01e54", optimizer="#70492f",
    ),
    syntax="default",
)  # fmt: skip


@lru_cache(maxsize=4096)
def style(
    colour: str, ground: str, bold: bool = False, italic: bool = False, underline: bool = False
) -> Style:
    """Text of a colour on a ground: always both, for a cell without ground shows what was there before."""
    return Style(color=colour, bgcolor=ground, bold=bold, italic=italic, underline=underline)
