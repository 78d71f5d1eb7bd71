"""A picture of one graph as SVG: no scripts, no fonts, no links; the same bytes for the same graph."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from graphlens.categories import SAID, Category
from graphlens.exporters import Engine, Options, PhaseChoice
from graphlens.exporters._cards import (
    NAME,
    SANS,
    TAG,
    Pen,
    Piece,
    chip,
    diamond,
    draw,
    flag,
    nabla,
    number,
    pieces_width,
    safe,
    size,
    title,
)
from graphlens.exporters._palette import STRIPES, Paints, Theme
from graphlens.layout import Rect, Scene, Size, Wire, place
from graphlens.letters import width
from graphlens.mirror import Backward, Reflection, backward_of, reflect
from graphlens.text import clean
from graphlens.view import BUDGET, FULL, Box, Frame, View, view_of
from graphlens.view.subject import Subject
from graphlens_tracers.errors import CannotWrite

if TYPE_CHECKING:
    from graphlens.store import Run

MARGIN, BETWEEN, TIP, CORNER = 18.0, 56.0, 6.5, 12.0
"""Around the picture, between its halves; the length of an arrow's tip, and a rounded corner."""


class SVG:
    """The exporter."""

    name = "svg"
    suffix = ".svg"
    draws = True

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the picture of the graph that `options` chooses."""
        from graphlens.exporters._chosen import subject_for

        out.write(picture(subject_for(run, options), options).encode())


EXPORTER = SVG()


def picture(subject: Subject, options: Options | None = None) -> str:
    """The whole document."""
    options = options or Options()
    view = view_for(subject, options)
    backward, phase = half_of(view, subject, options.phase)
    return _Sheet(subject, view, backward, phase, options.theme, options.engine).document()


def view_for(subject: Subject, options: Options) -> View:
    """What to show, as far as the options say."""
    budget = (10**9 if options.unlimited else FULL) if options.full else BUDGET
    return view_of(subject, budget=budget, depth=options.depth, full=options.full)


def half_of(view: View, subject: Subject, wanted: PhaseChoice) -> tuple[Backward, PhaseChoice]:
    """The backward half, empty when it is not drawn, and which halves are.

    By default both, where there is a backward pass and both can be read; only the forward one where
    a NaN was born in it: behind a birth there is nothing to see but more of it.
    """
    backward = backward_of(view, subject)
    if not backward.gradients or wanted == "forward":
        return Backward(), "forward"
    if wanted != "auto":
        return backward, wanted
    born = set(view.sick.births[:1])
    if len(view.boxes) > BUDGET * 5 // 4 or any(born & set(box.members) for box in view.boxes):
        return Backward(), "forward"
    return backward, "both"


def placed(view: View, sizes: list[Size], heads: list[float], engine: Engine) -> Scene:
    """The scene, by the engine that is asked for.

    Raises:
        CannotWrite: `dot` is asked for, and has not done it.
    """
    if engine == "builtin":
        return place(view, sizes, heads)
    from graphlens.exporters import _graphviz  # only for who asks for it

    why = ""
    if engine == "auto" and (cost := _graphviz.cost(view)) > _graphviz.CHEAP:
        why = f"dot would take long: its lines pass {cost:,} ranks"
    else:
        try:
            return _graphviz.place(view, sizes, heads)
        except _graphviz.Unplaced as error:
            why = str(error)
    if engine == "dot":
        raise CannotWrite(f"{why}; --engine builtin needs none")
    warnings.warn(f"{why}; placed by our own layout", stacklevel=2)
    return place(view, sizes, heads)


@dataclass
class _Sheet:
    """One document under way."""

    subject: Subject
    view: View
    backward: Backward
    phase: PhaseChoice
    theme: Theme
    engine: Engine = "builtin"
    pen: Pen = field(init=False)
    scene: Scene = field(init=False)
    mirror: Reflection = field(init=False)

    def document(self) -> str:
        """Lay out, draw, and put the frame of the document around it."""
        self.pen = Pen(Paints(self.theme))
        self._place()
        self._dim()
        body = self._body()
        wide, tall, top = self._extent()
        head, head_height = self._heading(wide)
        legend, legend_height = self._legend(wide)
        height = head_height + tall + legend_height + 2 * MARGIN
        self.pen.out = []
        self.pen.rect(Rect(0, 0, wide, height), "paper", 0)
        paper = self.pen.out
        left = (wide - self._body_width()) / 2
        text = clean(self.view.title)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(wide)}" height="{number(height)}"'
                f' viewBox="0 0 {number(wide)} {number(height)}" role="img" aria-labelledby="title about"'
                f' font-family="{SANS}" data-graphlens="picture/1" data-phase="{self.phase}">',
                f'<title id="title">{safe(text)}</title>',
                f'<desc id="about">{safe(". ".join(self._notes()), 2000)}</desc>',
                *([style] if (style := self.pen.paint.style()) else []),
                *paper,
                *head,
                f'<g transform="translate({number(left)} {number(head_height - top)})">',
                *body,
                "</g>",
                f'<g transform="translate(0 {number(head_height + tall + MARGIN)})">',
                *legend,
                "</g>",
                "</svg>",
                "",
            ]
        )

    # ── places ───────────────────────────────────────────────────────────────────────────────

    def _place(self) -> None:
        own = [size(box) for box in self.view.boxes]
        self.gradient_sizes = [size(one.box) for one in self.backward.gradients]
        sizes: list[Size] = []
        for at, one in enumerate(own):
            mirror = self.backward.at.get(at)
            if mirror is not None:
                other = self.gradient_sizes[mirror]
                badge = max(one.badge_height, other.badge_height)
                one = one._replace(
                    room_width=other.width,
                    room_height=other.height,
                    badge_height=badge,
                    badge_width=max(one.badge_width, other.badge_width),
                )
            sizes.append(one)
        heads = [self._head_width(frame) for frame in self.view.frames]
        self.scene = placed(self.view, sizes, heads, self.engine)
        axis = self.scene.width + (BETWEEN + self.scene.width if self.phase == "both" else 0.0)
        measured = [(one.width, one.height) for one in self.gradient_sizes]
        self.mirror = reflect(self.view, self.scene, self.backward, measured, axis)

    def _head_width(self, frame: Frame) -> float:
        return pieces_width(self._frame_head(frame, True)) + (70 if frame.repeat > 1 else 30)

    def _body_width(self) -> float:
        return self.scene.width if self.phase != "both" else 2 * self.scene.width + BETWEEN

    def _extent(self) -> tuple[float, float, float]:
        """Width of the document, height of the drawing, and its upper edge."""
        needed = max(self._body_width() + 2 * MARGIN, 380.0)
        wanted = width(self.view.title, 15, bold=True) + 2 * MARGIN
        return max(needed, min(wanted, 760.0)), self.scene.height, 0.0

    def _dim(self) -> None:
        """Where something is sick, everything else steps back."""
        sick = [box.ill for box in self._boxes()]
        if not any(sick):
            return
        feeds = {link.source for link in self.view.links if self.view.boxes[link.target].born}
        twins = {one.of for one in self.backward.gradients if one.box.born}
        for at, box in enumerate(self.view.boxes):
            box.dim = not (box.ill or at in feeds or at in twins)
        for one in self.backward.gradients:
            one.box.dim = not one.box.ill
        for link in self.view.links:
            link.dim = not link.hot and not self.view.boxes[link.target].born
        lit = {box.frame for box in self._boxes() if not box.dim}
        for frame in list(lit):
            while frame >= 0:
                frame = self.view.frames[frame].parent
                lit.add(frame)
        for at, inner in enumerate(self.view.frames):
            inner.dim = at not in lit

    def _boxes(self) -> list[Box]:
        """Every box that is drawn."""
        forward = self.view.boxes if self.phase != "backward" else []
        return [*forward, *(one.box for one in self.backward.gradients)]

    # ── the drawing ──────────────────────────────────────────────────────────────────────────

    def _body(self) -> list[str]:
        """Frames, then wires, then titles, tags and boxes, each above the ones before."""
        pen, view, scene = self.pen, self.view, self.scene
        pen.out = []
        halves: list[tuple[bool, list[Rect]]] = []
        if self.phase != "backward":
            halves.append((False, scene.frames))
        if self.phase != "forward":
            halves.append((True, [self.mirror.frame(rect) for rect in scene.frames]))
        shown = self._shown_frames()
        for mirrored, rects in halves:
            for at in shown[mirrored]:
                self._frame(at, rects[at])
        self._wires()
        for mirrored, rects in halves:
            for at in shown[mirrored]:
                self._frame_title(at, rects[at], mirrored)
        if self.phase != "backward":
            for at, box in enumerate(view.boxes):
                self._tag(at, box, scene.boxes[at])
            for at, box in enumerate(view.boxes):
                draw(pen, box, scene.boxes[at], f"f{at}")
        else:
            for loss, _ in self.backward.seeds:
                draw(pen, view.boxes[loss], self._mirrored(scene.boxes[loss]), f"f{loss}")
        for at, one in enumerate(self.backward.gradients):
            draw(pen, one.box, self.mirror.boxes[at], f"b{at}")
        return pen.out

    def _mirrored(self, rect: Rect) -> Rect:
        return self.mirror.frame(rect)

    def _shown_frames(self) -> dict[bool, list[int]]:
        """Frames of both halves, the outer ones first; backward ones only around a gradient."""
        around: set[int] = set()
        for one in self.backward.gradients:
            frame = one.box.frame
            while frame >= 0 and frame not in around:
                around.add(frame)
                frame = self.view.frames[frame].parent
        every = list(range(len(self.view.frames)))
        return {False: every, True: [at for at in every if at in around]}

    def _depth(self, at: int) -> int:
        depth = 0
        while self.view.frames[at].parent >= 0:
            at = self.view.frames[at].parent
            depth += 1
        return depth

    def _frame(self, at: int, rect: Rect) -> None:
        frame = self.view.frames[at]
        role = "frame2" if self._depth(at) % 2 else "frame"
        dim = ' opacity="0.5"' if frame.dim else ""
        self.pen.add(f'<g data-module="{safe(frame.path)}"{dim}>{title(frame.hint)}')
        if frame.repeat > 1:
            for k in (8.0, 4.0):
                self.pen.rect(Rect(rect.x0 + k, rect.y0 + k, rect.x1 + k, rect.y1 + k), "sheet", 10)
        self.pen.rect(rect, role, 10, ' stroke-dasharray="6 4"' if frame.flow else "")
        self.pen.add("</g>")

    def _frame_head(self, frame: Frame, mirrored: bool) -> list[Piece]:
        name = Piece(frame.name, NAME, "ink", bold=True)
        return [*nabla(mirrored, NAME, "ink"), name, Piece(frame.kind, 10.5, "mute")]

    def _frame_title(self, at: int, rect: Rect, mirrored: bool) -> None:
        frame = self.view.frames[at]
        role = "frame2" if self._depth(at) % 2 else "frame"
        pieces = self._frame_head(frame, mirrored)
        room = rect.x1 - rect.x0 - 20
        wide = min(room, pieces_width(pieces)) + 10
        dim = ' opacity="0.5"' if frame.dim else ""
        self.pen.add(f"<g{dim}>")
        under = Rect(rect.x0 + 5, rect.y0 + 5, rect.x0 + 5 + wide, rect.y0 + 22)
        self.pen.rect(under, role, 4, ' stroke-opacity="0" fill-opacity="0.9"')
        if frame.repeat > 1:
            room -= chip(self.pen, f"×{frame.repeat}", rect.x1 - 8, rect.y0 + 6)
        self.pen.text(rect.x0 + 10, rect.y0 + 17.5, pieces, room)
        self.pen.add("</g>")

    def _tag(self, at: int, box: Box, rect: Rect) -> None:
        """What leaves the box, once, below it and beside its wire."""
        if not box.tag or box.dim:
            return
        ways = [self.scene.wires[k] for k, link in enumerate(self.view.links) if link.source == at]
        x = max([wire[0][0] for wire in ways if wire], default=(rect.x0 + rect.x1) / 2)
        self.pen.text(x + 5, rect.y1 + 10.5, [Piece(box.tag, TAG, "mute", mono=True)], 260)

    def _wires(self) -> None:
        """Forward links, then gradients, then saved tensors; what is sick lies on top."""
        if self.phase != "backward":
            order = sorted(range(len(self.view.links)), key=lambda k: self.view.links[k].hot)
            for k in order:
                link = self.view.links[k]
                role = "hot" if link.hot else "wire"
                thick = 2.2 if link.hot else 1.1 + min(1.6, 0.35 * (link.size_bytes >> 20).bit_length())
                dash = ' stroke-dasharray="1 3"' if link.control else ""
                self._wire(self.scene.wires[k], role, thick, link.hint, dash, link.dim, self.scene.curved)
        if self.phase == "forward":
            return
        gradients = self.backward.gradients
        for (source, target, _), wire in zip(self.backward.flows, self.mirror.flows, strict=True):
            ill = bool(gradients[source].box.ill and gradients[target].box.ill)
            dim = gradients[source].box.dim or gradients[target].box.dim
            hint = [f"gradient {gradients[source].box.name} → {gradients[target].box.name}"]
            self._wire(wire, "hot" if ill else "grad", 2.2 if ill else 1.2, hint, "", dim, self.scene.curved)
        for (_, target), wire in zip(self.backward.seeds, self.mirror.seeds, strict=True):
            way = wire if self.phase == "both" else [(wire[2][0], wire[0][1] - 13), wire[2]]
            begins = "the gradient comes from outside" if self.subject.part else "the backward pass begins"
            self._wire(way, "grad", 1.2, [begins], "", gradients[target].box.dim)
        if self.phase == "both":
            for (source, target, count), wire in zip(self.backward.saved, self.mirror.saved, strict=True):
                dim = self.view.boxes[source].dim or gradients[target].box.dim
                hint = [f"{count} kept by {self.view.boxes[source].name} for its backward"]
                self._wire(wire, "saved", 1.1, hint, ' stroke-dasharray="4 3"', dim)

    def _wire(
        self,
        wire: Wire,
        role: str,
        thick: float,
        hint: list[str],
        dash: str,
        dim: bool,
        curved: bool = False,
    ) -> None:
        if len(wire) < 2:
            return
        path, tip = curve(wire, bezier=curved)
        faded = ' opacity="0.36"' if dim else ""
        head = {"wire": "tip", "grad": "gradtip", "saved": "savedtip", "hot": "hottip"}[role]
        self.pen.add(
            f"<g{faded}>{title(hint)}"
            f'<path d="{path}" stroke-width="{number(thick)}"{dash}{self.pen.paint(role)}/>'
            f'<path d="{tip}"{self.pen.paint(head)}/></g>'
        )

    # ── around the drawing ───────────────────────────────────────────────────────────────────

    def _notes(self) -> list[str]:
        """What the picture shows, folds, hides and lacks."""
        phase = {"both": "forward | backward"}.get(self.phase, self.phase)
        notes = [*self.subject.said, phase if self.view.trained else "", *self.view.notes]
        if self.backward.unplaced:
            notes.append(f"{self.backward.unplaced:,} backward ops not shown")
        if self.subject.missing:
            notes.append("not captured: " + ", ".join(self.subject.missing))
        return [note for note in notes if note]

    def _heading(self, wide: float) -> tuple[list[str], float]:
        """Title and notes, wrapped; and the height they take."""
        self.pen.out = []
        room = min(wide - 2 * MARGIN, 900.0)
        self.pen.text(MARGIN, 26, [Piece(self.view.title, 15, "ink", bold=True)], room)
        lines = [""]
        for note in self._notes():
            longer = f"{lines[-1]} · {note}" if lines[-1] else note
            if width(clean(longer, 400), 10.5) > room and lines[-1]:
                lines.append(note)
            else:
                lines[-1] = longer
        y = 43.0
        for line in lines:
            self.pen.text(MARGIN, y, [Piece(line, 10.5, "mute")], room)
            y += 15
        return self.pen.out, y + 4

    def _legend(self, wide: float) -> tuple[list[str], float]:
        """What colours and glyphs mean, as far as they occur."""
        self.pen.out = []
        x, y = MARGIN, 8.0
        for kind, said in self._entries():
            needed = width(said, 9.5) + 32
            if x + needed > wide - MARGIN and x > MARGIN:
                x, y = MARGIN, y + 17
            self._entry(kind, x, y)
            self.pen.text(x + 19, y, [Piece(said, 9.5, "mute")], 200)
            x += needed
        return self.pen.out, y

    def _entries(self) -> list[tuple[str, str]]:
        boxes = self._boxes()
        cards = {box.category for box in boxes if not box.small and box.sort != "module"}
        found = [(f"card {category}", SAID[category]) for category in STRIPES if category in cards]
        pills = any(box.small for box in boxes)
        learned = {one.trained for box in boxes for one in box.parameters}
        forward = self.view.boxes if self.phase != "backward" else []
        entries = [
            (pills, "pill", SAID[Category.VIEW]),
            (any(box.sort == "module" for box in boxes), "module", SAID[Category.MODULE]),
            (True in learned, "param", "parameter"),
            (False in learned, "buffer", "buffer"),
            (any(box.saved for box in forward), "diamond", "kept for backward"),
            (bool(self.backward.flows), "grad", "gradient"),
            (self.phase == "both" and bool(self.backward.saved), "saved", "kept tensor"),
            (any(box.ill for box in boxes), "hot", "NaN / Inf"),
            (any(link.size_bytes >= 1 << 20 for link in self.view.links), "thick", "thicker: 1 MB and more"),
        ]
        return found + [(kind, said) for there, kind, said in entries if there]

    def _entry(self, kind: str, x: float, y: float) -> None:
        pen = self.pen
        swatch = Rect(x, y - 8, x + 14, y + 2)
        if kind.startswith("card "):
            category = kind.removeprefix("card ")
            pen.rect(swatch, f"b-{category}", 3)
            pen.rect(Rect(x, y - 8, x + 4, y + 2), f"s-{category}", 1.5)
        elif kind == "pill":
            pen.rect(swatch, f"b-{Category.VIEW}", 5, ' stroke-dasharray="2 1.5"')
        elif kind == "module":
            pen.rect(swatch, "b-module", 3, ' stroke-width="1.5"')
        elif kind in ("param", "buffer"):
            flag(pen, x + 4, y + 0.5, kind)
        elif kind == "diamond":
            diamond(pen, x + 7, y - 3)
        elif kind == "hot":
            pen.rect(swatch, "hot", 3, ' stroke-width="2.2"')
        else:
            role, thick = {"grad": ("grad", 1.6), "saved": ("saved", 1.4), "thick": ("wire", 2.7)}[kind]
            dash = ' stroke-dasharray="4 3"' if kind == "saved" else ""
            pen.add(
                f'<path d="M{number(x)} {number(y - 3)}h14" stroke-width="{thick}"{dash}{pen.paint(role)}/>'
            )


def curve(wire: Wire, *, bezier: bool = False) -> tuple[str, str]:
    """A wire as a path, and the triangle at its end.

    Vertical stretches are straight lines; in between it leaves and arrives vertically. A wire
    whose last stretch is level arrives level. With `bezier` its points are those of a curve already.
    """
    if bezier:
        (x, y), (_, y_before) = wire[-1], wire[-2]
        ahead = TIP if y > y_before else -TIP
        path = f"M{number(wire[0][0])} {number(wire[0][1])}C"
        path += " ".join(f"{number(to_x)} {number(to_y)}" for to_x, to_y in [*wire[1:-1], (x, y - ahead)])
        return path, f"M{number(x)} {number(y)}l-2.7 {number(-ahead)}h5.4z"
    points: Wire = [wire[0]]
    for x, y in wire[1:]:
        if abs(x - points[-1][0]) > 0.05 or abs(y - points[-1][1]) > 0.05:
            points.append((x, y))
    if len(points) == 1:
        points.append((points[0][0], points[0][1] + TIP))
    (x, y), (x_before, y_before) = points[-1], points[-2]
    if abs(y - y_before) < 0.05:
        ahead = TIP if x > x_before else -TIP
        tip = f"M{number(x)} {number(y)}l{number(-ahead)} 2.7v-5.4z"
        points[-1] = (x - ahead, y)
    else:
        ahead = TIP if y > y_before else -TIP
        tip = f"M{number(x)} {number(y)}l-2.7 {number(-ahead)}h5.4z"
        points[-1] = (x, y - ahead)
    path = f"M{number(points[0][0])} {number(points[0][1])}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if abs(x1 - x0) < 0.05:
            path += f"V{number(y1)}"
        elif abs(y1 - y0) < 0.05:
            path += f"H{number(x1 - CORNER if (x1, y1) != points[-1] else x1)}"
            if (x1, y1) != points[-1]:  # and around the corner
                path += f"Q{number(x1)} {number(y1)} {number(x1)} {number(y1 - CORNER)}"
        else:
            half = (y1 - y0) / 2
            ways = (x0, y0 + half, x1, y1 - half, x1, y1)
            path += "C" + " ".join(number(one) for one in ways)
    return path, tip
