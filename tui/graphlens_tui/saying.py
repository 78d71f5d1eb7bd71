"""What the bars and the pages of text say."""

from __future__ import annotations

import time
from pathlib import PurePath

from graphlens import runs
from graphlens.categories import short
from graphlens.health import Findings
from graphlens.processes import how, named
from graphlens.scopes import Span
from graphlens.session import Op, RunState
from graphlens.text import clean
from graphlens_tui import words
from graphlens_tui.glyphs import Glyphs
from graphlens_tui.keys import ACTIONS, Keymap, help_rows
from graphlens_tui.listing import Listing
from graphlens_tui.messages import Compared
from graphlens_tui.model import Mode, Model
from graphlens_tui.paint import ops_text
from graphlens_tui.palette import Palette
from graphlens_tui.panes import Pane
from graphlens_tui.timeline import Line, Sort
from graphlens_tui.widgets.bars import Part, Parts
from graphlens_tui.widgets.dialogs import Piece


def state(model: Model, glyphs: Glyphs, palette: Palette) -> Part:
    """How the run stands."""
    info, now = model.session.run.info, model.session.state
    text = words.ending(now, info)
    if now is RunState.HELD:
        return Part(f" {glyphs.stopped} held ", palette.warn, True, need=8)
    if now is RunState.RUNNING:
        return Part(f" {glyphs.running} {text} ", palette.good, True, need=8)
    if now is RunState.LOST:
        return Part(f" {glyphs.lost} {text} ", palette.warn, True, need=8)
    colour = palette.nan if info.exit_code or info.signal is not None else palette.mute
    return Part(f" {glyphs.stopped} {text} ", colour, True, need=8)


def top(model: Model, mode: Mode, keymap: Keymap, glyphs: Glyphs, palette: Palette) -> Parts:
    """Name, modes, and what is open."""
    info = model.session.run.info
    left = [Part(" graphlens ", palette.on_accent, True, palette.accent, need=5)]
    for one in Mode:
        key, name = keymap.shown(f"{one}_mode"), _LABELS[f"{one}_mode"]
        if one is mode:
            left.append(Part(f" {key}", palette.warn, True, palette.cursor_away, need=8))
            left.append(Part(f" {name} ", palette.bright, True, palette.cursor_away, need=8))
        else:
            left.append(Part(f" {key} {name}", palette.mute, need=8))
            left.append(Part(" ", need=0))
    script = clean(PurePath(info.argv[0]).name if info.argv else info.name, 40)
    right = [
        Part(f" {script} ", palette.bright, need=7),
        Part(f" {clean(PurePath(runs.name_of(model.session.run.path)).name, 40)} ", palette.mute, need=1),
    ]
    if model.shown is not None:
        step = model.shown.timeline.last_step
        if step is not None:
            right.append(Part(f" step {step} ", palette.text, need=4))
    right.append(state(model, glyphs, palette))
    processes = len(model.session.run.processes())
    if model.shown is not None:
        right.append(Part(f" {words.count(model.shown.process.op_count)} ops ", palette.text, need=5))
        who = model.who() if processes > 1 else None
        if who is not None:
            right.append(Part(f" {clean(who.name, 40)}, 1 of {processes} processes ", palette.warn, need=6))
    inf, nan = len(model.ill.inf), len(model.ill.nan)
    if inf:
        right.append(
            Part(f" {glyphs.text('∞')} {words.count(inf)} ", palette.on_ill, True, palette.inf, need=9)
        )
    if nan:
        right.append(Part(f" NaN {words.count(nan)} ", palette.on_ill, True, palette.nan, need=9))
    return Parts(left, right)


