"""Everything that is known of one operation, or of a step, as lines of a given width."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.segment import Segment

from graphlens.categories import category, short
from graphlens.letters import elements, spec_text
from graphlens.session import Call, Op, OutputSeen
from graphlens.text import clean
from graphlens_tracers.events import NodeSeen, Phase, Seq, SiteSeen, ValueId
from graphlens_tui import words
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.model import Model, Shown
from graphlens_tui.paint import classes, elided, sized
from graphlens_tui.palette import Palette, style
from graphlens_tui.source import Sources

MOST = 12
"""Inputs, outputs, readers of each kind that are listed; how many more there are is said."""
AROUND = 6
"""Lines of source before and after the one that is meant."""


@dataclass
class Page:
    """Collects lines.

    Attributes:
        width: In cells.
        longest_spec: Cells of the longest tensor type on the page: the width of its column.
    """

    width: int
    glyphs: Glyphs
    palette: Palette
    longest_spec: int = 18
    lines: list[list[Segment]] = field(default_factory=list)

    def line(self, *parts: tuple[str, str] | tuple[str, str, str]) -> None:
        """A line of (text, colour) or (text, colour, "bold italic underline")."""
        segments, left = [], self.width
        for text, colour, *how in parts:
            shown = elided(self.glyphs.text(text), left, self.glyphs.text("…"))
            looks = how[0].split() if how else []
            segments.append(
                Segment(
                    shown,
                    style(
                        colour,
                        self.palette.ground,
                        *(one in looks for one in ("bold", "italic", "underline")),
                    ),
                )
            )
            left -= cell_len(shown)
        self.lines.append(segments)

    def blank(self) -> None:
        """An empty line."""
        self.lines.append([])

    def fact(self, name: str, *parts: tuple[str, str] | tuple[str, str, str]) -> None:
        """A name and what there is to say of it."""
        self.line((f"{name:<9}", self.palette.mute), *parts)


def of_operation(
    model: Model, shown: Shown, sources: Sources, seq: Seq, page: Page, *, around: int = AROUND
) -> None:
    """Put everything known of an operation on the page.

    Args:
        around: Lines of source before and after its own; -1 for none, where it is shown beside the page.

    Raises:
        UnknownOp: It has no row.
    """
    op = shown.process.op(seq)
    palette = page.palette
    node = op.node
    name = clean(node.op)
    page.line((f"#{seq} ", palette.mute), (name, palette.kind(category(node.op)), "bold"))
    if op.error is not None:
        page.fact("raised", (clean(op.error), palette.nan, "bold"))
    path = page.glyphs.path.join(clean(part) for part in op.scope_path.split(".")) if op.scope_path else "—"
    scope = shown.process.scopes.get(node.scope) if node.scope is not None else None
    kind = f"  {clean(scope.kind)}" if scope is not None and scope.kind else ""
    page.fact("module", (path, palette.text), (kind, palette.mute))
    if op.site is not None:
        _place(page, sources, op.site, first=True)
        for frame in shown.process.frames(node.site)[1:4] if node.twin is None else ():
            _place(page, sources, frame, first=False)
    page.fact("phase", (str(node.phase), palette.text), (f"  {_call_text(op.call)}", palette.mute))
    if op.call is not None and op.call.parent is not None:
        names = [clean(shown.timeline.name_of(one)) for one in shown.timeline.around(op.call)][-2::-1]
        page.fact("function", (page.glyphs.path.join(names), palette.text))
    entered = shown.timeline.inside(seq) if node.calls is not None else None
    if entered is not None:
        where = f"  #{entered.first} to #{entered.last}, enter goes there"
        page.fact("runs", (clean(shown.timeline.name_of(entered)), palette.text), (where, palette.mute))
    for which, index, text in op.by_hand:
        page.fact("by hand", (f"{which}put {index} = {clean(text, 200)}", palette.warn, "bold"))
    if op.took_ns:  # TensorFlow tells no times of what it runs in a function
        page.fact("time", (words.duration(op.took_ns), palette.text))
    twin = _twins(shown, op)
    if twin:
        page.fact("forward" if node.phase is Phase.BACKWARD else "backward", (twin, palette.text))
    if node.formula:
        page.fact("part of", (clean(node.formula), palette.text))
    first = shown.process.nodes.get(node.remakes) if node.remakes is not None else None
    if first is not None:
        page.fact("repeats", (_named(shown, op, first), palette.text))
    page.blank()
    page.longest_spec = min(24, max((len(spec) for spec in _specs(shown, op)), default=8))
    _inputs(shown, op, page)
    _outputs(op, page)
    _readers(shown, op, page)
    page.blank()
    _form(shown, op, page)
    for output in op.outputs:
        if output.looked_at:
            _elements(output, page)
            break
    if op.site is not None and around >= 0:
        page.blank()
        sources.put(op.site, page, around)


def of_call(model: Model, shown: Shown, call: Call, page: Page) -> None:
    """Put what is known of a step on the page."""
    palette = page.palette
    title = clean(shown.timeline.name_of(call))
    page.line((title, palette.accent, "bold"))
    if call.parent is not None:
        outer = [clean(shown.timeline.name_of(one)) for one in shown.timeline.around(call)][:0:-1]
        page.fact("in", (page.glyphs.path.join(outer), palette.text))
    graph = next((seen for seen in shown.process.graphs() if seen.graph == call.graph), None)
    same = sum(1 for other in shown.timeline.calls.values() if other.graph == call.graph)
    if graph is not None:
        times = "once" if same == 1 else f"{same:,} times"
        page.fact("graph", (clean(graph.name), palette.text), (f"  taken {times}", palette.mute))
        if graph.because:
            page.fact("traced again", (clean(graph.because), palette.text))
    page.fact(
        "ops",
        (f"{call.last - call.first + 1:,}", palette.text),
        (f"  #{call.first} to #{call.last}", palette.mute),
    )
    if call.last >= call.first:
        rows = shown.process.rows(call.last, call.last + 1)
        began = shown.process.rows(call.first, call.first + 1).began
        if len(rows.seq) and len(began):
            took = int(rows.began[0] + rows.took[0] - began[0])
            page.fact(
                "time",
                (words.duration(took), palette.text),
                ("  from its first operation to its last", palette.mute),
            )
    if not call.ended:
        page.fact("", ("goes on" if model.live else "it has no end: the script ended in it", palette.warn))
    if call.error is not None:
        page.fact("raised", (clean(call.error), palette.nan, "bold"))
    nan, inf = model.ill.between(call.first, call.last + 1)
    if nan or inf:
        page.fact(
            "ill", (f"{nan:,} with NaN", palette.nan, "bold"), (f"  {inf:,} with an infinity", palette.inf)
        )
        first = model.ill.after(call.first - 1)
        page.fact("", (f"the first is #{first}", palette.text))
    elif model.ill.known:
        page.fact("health", ("all numbers that were looked at are finite", palette.good))
    if call.strand:
        page.fact("thread", (str(call.strand), palette.text))


def _place(page: Page, sources: Sources, site: SiteSeen, *, first: bool) -> None:
    """A place in the source; of a long path the end is shown, for that is where the name is."""
    function = f"  in {clean(site.function, 40)}"
    before = "" if first else "from "
    room = max(12, page.width - 9 - len(before) - cell_len(function))
    where = elided(f"{clean(sources.shown(site.file))}:{site.line}", room, page.glyphs.text("…"), left=True)
    if first:
        page.fact("source", (where, page.palette.accent, "underline"), (function, page.palette.mute))
    else:
        page.fact("", (f"{before}{where}{function}", page.palette.faint))


def _call_text(call: Call | None) -> str:
    if call is None:
        return "in no call that is known"
    step = f"step {call.step} · " if call.step is not None else ""
    return f"{step}{call.role} · call {call.call}"


def _twins(shown: Shown, op: Op) -> str:
    """The operation that this one differentiates, or those that differentiate it, by number."""
    timeline = shown.timeline
    stretch, place = timeline.stretch_of(op.seq), timeline.position(op.seq)
    if stretch is None or place is None:
        return ""
    way = timeline.way(place[0])
    if op.node.twin is not None:
        twin = shown.process.nodes.get(op.node.twin)
        return _named(shown, op, twin) if twin is not None else "?"
    found = [timeline.seq_at(stretch, at) for at in way.derivatives.get(op.node.node, ())]
    seqs = [f"#{seq}" for seq in found if seq is not None]
    return " ".join(seqs[:MOST]) + (f" and {len(seqs) - MOST} more" if len(seqs) > MOST else "")


def _named(shown: Shown, op: Op, node: NodeSeen) -> str:
    """Another node of the operation's call, by number: "#83 _softmax"."""
    timeline, name = shown.timeline, short(clean(node.op))
    stretch, place = timeline.stretch_of(op.seq), timeline.position(op.seq)
    at = None if place is None else timeline.way(place[0]).place.get(node.node)
    seq = None if stretch is None or at is None else timeline.seq_at(stretch, at)
    return f"#{seq} {name}" if seq is not None else f"{name}, not in this call"


