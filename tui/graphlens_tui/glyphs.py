"""Every character that we draw with, twice: for terminals that know Unicode, and for those that do not.

Nothing is told by colour alone, so each state has its own character in both.
"""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping
from dataclasses import dataclass

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
"""Bits of a lane's cell: where lines leave it."""


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set.

    Attributes:
        fine, inf, nan, none, raised, module: What an operation is drawn as: all finite, an infinity,
            a NaN, no number looked at, it raised, a folded module.
        joints: For each combination of UP, DOWN, LEFT and RIGHT a character.
        first, middle, last, single: The bracket of a module call.
        cells: Of a strip of operations: no number, all finite, large, an infinity, a NaN.
        bars: From nothing to full.
        shades: From light to dark, for terminals without colours.
        frame: Corners from the upper left on, clockwise, then the lines, across and down.
        marked: Of a run that is to be compared.
        head: Of an arrow that points down.
        classes: −, 0, +, ∞, NaN: there is such an element; `absent`: there is none; `unknown`.
    """

    ascii: bool
    fine: str
    inf: str
    nan: str
    none: str
    raised: str
    module: str
    joints: str
    first: str
    middle: str
    last: str
    single: str
    classes: str
    absent: str
    unknown: str
    backward: str
    to_producer: str
    to_consumer: str
    cursor: str
    here: str
    folded: str
    open: str
    rule: str
    infinity: str
    times: str
    dots: str
    path: str
    running: str
    stopped: str
    lost: str
    full: str
    part: str
    window: str
    block: str
    minus: str
    micro: str
    arrow: str
    cells: str
    bars: str
    shades: str
    frame: str
    marked: str
    head: str

    def text(self, text: str) -> str:
        """`text` in characters that this terminal has."""
        if not self.ascii or text.isascii():
            return text
        for ours, plain in _PLAIN.items():
            text = text.replace(ours, plain)
        return text.encode("ascii", "backslashreplace").decode()


_PLAIN = {
    "…": "..",
    "×": "x",
    "∞": "inf",
    "−": "-",
    "›": ">",
    "·": "-",
    "–": "-",
    "—": "-",
    "µ": "u",
    "∇": "~",
    "→": "->",
    "⇒": "=>",
    "≥": ">=",
    "Δ": "D",
    "▸": ">",
    "←": "<-",
}

UNICODE = Glyphs(
    ascii=False, fine="●", inf="▲", nan="✖", none="○", raised="‼", module="▣",
    #        U    D    UD   L    UL   DL   UDL  R    UR   DR   UDR  LR   ULR  DLR  all
    joints=" " "│" "│" "│" "─" "╯" "╮" "┤" "─" "╰" "╭" "├" "─" "┴" "┬" "┼",
    first="┌", middle="│", last="└", single="╶", classes="▄▄▄▄▄", absent=" ", unknown="·", backward="∇ ",
    to_producer="⇡", to_consumer="⇣", cursor="▶", here="▶", folded="▸", open="▾", rule="─", infinity="∞",
    times="×", dots="…", path=" › ", running="▶", stopped="■", lost="◌", full="█", part="░", window="┃",
    block="▀", minus="−", micro="µ", arrow="→", cells="▁▄▆▲✖", bars=" ▁▂▃▄▅▆▇█", shades=" ░▒▓█",
    frame="╭╮╯╰─│", marked="◉", head="▼",
)  # fmt: skip
ASCII = Glyphs(
    ascii=True, fine="o", inf="!", nan="X", none=".", raised="E", module="#",
    joints=" " "|" "|" "|" "-" "'" "." "|" "-" "'" "." "|" "-" "'" "." "+",
    first="/", middle="|", last="\\", single="-", classes="-0+iN", absent=".", unknown="?", backward="~",
    to_producer="^", to_consumer="v", cursor=">", here=">", folded="+", open="-", rule="-", infinity="inf",
    times="x", dots="..", path=" > ", running=">", stopped="#", lost="?", full="#", part=".", window="|",
    block="-", minus="-", micro="u", arrow="->", cells=".o+!X", bars=" .:-=+*%@", shades=" .:-=+*%@",
    frame="++++-|", marked="*", head="v",
)  # fmt: skip


def chosen(environment: Mapping[str, str] = os.environ, encoding: str | None = None) -> Glyphs:
    """The set for this terminal: GRAPHLENS_ASCII=1 or 0 says so, else the locale's encoding does."""
    wish = environment.get("GRAPHLENS_ASCII", "")
    if wish:
        return UNICODE if wish == "0" else ASCII
    name = (encoding or locale.getpreferredencoding(False)).lower().replace("-", "")
    return UNICODE if name.startswith("utf") else ASCII