def status(
    model: Model, line: Line | None, following: bool, note: Part | None, glyphs: Glyphs, palette: Palette
) -> Parts:
    """Where the cursor is, and what there is to know about the run as a whole."""
    left: list[Part] = [Part(" ")]
    shown, info = model.shown, model.session.run.info
    if shown is not None and line is not None:
        call = shown.timeline.call_of(line)
        around = list(shown.timeline.around(call))[::-1]
        for one in around if line.call is None else around[:-1]:
            need = 4 if one is call or one.parent is None else 2
            left.append(
                Part(f"{clean(shown.timeline.name_of(one), 60)}{glyphs.path}", palette.mute, need=need)
            )
        for span in list(shown.timeline.spans(line))[::-1]:
            left.append(Part(f"{clean(_name(span), 60)}{glyphs.path}", palette.mute, need=4))
        left.append(Part(_what(model, line), palette.bright, True, need=9))
        left.append(Part(f"   {line.seq:,}/{max(0, shown.timeline.end - 1):,}", palette.text, need=6))
    right: list[Part] = []
    if note is not None:
        right.append(note)
    running = model.running()
    if running is not None:
        since = max(0, time.monotonic_ns() - running.since_ns)
        text = f"running #{running.seq} {clean(running.name, 60)} for {words.duration(since)}"
        if not model.live:
            text = f"ended in #{running.seq} {clean(running.name, 60)}"
        right.append(Part(f"  {text}", palette.warn, True, need=8))
    if model.trouble:
        right.append(Part(f"  {model.trouble}", palette.nan, True, need=8))
    elif not model.live and (
        model.session.state is RunState.LOST or info.exit_code or info.signal is not None
    ):
        right.append(Part(f"  {words.why_ended(model.session.state, info)}", palette.warn, need=5))
    gaps = model.gaps()
    if gaps:
        many = "gap" if len(gaps) == 1 else "gaps"
        right.append(Part(f"  {len(gaps)} {many}", palette.warn, True, need=7))
    if model.live:
        right.append(Part("  follow: ", palette.mute, need=3))
        right.append(Part("on" if following else "off", palette.good if following else palette.warn, need=3))
    right.append(Part(" "))
    return Parts(left, right)


def _name(span: Span) -> str:
    return (span.name or span.kind) + (f"#{span.nth + 1}" if span.nth else "")


def _what(model: Model, line: Line) -> str:
    shown = model.shown
    assert shown is not None
    if line.sort is Sort.CALL:
        call = shown.timeline.call_of(line)
        return "?" if call is None else clean(shown.timeline.name_of(call))
    if line.span is not None:
        return f"{ops_text(line)} folded"
    node = shown.timeline.node(line)
    seen = None if node is None else shown.process.nodes.get(node)
    return "?" if seen is None else clean(seen.op)


def health_status(findings: Findings | None, live: bool, note: Part | None, palette: Palette) -> Parts:
    """The verdict in one line."""
    right = [] if note is None else [note, Part(" ")]
    if findings is None:
        return Parts([Part(" looking…", palette.warn, need=9)], right)
    answer = findings.answer
    origin = answer["origin"]
    if origin is None:
        fine = answer["status"] == "clean"
        left = [
            Part(
                f" {answer['status']}{' so far' if live else ''} ",
                palette.good if fine else palette.warn,
                True,
                need=9,
            )
        ]
    else:
        ill = palette.nan if origin["kind"] == "nan" else palette.inf
        step = "before the first step" if origin["step"] is None else f"step {origin['step']}"
        where = clean(f"{PurePath(origin['file']).name}:{origin['line']}") if origin["file"] else ""
        left = [
            Part(" first harm: ", palette.mute, need=4),
            Part(f"{step} op #{origin['seq']} {clean(origin['op'], 60)} {where}", ill, True, need=9),
        ]
        many, later = findings.later
        if later:
            left.append(Part(f"   {many:,} of {later:,} later ops not finite", palette.text, need=6))
    if findings.took >= 1:
        right.insert(0, Part(f"  judged in {findings.took:.1f} s", palette.faint, need=1))
    return Parts(left, right)


