"""Boxes of a picture: how large they are, and how they are drawn."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from graphlens.categories import Category
from graphlens.exporters._links import LONGEST
from graphlens.exporters._palette import Paints
from graphlens.layout import Rect, Size
from graphlens.letters import elide, width
from graphlens.text import clean
from graphlens.view import Box

NAME, KIND, SMALL, TAG = 12.0, 10.5, 10.0, 9.0
"""Sizes of text."""
WIDEST = 250.0
"""No card is wider; longer text is shortened in the middle."""
ROW = 13.0
SANS = "Helvetica,Arial,'Liberation Sans',sans-serif"
MONO = "Menlo,'DejaVu Sans Mono',Consolas,'Liberation Mono',monospace"
SYMBOLS = "'DejaVu Sans','Segoe UI Symbol','Apple Symbols','Cambria Math',sans-serif"
NABLA = "∇"
_CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩"
SIGNS = frozenset(NABLA + _CIRCLED)


def number(value: float) -> str:
    """A coordinate with one decimal, none where it is 0; never "-0"."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text in ("-0", "") else text


def safe(text: str, longest: int = 400) -> str:
    """Text for an XML document: control characters written out, markup escaped."""
    return html.escape(clean(text, longest), quote=True)


def title(lines: Iterable[str]) -> str:
    """A tooltip; long lines are cut, and so is the whole."""
    kept = [safe(line, 240) for line in list(lines)[:40] if line]
    return f"<title>{chr(10).join(kept)}</title>" if kept else ""


class Piece(NamedTuple):
    """A stretch of text in one style."""

    text: str
    size: float
    role: str
    bold: bool = False
    mono: bool = False

    @property
    def family(self) -> str:
        """Fonts other than the document's; signs that Helvetica lacks come from where they are."""
        if not self.text.isascii() and any(sign in SIGNS for sign in self.text):
            return SYMBOLS
        return MONO if self.mono else ""


def pieces_width(pieces: Sequence[Piece]) -> float:
    """How wide pieces are side by side, 6 apart."""
    shown = [piece for piece in pieces if piece.text]
    return sum(width(clean(p.text), p.size, bold=p.bold, mono=p.mono) for p in shown) + 6 * max(
        len(shown) - 1, 0
    )


@dataclass
class Pen:
    """Writes elements; text is shortened to the room it has."""

    paint: Paints
    out: list[str] = field(default_factory=list)

    def add(self, element: str) -> None:
        """One element as it is."""
        self.out.append(element)

    def rect(self, rect: Rect, role: str, radius: float = 7.0, more: str = "") -> None:
        """A rounded rectangle."""
        self.add(
            f'<rect x="{number(rect.x0)}" y="{number(rect.y0)}" width="{number(rect.x1 - rect.x0)}"'
            f' height="{number(rect.y1 - rect.y0)}" rx="{number(radius)}"{self.paint(role)}{more}/>'
        )

    def text(self, x: float, y: float, pieces: Sequence[Piece], room: float, anchor: str = "") -> None:
        """Pieces in one line. They follow each other, so a wider font cannot make them overlap."""
        spans: list[str] = []
        shown_width = 0.0
        whole = room
        for piece in pieces:
            gap = 6.0 if spans else 0.0
            if not piece.text or room < gap + 8:
                continue
            shown = elide(clean(piece.text, 400), room - gap, piece.size, bold=piece.bold, mono=piece.mono)
            room -= gap + width(shown, piece.size, bold=piece.bold, mono=piece.mono)
            shown_width = whole - room
            style = ' font-weight="600"' if piece.bold else ""
            style += f' font-family="{piece.family}"' if piece.family else ""
            style += f' font-size="{number(piece.size)}"{self.paint(piece.role)}'
            spans.append(f"{style}{f' dx={chr(34)}6{chr(34)}' if gap else ''}>{html.escape(shown)}")
        if not spans:
            return
        if anchor == "middle" and len(spans) > 1:  # renderers differ on where the middle of several is
            x, anchor = x - shown_width / 2, ""
        place = f'<text x="{number(x)}" y="{number(y)}"' + (f' text-anchor="{anchor}"' if anchor else "")
        if len(spans) == 1:
            self.add(f"{place}{spans[0]}</text>")
        else:
            self.add(f"{place}>" + "".join(f"<tspan{span}</tspan>" for span in spans) + "</text>")


# ── sizes ────────────────────────────────────────────────────────────────────────────────────