# ── tensors ──────────────────────────────────────────────────────────────────────────────────


def _row(
    page: Page, label: str, who: str, colour: str, output: OutputSeen | None, spec: str, note: str = ""
) -> None:
    """ "in   #83  _softmax   f32[4,10]   0…1"."""
    palette = page.palette
    room = page.width - 5
    numbers = words.values(output) if output is not None else ""
    ill = output is not None and output.finite is False
    hue = palette.mute if not ill else palette.nan if "NaN" in numbers else palette.inf
    spec_room = max(6, min(page.longest_spec + 1, room // 2))
    name_room = max(8, min(30, room - spec_room - 15))
    page.line(
        (f"{label:<5}", palette.mute),
        (sized(elided(page.glyphs.text(who), name_room - 1, page.glyphs.text("…")), name_room), colour),
        (
            sized(elided(page.glyphs.text(spec), spec_room - 1, page.glyphs.text("…")), spec_room),
            palette.mute,
        ),
        (numbers or note, hue, "bold" if ill else ""),
    )


def _specs(shown: Shown, op: Op) -> list[str]:
    """The types of everything that goes in and comes out, as far as they are listed."""
    process = shown.process
    specs = [output.spec for output in op.outputs[:MOST]]
    for value, _ in op.inputs[:MOST]:
        maker = None if value is None else process.maker(value)
        leaf = None if value is None else process.leaves.get(value)
        if maker is not None:
            specs.append(process.nodes[maker[0]].outputs[maker[1]].spec)
        elif leaf is not None:
            specs.append(leaf.spec)
    return [clean(spec_text(spec)) for spec in specs]


def _inputs(shown: Shown, op: Op, page: Page) -> None:
    process, palette = shown.process, page.palette
    given = [(k, value, made) for k, (value, made) in enumerate(op.inputs) if value is not None]
    for k, value, made in given[:MOST]:
        maker = process.maker(value)
        if made is not None and maker is not None:
            node = process.nodes[maker[0]]
            output = _output_of(shown, made, node, maker[1], op.call)
            who, colour = f"#{made} {short(clean(node.op))}", palette.kind(category(node.op))
            _row(page, f"in{k}", who, colour, output, spec_text(output.spec) if output else "")
            continue
        leaf = process.leaves.get(value)
        if leaf is not None:
            who = clean(leaf.name) or f"value {value}"
            note = leaf.kind if made is None else f"{leaf.kind}, from #{made}"
            _row(page, f"in{k}", who, palette.bright, None, clean(spec_text(leaf.spec)), note)
        else:
            _row(page, f"in{k}", f"value {value}", palette.mute, None, "", "not recorded")
    if len(given) > MOST:
        page.line((f"     and {len(given) - MOST} more inputs", palette.faint))


def _output_of(shown: Shown, seq: int, node: NodeSeen, slot: int, call: Call | None) -> OutputSeen | None:
    numbers = shown.decoded.at(seq)
    specs = shown.process.specs(call, node.node)
    return numbers.output(node, slot, specs[slot]) if numbers is not None and slot < len(specs) else None


def _outputs(op: Op, page: Page) -> None:
    palette = page.palette
    written = {out: into for into, out in op.node.writes}
    for slot, output in enumerate(op.outputs[:MOST]):
        note = "not looked at" if not output.looked_at else ""
        if slot in written:
            who = f"in{written[slot]}, changed in place"
        elif output.alias is not None:
            who = f"a view of in{output.alias}"
        else:
            who = short(clean(op.node.op))
        _row(
            page,
            f"out{slot}",
            who,
            palette.kind(category(op.node.op)),
            output,
            clean(spec_text(output.spec)),
            note,
        )
    if len(op.outputs) > MOST:
        page.line((f"     and {len(op.outputs) - MOST} more outputs", palette.faint))


def _readers(shown: Shown, op: Op, page: Page) -> None:
    timeline = shown.timeline
    stretch, place = timeline.stretch_of(op.seq), timeline.position(op.seq)
    if stretch is None or place is None:
        return
    way = timeline.way(place[0])
    seqs: list[tuple[int, str]] = []
    users = way.users[place[1]]
    for user in users[:MOST]:
        seq = timeline.seq_at(stretch, user)
        if seq is not None:
            seqs.append((seq, short(clean(shown.process.nodes[way.order[user]].op))))
    if seqs:
        more = f" and {len(users) - MOST} more" if len(users) > MOST else ""
        wrapped(page, "used", ", ".join(f"#{seq} {name}" for seq, name in seqs) + more, page.palette.text)


def _form(shown: Shown, op: Op, page: Page) -> None:
    changed = shown.process.scalars(op.seq, op.seq + 1).get(op.seq, {})
    wrapped(page, "call", form_text(op.node, changed), page.palette.text)


def wrapped(page: Page, name: str, text: str, colour: str) -> None:
    """A fact of several lines, at most six."""
    room = max(8, page.width - 9)
    text = page.glyphs.text(clean(text, 6 * room))
    pieces = []
    while text:
        cut = len(text) if len(text) <= room else text.rfind(" ", room // 2, room) + 1 or room
        pieces.append(text[:cut].rstrip())
        text = text[cut:]
    for k, piece in enumerate(pieces[:6]):
        page.fact(name if k == 0 else "", (piece, colour))


def form_text(node: NodeSeen, changed: dict[int, float]) -> str:
    """The call as one would write it: "addmm(in0, in1, in2, beta=1)".

    Args:
        changed: Scalars by their number in the form that were not as the form says this time.
    """
    try:
        args, kwargs = json.loads(node.form)
    except (ValueError, TypeError):
        return node.form
    if not (isinstance(args, list) and isinstance(kwargs, dict)):
        return node.form
    counter = _Scalars(changed)
    parts = [_argument(one, counter) for one in args]
    parts += [f"{key}={_argument(one, counter)}" for key, one in kwargs.items()]
    return f"{short(node.op)}({', '.join(parts)})"


class _Scalars:
    """Numbers the scalars of a form, and says those that were not as in it."""

    def __init__(self, changed: dict[int, float]) -> None:
        self._changed = changed
        self._next = 0

    def take(self, said: float) -> str:
        now = self._changed.get(self._next, said)
        self._next += 1
        if now != said and float(now).is_integer() and isinstance(said, int):
            now = int(now)
        return f"{now:.6g}" if isinstance(now, float) else str(now)


def _argument(one: object, scalars: _Scalars) -> str:
    if isinstance(one, bool) or one is None:
        return str(one)
    if isinstance(one, int | float):
        return scalars.take(one)
    if isinstance(one, str):
        if one.startswith("$$"):
            return repr(one[1:])
        return f"in{one[1:]}" if one.startswith("$") else repr(one)
    if isinstance(one, list):
        return f"[{', '.join(_argument(part, scalars) for part in one)}]"
    if isinstance(one, dict):
        if len(one) == 1:
            return str(next(iter(one.values())))
        return "{" + ", ".join(f"{key}: {_argument(part, scalars)}" for key, part in one.items()) + "}"
    return str(one)


def _elements(output: OutputSeen, page: Page) -> None:
    """How many elements of each class there are, where that is known; else which classes there are."""
    page.blank()
    total = elements(output.spec)
    palette = page.palette
    signs = classes(output)
    names = ("-", "0", "+", "∞", "NaN")
    colours = (*palette.signs, palette.inf, palette.nan)
    counted: dict[str, int] = {}
    if output.nan is not None and output.pos_inf is not None and output.neg_inf is not None:
        counted = {"∞": output.pos_inf + output.neg_inf, "NaN": output.nan}
        finite = total - counted["∞"] - counted["NaN"]
        present = [name for name, there in zip(names[:3], signs[:3], strict=True) if there is not False]
        if len(present) == 1:
            counted[present[0]] = finite
    room = max(4, min(24, page.width - 22))
    unknown: list[str] = []
    for name, there, colour in zip(names, signs, colours, strict=True):
        if there is False or (name in counted and not counted[name]):
            continue
        label = (f"{page.glyphs.text(name):>5} ", colour, "bold")
        if name in counted and total:
            part = counted[name] / total
            full = max(1, round(part * room))
            page.line(
                label, (page.glyphs.full * full, colour), (page.glyphs.part * (room - full), palette.track),
                (f" {counted[name]:,} ({part:.1%})", palette.text),
            )  # fmt: skip
        elif there:
            page.line(label, ("occurs, not counted", palette.mute))
        else:
            unknown.append(name)
    if unknown:
        page.line((f"{'':6}nobody looked for {' '.join(unknown)}", palette.mute))
    numbers = output.numerics
    if numbers is not None and numbers.low is not None and numbers.high is not None and not output.finite:
        page.line((f"{'':6}finite ones {words.between(numbers.low, numbers.high)}", palette.mute))
    if numbers is not None and numbers.mean is not None:
        page.line((f"{'':6}mean {words.number(numbers.mean)}", palette.mute))
    if output.where:
        shown = " ".join(str(list(index)) for index in output.where[:6])
        more = " …" if len(output.where) > 6 else ""
        wrapped(page, "at", shown + more, palette.mute)


def operations_of(shown: Shown, seq: Seq, *, makers: bool) -> list[tuple[Seq, str]]:
    """(operation, its name) of those that made what an operation reads, or that read what it made."""
    timeline = shown.timeline
    found: dict[Seq, str] = {}
    if makers:
        op = shown.process.op(seq)
        for value, made in op.inputs:
            if value is not None and made is not None:
                found.setdefault(made, _made_by(shown, value))
        return list(found.items())
    stretch, place = timeline.stretch_of(seq), timeline.position(seq)
    if stretch is None or place is None:
        return []
    way = timeline.way(place[0])
    for user in way.users[place[1]]:
        at = timeline.seq_at(stretch, user)
        if at is not None:
            found.setdefault(at, short(clean(shown.process.nodes[way.order[user]].op)))
    return list(found.items())


def _made_by(shown: Shown, value: ValueId) -> str:
    maker = shown.process.maker(value)
    if maker is not None:
        return short(clean(shown.process.nodes[maker[0]].op))
    leaf = shown.process.leaves.get(value)
    return clean(leaf.name) if leaf is not None else "?"


def twins_of(shown: Shown, seq: Seq) -> list[tuple[Seq, str]]:
    """The forward operation that one differentiates, or those that differentiate it."""
    timeline = shown.timeline
    stretch, place = timeline.stretch_of(seq), timeline.position(seq)
    if stretch is None or place is None:
        return []
    way = timeline.way(place[0])
    node = shown.process.nodes[way.order[place[1]]]
    at: Sequence[int | None]
    at = [way.place.get(node.twin)] if node.twin is not None else way.derivatives.get(node.node, [])
    found = []
    for position in at:
        there = None if position is None else timeline.seq_at(stretch, position)
        if there is not None and position is not None:
            found.append((there, short(clean(shown.process.nodes[way.order[position]].op))))
    return found