def tensor_status(
    model: Model, op: Op | None, findings: Findings | None, note: Part | None, palette: Palette
) -> Parts:
    """Where the operation is; of the verdict's own what led to it."""
    right = [] if note is None else [note, Part(" ")]
    if op is None:
        return Parts([], right)
    left: list[Part] = [Part(" ")]
    answer = None if findings is None else findings.answer
    origin = None if answer is None else answer["origin"]
    who = model.who()
    if answer is not None and origin and who and (origin["process"], origin["seq"]) == (who.number, op.seq):
        left.append(Part("provenance: ", palette.mute, need=5))
        if len(answer["before"]) > 6:
            left.append(Part("… → ", palette.mute, need=1))
        for k, one in enumerate(answer["before"][-6:]):  # the nearest stay the longest
            left.append(Part(f"{short(clean(one['op'], 40))} → ", palette.text, need=2 + k))
        ill = palette.nan if origin["kind"] == "nan" else palette.inf
        left.append(Part(short(clean(op.node.op, 60)), ill, True, need=9))
    else:
        if op.scope_path:
            left.append(Part(f"{clean(op.scope_path, 80)} › ", palette.mute, need=4))
        left.append(Part(clean(op.node.op, 80), palette.bright, True, need=9))
    if op.site is not None:
        left.append(Part(f"   {clean(PurePath(op.site.file).name)}:{op.site.line}", palette.accent, need=6))
    return Parts(left, right)


def runs_status(
    listing: Listing,
    compared: Compared | None,
    note: Part | None,
    keymap: Keymap,
    palette: Palette,
    hint: str,
) -> Parts:
    """Which runs are listed; or which two stand beside each other. `hint`: what else there is to see."""
    right = [] if note is None else [note, Part(" ")]
    if compared is not None:
        older, newer = clean(compared.older.name, 60), clean(compared.newer.name, 60)
        return Parts([Part(f" {older} against {newer}", palette.bright, True, need=9)], right)
    many, shown = len(listing.entries), len(listing.shown)
    left = [Part(f" {keymap.shown('search')} ", palette.warn, True, need=5)]
    if listing.asked:
        left.append(Part(f"{clean(listing.asked, 60)}   ", palette.bright, True, need=8))
        left.append(Part(f"{shown:,} of {many:,} runs", palette.text, need=9))
    else:
        left.append(Part("filter   ", palette.mute, need=5))
        left.append(Part(f"{many:,} run{'s' * (many != 1)}", palette.text, need=9))
    unread = sum(one.path not in listing.known for one in listing.entries)
    if unread:
        left.append(Part(f"   {unread:,} not read yet", palette.warn, need=4))
    if hint:
        left.append(Part(f"   {hint}", palette.mute, need=3))
    if listing.marked:
        left.append(Part(f"   {len(listing.marked)} marked", palette.inf, True, need=7))
    return Parts(left, right)


FOOTER = ("fold", "boxes", "next_ill", "search", "producer", "help", "leave")
TENSOR_FOOTER = ("heat", "next_bad", "expression", "difference", "save", "help", "leave")
STEP_FOOTER = ("step_into", "step_over", "step_out", "go_on", "break_here", "help", "leave")
HEALTH_FOOTER = ("detail", "judge", "rules", "graph_mode", "help", "leave")
COMPARED_FOOTER = ("detail", "back", "graph_mode", "health_mode", "help", "leave")
BOXES_FOOTER = ("fold", "larger", "plumbing", "next_ill", "boxes", "help", "leave")
RUNS_FOOTER = ("detail", "mark", "compare", "export", "delete", "help", "leave")
"""At most seven; what else there is, `?` says."""
_FOOTERS: dict[str, tuple[str, ...]] = {
    "boxes": BOXES_FOOTER, Mode.STEP: STEP_FOOTER, Mode.TENSOR: TENSOR_FOOTER,
    Mode.HEALTH: HEALTH_FOOTER, Mode.RUNS: RUNS_FOOTER,
}  # fmt: skip
_LABELS = {action.id: action.label or action.id for action in ACTIONS}