def _rows(box: Box) -> list[tuple[str, list[Piece]]]:
    """The lines below a card's name: (glyph before it, pieces)."""
    rows: list[tuple[str, list[Piece]]] = []
    if box.op and box.op != box.name:
        rows.append(("", [Piece(box.op, SMALL, "mute")]))
    for one in box.parameters:
        said = f"{'∂' if box.backward else ''}{one.name} {one.shape}" + (" (tied)" if one.tied else "")
        rows.append(("param" if one.trained else "buffer", [Piece(said, 9.5, "mute", mono=True)]))
    if box.more:
        rows.append(("", [Piece(f"and {box.more} more", 9.5, "mute")]))
    if box.note and box.sort != "output":
        rows.append(("", [Piece(box.note, 9.5, "mute")]))
    return rows


def _head(box: Box) -> list[Piece]:
    if box.sort in ("input", "output"):
        spec = [Piece(box.note, SMALL, "onink", mono=True)] if box.note else []
        return [Piece(box.name, NAME, "onink", bold=True), *spec]
    if box.small:
        return [*nabla(box.backward, KIND, "mute"), Piece(box.name, KIND, "mute")]
    name = [*nabla(box.backward, NAME, "ink"), Piece(box.name, NAME, "ink", bold=True)]
    return [*name, Piece(box.kind, KIND, f"t-{_tint(box)}")]


def nabla(backward: bool, size: float, role: str) -> list[Piece]:
    """The sign of a gradient."""
    return [Piece(NABLA, size, role)] if backward else []


def _tint(box: Box) -> Category:
    return Category.MODULE if box.sort == "module" else box.category


def _saved_width(box: Box) -> float:
    return 17 + width(str(box.saved), TAG) if box.saved and not box.backward else 0.0


def badge_text(box: Box) -> str:
    """What a sick box says in words; empty for one that only passes it on."""
    if not box.born:
        return ""
    what = "NaN" if box.ill == "nan" else "Inf"
    return f"{what} born {'inside' if box.sort == 'module' else 'here'}"


def _badge(box: Box) -> list[Piece]:
    """The number of a birth, and what was born; for an ill result what it is."""
    if box.born:
        mark = _CIRCLED[box.born - 1] if box.born <= len(_CIRCLED) else f"({box.born})"
        return [Piece(mark, SMALL, "hottip"), Piece(badge_text(box), SMALL, "hottip", bold=True)]
    if box.ill and box.sort == "output":
        return [Piece("NaN" if box.ill == "nan" else "Inf", SMALL, "hottip", bold=True)]
    return []


def size(box: Box) -> Size:
    """The room a box takes, its tag and badge included."""
    head = pieces_width(_head(box))
    if box.sort in ("input", "output"):
        wide, tall = max(64.0, head + 30), 26.0
    elif box.small:
        wide, tall = max(46.0, head + 20 + _saved_width(box)), 18.0
    else:
        rows = _rows(box)
        saved = _saved_width(box)
        chip = 34.0 if box.repeat > 1 else 0.0
        widths = [head + chip + (0 if rows else saved)]
        for k, (glyph, pieces) in enumerate(rows):
            last = saved if k == len(rows) - 1 else 0.0
            widths.append(pieces_width(pieces) + (11 if glyph else 0) + last)
        wide, tall = max(70.0, max(widths) + 26), 24 + ROW * len(rows) + (2 if rows else 0)
    stack = 6.0 if box.repeat > 1 else 0.0
    tag = min(width(clean(box.tag), TAG, mono=True), WIDEST) if box.tag else 0.0
    badge = pieces_width(_badge(box)) + 20 if _badge(box) else 0.0
    return Size(
        min(WIDEST, wide) + stack,
        tall + stack * 0.7,
        tag,
        13.0 if box.tag else 0.0,
        badge,
        19.0 if badge else 0.0,
    )


# ── drawing ──────────────────────────────────────────────────────────────────────────────────


def draw(pen: Pen, box: Box, rect: Rect, ident: str) -> None:
    """One box with its tooltip."""
    facts = {"id": ident, "op": box.op, "module": box.path, "category": str(box.category)}
    data = "".join(f' data-{key}="{safe(value)}"' for key, value in facts.items() if value)
    dim = ' opacity="0.36"' if box.dim else ""
    nodes = " ".join(str(node) for node in box.own[:16])
    if box.link:
        pen.add(f'<a href="{safe(box.link, LONGEST)}">')
    pen.add(f'<g{data} data-nodes="{nodes}"{dim}>{title(box.hint)}')
    if box.repeat > 1:
        rect = Rect(rect.x0, rect.y0, rect.x1 - 6, rect.y1 - 4.2)
        for k in (6.0, 3.0):
            pen.rect(Rect(rect.x0 + k, rect.y0 + k * 0.7, rect.x1 + k, rect.y1 + k * 0.7), "sheet")
    if box.sort in ("input", "output"):
        _pill(pen, box, rect, "end", "")
    elif box.small:
        _pill(pen, box, rect, f"b-{Category.VIEW}", ' stroke-width="0.8" stroke-dasharray="2.5 2"')
    else:
        _card(pen, box, rect)
    if box.ill:
        _ring(pen, box, rect)
    if box.centre:
        around = Rect(rect.x0 - 3.5, rect.y0 - 3.5, rect.x1 + 3.5, rect.y1 + 3.5)
        pen.rect(around, "centre", 10, ' stroke-width="1.8"')
    pen.add("</g></a>" if box.link else "</g>")


def _pill(pen: Pen, box: Box, rect: Rect, role: str, more: str) -> None:
    pen.rect(rect, role, (rect.y1 - rect.y0) / 2, more)
    middle = (rect.x0 + rect.x1 - _saved_width(box)) / 2
    low = (rect.y0 + rect.y1) / 2 + (3.7 if box.small else 4.2)
    pen.text(middle, low, _head(box), rect.x1 - rect.x0 - 12 - _saved_width(box), "middle")
    _saved(pen, box, rect.x1 - 6, (rect.y0 + rect.y1) / 2)


def _card(pen: Pen, box: Box, rect: Rect) -> None:
    tint = _tint(box)
    outline = ' stroke-width="1.5"' if box.sort == "module" else ""
    pen.rect(rect, f"b-{tint}", 7, outline + (' stroke-dasharray="5 2.5"' if box.backward else ""))
    x, y = rect.x0, rect.y0
    pen.add(
        f'<path d="M{number(x + 5)} {number(y)}a5 7 0 0 0-5 7v{number(rect.y1 - y - 14)}a5 7 0 0 0 5 7z"'
        f"{pen.paint(f's-{tint}')}/>"
    )
    room = rect.x1 - x - 22
    rows = _rows(box)
    if box.repeat > 1:
        room -= chip(pen, f"×{box.repeat}", rect.x1 - 6, y + 4.5)
    pen.text(x + 13, y + 16, _head(box), room - (0 if rows else _saved_width(box)))
    low = y + 30
    for k, (glyph, pieces) in enumerate(rows):
        left = x + 13
        if glyph:
            flag(pen, left, low, glyph)
            left += 11
        last = _saved_width(box) if k == len(rows) - 1 else 0.0
        pen.text(left, low, pieces, rect.x1 - 8 - left - last)
        low += ROW
    _saved(pen, box, rect.x1 - 6, low - ROW - 3.5 if rows else (y + rect.y1) / 2)


def chip(pen: Pen, said: str, right: float, top: float) -> float:
    """A small filled pill, right-aligned; returns the room it takes."""
    wide = width(said, 11, bold=True) + 12
    pen.rect(Rect(right - wide, top, right, top + 15), "chip", 7.5)
    pen.text(right - wide / 2, top + 11.3, [Piece(said, 11, "onink", bold=True)], wide, "middle")
    return wide + 4


def flag(pen: Pen, x: float, baseline: float, role: str) -> None:
    """The glyph before a parameter."""
    pen.add(f'<path d="M{number(x)} {number(baseline - 6.4)}h5l2 3.1-2 3.1h-5z"{pen.paint(role)}/>')


def diamond(pen: Pen, x: float, y: float) -> None:
    """The glyph of tensors kept for the backward pass, around (x, y)."""
    pen.add(f'<path d="M{number(x)} {number(y - 4)}l4 4-4 4-4-4z"{pen.paint("savedtip")}/>')


def _saved(pen: Pen, box: Box, right: float, y: float) -> None:
    if box.saved and not box.backward:
        diamond(pen, right - 4, y)
        pen.text(right - 10.5, y + 3.2, [Piece(str(box.saved), TAG, "savedtip")], 40, "end")


def _ring(pen: Pen, box: Box, rect: Rect) -> None:
    """Around what is sick; thick, and with words, where it began."""
    pill = box.small or box.sort in ("input", "output")
    radius = (rect.y1 - rect.y0) / 2 + 3 if pill else 9.5
    outer = Rect(rect.x0 - 3, rect.y0 - 3, rect.x1 + 3, rect.y1 + 3)
    pen.rect(outer, "hot", radius, f' stroke-width="{"2.4" if box.born else "1.3"}"')
    said = _badge(box)
    if said:
        wide = pieces_width(said) + 12
        x = (rect.x0 + rect.x1) / 2 + 7
        pen.rect(Rect(x, rect.y0 - 19, x + wide, rect.y0 - 4), "badge", 7.5)
        pen.text(x + 6, rect.y0 - 8, said, wide)