def footer(
    keymap: Keymap, model: Model, mode: str, typing: bool, palette: Palette, *, comparing: bool = False
) -> Parts:
    """The keys that matter most; `comparing`: two runs are shown instead of the list of runs."""
    if typing:
        return Parts(
            [
                Part(" keys go to the script ", palette.warn, True, need=9),
                Part(" escape ", palette.warn, True, need=8),
                Part("back", palette.text, need=8),
            ],
            [],
        )
    parts: list[Part] = [Part(" ", need=9)]
    graph = ("follow", *FOOTER[:3], *FOOTER[4:]) if model.live else FOOTER
    actions = COMPARED_FOOTER if comparing else _FOOTERS.get(mode, graph)
    for k, action in enumerate(actions):
        key = keymap.shown(action)
        if key:
            need = 8 if action in ("help", "leave") else 7 - k // 2
            parts.append(Part(f"{key} ", palette.warn, True, need=need))
            label = "Open" if actions is RUNS_FOOTER and action == "detail" else _LABELS[action]
            parts.append(Part(f"{label}  ", palette.text, need=need))
    return Parts(parts, [])


def help_lines(keymap: Keymap, panes: list[type[Pane]], palette: Palette) -> list[list[Piece]]:
    """The table of keys, and what the panes show."""
    lines: list[list[Piece]] = []
    heading = ""
    for group, keys, what in help_rows(keymap):
        if group != heading:
            if heading:
                lines.append([])
            lines.append([(group, palette.accent, True)])
            heading = group
        lines.append([(f"  {keys:<18}", palette.warn, True), (what, palette.text, False)])
    for pane in panes:
        lines += [[], [(f"The {pane.TITLE} pane", palette.accent, True)]]
        lines += [[(f"  {text}", palette.text, False)] for text in (pane.HELP or "").splitlines()]
    lines += [[], [("Keys of your own: ~/.config/graphlens/keys.toml", palette.mute, False)]]
    lines += [[(f"  {wrong}", palette.nan, True)] for wrong in keymap.wrong]
    return lines


def about_lines(model: Model, palette: Palette) -> list[list[Piece]]:
    """The run as a whole: what was started, how it ended, and what was not seen of it."""
    run = model.session.run
    info = run.info
    lines: list[list[Piece]] = []

    def fact(name: str, text: str, colour: str = palette.text, bold: bool = False) -> None:
        lines.append([(f"{name:<11}", palette.mute, False), (text, colour, bold)])

    fact("run", clean(str(run.path)))
    fact("script", clean(" ".join(info.argv), 400))
    fact("started", time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(info.started)))
    fact(
        "python",
        f"{clean(info.python)}   level {clean(info.level)}"
        + (f"   steps {clean(info.steps)}" if info.steps else ""),
    )
    shown = model.process()
    for who in named(run):
        process = who.process
        frameworks = ", ".join(
            f"{clean(one.tracer)} {clean(one.framework_version)}" for one in process.tracers
        )
        ops = f"{process.op_count:,} ops   {how(run, process)}"
        fact("process", f"{who.number}: {clean(who.name)}   {process.pid}   {ops}   {frameworks}")
        if process is shown and len(run.processes()) > 1:
            lines[-1].append(("   shown", palette.good, False))
    fact("state", words.ending(model.session.state, info))
    why = words.why_ended(model.session.state, info)
    if why:
        fact("", why)
    running = model.running()
    if running is not None:
        fact(
            "op",
            f"#{running.seq} {clean(running.name)} "
            + ("runs" if model.live else "was running when it ended"),
        )
    lines.append([])
    gaps = model.gaps()
    if not gaps:
        lines.append([("Everything that ran was looked at, as far as is known.", palette.good, False)])
    else:
        lines.append([("Not looked at, or not readable:", palette.warn, True)])
    for gap in gaps:
        times = f"  {gap.count:,} times" if gap.count > 1 else ""
        lines.append(
            [
                (f"  {gap.kind:<11}", palette.warn, False),
                (clean(gap.what, 300), palette.text, False),
                (times, palette.mute, False),
            ]
        )
    return lines
