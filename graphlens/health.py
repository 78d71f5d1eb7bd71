"""What there is to say of a run's health: the verdict, where in time it is, alerts, and how far it spread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from graphlens.processes import Who, named
from graphlens.rules import Alert, Rule, alerts
from graphlens.session import NAN, Call, OutputSeen, Process, Run
from graphlens.verdict import verdict_answer
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import NodeId, NodeSeen, Phase, Seq, SiteSeen

MOST_STEPS = 12
"""Calls of which it is shown where in them numbers are not finite."""
FINEST = 4096
"""Cells of such a call that are kept; of a longer one each stands for several operations."""
MOST_PLACES = 400
"""Operations of the path whose numbers are read."""
MOST_GROUPS = 18
"""Modules that the spread is told of apart; with more, those further in are told together."""
OPTIMIZER = "optimizer"
"""What its own operations stand under, which are in no module."""
LARGE = 1e4
"""Numbers from here on are drawn as large: half precision ends soon."""
Cells = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


class Cell(IntEnum):
    """How some operations were: the worst of them."""

    NOTHING = 0  # no number, or nobody has looked
    FINE = 1
    LARGE = 2
    INF = 3
    NAN = 4


@dataclass(frozen=True, eq=False)
class Step:
    """One call of the script: how its operations were, in order."""

    call: Call
    name: str
    ops: int
    cells: Cells


@dataclass(frozen=True, eq=False)
class Group:
    """What ran in a module in one call, forward and backward.

    Attributes:
        forward, backward: A cell an operation; of many each stands for several.
        counts: How many operations of each kind of cell, forward and backward.
    """

    name: str
    forward: Cells
    backward: Cells
    counts: tuple[list[int], list[int]]


@dataclass(frozen=True, eq=False)
class Findings:
    """All of it, about the process that is shown unless it says otherwise.

    Attributes:
        answer: As `graphlens why --json` prints it.
        who: The process that steps, phases, sizes and groups are of.
        whos: All of the run.
        site: Of the origin.
        outputs: For operations on the way to the origin and to the harm, what they made: the telling output.
        whole: A cell for each outermost call of the process, in order.
        steps: Some of them; `focus` is the number of the one that the rest is about, among them.
        phases: (name, first, stop) as positions in the focus.
        sizes: The largest finite size that each of its operations made; NaN where there is none.
        ran: How many operations in how many steps, of all processes; `ill`: those of the one that is shown
            that are not finite.
        later: Of the operations after the origin (those that are not finite, all).
        took: Seconds that this took.
    """

    answer: dict[str, Any]
    who: Who | None
    whos: Sequence[Who]
    alerts: Sequence[Alert] = ()
    site: SiteSeen | None = None
    outputs: dict[int, OutputSeen] = field(default_factory=dict)
    whole: Cells = field(default_factory=lambda: np.empty(0, np.uint8))
    steps: Sequence[Step] = ()
    focus: int = -1
    phases: Sequence[tuple[str, int, int]] = ()
    sizes: Floats = field(default_factory=lambda: np.empty(0))
    groups: Sequence[Group] = ()
    ran: tuple[int, int] = (0, 0)
    ill: int = 0
    later: tuple[int, int] = (0, 0)
    took: float = 0.0


def find(run: Run, shown: Process, rules: Sequence[Rule], *, only: bool = False) -> Findings:
    """Judge a run, and work out what there is to draw of it: one or two seconds for a million operations.

    Args:
        shown: The process that the graph is of; where the origin is in another one, that is drawn.
        only: Not so: `shown` is drawn in any case.
    """
    began = time.monotonic()
    answer = verdict_answer(run)
    whos = named(run)
    origin = answer["origin"]
    number = None if origin is None else origin["process"]
    who = None if only else next((one for one in whos if one.number == number), None)
    who = who or next((one for one in whos if one.process is shown), None)
    if who is None:
        return Findings(answer, None, whos, took=time.monotonic() - began)
    process = who.process
    seqs, flags = process.bad_flags()
    calls = [call for call in process.calls() if call.parent is None and call.last >= call.first]
    at = int(origin["seq"]) if origin is not None and who.number == number else None
    focus = _focus(calls, seqs, at)
    steps = _steps(process, calls, focus, seqs, flags)
    call = calls[focus] if calls else None
    node = None if at is None else process.nodes.get(process.op(Seq(at)).node.node)
    ways = (*answer["before"], *answer["path"]) if at is not None else ()
    places = [int(one["seq"]) for one in ways][:MOST_PLACES]
    positions = _Focus(process, call, seqs, flags) if call is not None else None
    return Findings(
        answer,
        who,
        whos,
        alerts(process, rules),
        None if node is None else process.site_of(node),
        _outputs(process, places),
        _whole(calls, seqs, flags),
        steps,
        next((k for k, step in enumerate(steps) if step.call is call), -1),
        positions.phases() if positions else (),
        positions.sizes() if positions else np.empty(0),
        positions.groups() if positions else (),
        _ran(whos),
        len(seqs),
        (0, 0) if at is None else (int(np.count_nonzero(seqs > at)), int(process.end) - 1 - at),
        time.monotonic() - began,
    )


def _ran(whos: Sequence[Who]) -> tuple[int, int]:
    """Operations and steps of some processes."""
    steps = {(who.number, call.step) for who in whos for call in who.process.calls() if call.step is not None}
    return sum(who.process.op_count for who in whos), len(steps)


def _focus(calls: Sequence[Call], seqs: npt.NDArray[np.int64], at: int | None) -> int:
    """The call of the origin; without one of the first that is not finite, else the last that trains."""
    seq = at if at is not None else int(seqs[0]) if len(seqs) else None
    for k, call in enumerate(calls):
        if seq is not None and call.first <= seq <= call.last:
            return k
    trains = [k for k, call in enumerate(calls) if call.role == "train"]
    return trains[-1] if trains else len(calls) - 1


def _outputs(process: Process, places: Sequence[int]) -> dict[int, OutputSeen]:
    found: dict[int, OutputSeen] = {}
    for seq in places:
        try:
            outputs = [output for output in process.op(Seq(seq)).outputs if output.looked_at]
        except UnknownOp:
            continue  # its row was lost: the page shows the operation without its numbers
        ill = next((output for output in outputs if output.finite is False), None)
        if outputs:
            found[seq] = ill or outputs[0]
    return found


# ── steps ────────────────────────────────────────────────────────────────────────────────────


def _whole(calls: Sequence[Call], seqs: npt.NDArray[np.int64], flags: Cells) -> Cells:
    """The worst of each call."""
    first = np.array([call.first for call in calls], np.int64)
    stop = np.array([call.last + 1 for call in calls], np.int64)
    cells = np.full(len(calls), Cell.FINE, np.uint8)
    for which, cell in ((seqs, Cell.INF), (seqs[flags & NAN != 0], Cell.NAN)):
        cells[np.searchsorted(which, stop) > np.searchsorted(which, first)] = cell
    return cells


def _steps(
    process: Process, calls: Sequence[Call], focus: int, seqs: npt.NDArray[np.int64], flags: Cells
) -> list[Step]:
    """Those around the focus, a few before it."""
    start = max(0, min(focus - MOST_STEPS // 3, len(calls) - MOST_STEPS))
    return [
        Step(
            call,
            name_of(call),
            int(call.last - call.first + 1),
            worst(_cells(process, call, seqs, flags), FINEST),
        )
        for call in calls[start : start + MOST_STEPS]
    ]


def name_of(call: Call) -> str:
    """ "step 3", "eval"."""
    return str(call.role) if call.step is None else f"step {call.step}"


def _cells(process: Process, call: Call, seqs: npt.NDArray[np.int64], flags: Cells) -> Cells:
    """One for each operation of a call."""
    start, stop = int(call.first), int(call.last) + 1
    cells = np.zeros(stop - start, np.uint8)
    ran, _ = process.nodes_of(start, stop)
    ranges = process.ranges(start, stop)
    at = np.repeat(ran, np.diff(ranges.offsets)) - start
    cells[at] = Cell.FINE
    with np.errstate(invalid="ignore"):
        cells[at[np.maximum(np.abs(ranges.low), np.abs(ranges.high)) >= LARGE]] = Cell.LARGE
        cells[at[ranges.low > ranges.high]] = Cell.FINE  # it was empty
    low, high = np.searchsorted(seqs, (start, stop))
    nan = flags[low:high] & NAN != 0
    cells[seqs[low:high] - start] = np.where(nan, Cell.NAN, Cell.INF)
    return cells


def worst(cells: Cells, most: int) -> Cells:
    """At most so many cells, each the worst of those that it stands for."""
    if len(cells) <= most or most < 1:
        return cells
    found: Cells = np.maximum.reduceat(
        cells, np.linspace(0, len(cells), most, endpoint=False).astype(np.int64)
    )
    return found


# ── one of them in full ──────────────────────────────────────────────────────────────────────


class _Focus:
    """The operations of one call, by their place in it."""

    def __init__(self, process: Process, call: Call, seqs: npt.NDArray[np.int64], flags: Cells) -> None:
        self._process, self._call = process, call
        self._ops = int(call.last - call.first + 1)
        self._cells = _cells(process, call, seqs, flags)
        ran, nodes = process.nodes_of(call.first, call.last + 1)
        self._at = ran - int(call.first)
        self._nodes = nodes
        self._seen: dict[int, NodeSeen] = {
            int(node): process.nodes[NodeId(int(node))]
            for node in np.unique(nodes)
            if int(node) in process.nodes
        }

    def _by_node(self, values: dict[int, int]) -> npt.NDArray[np.int64]:
        """For each operation that ran, what is said of its node; -1 where nothing is."""
        ids, where = np.unique(self._nodes, return_inverse=True)
        return np.array([values.get(int(node), -1) for node in ids], np.int64)[where]

    def phases(self) -> list[tuple[str, int, int]]:
        """Stretches of one phase; what a few operations interrupt goes on."""
        names = [str(phase) for phase in Phase]
        of = {node: names.index(str(seen.phase)) for node, seen in self._seen.items()}
        phase = self._by_node(of)
        if not len(phase):
            return []
        turns = np.flatnonzero(np.diff(phase, prepend=phase[0] - 1))
        stops = np.append(turns[1:], len(phase))
        least = max(1, self._ops // 40)
        found: list[tuple[str, int, int]] = []
        for start, stop in zip(turns.tolist(), stops.tolist(), strict=True):
            name = names[int(phase[start])] if phase[start] >= 0 else str(Phase.OTHER)
            begins, ends = int(self._at[start]), int(self._at[stop - 1]) + 1
            if found and (found[-1][0] == name or stop - start < least):
                found[-1] = (found[-1][0], found[-1][1], ends)
            else:
                found.append((name, begins, ends))
        return self._with_loss(found)

    def _with_loss(self, phases: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
        """What is computed after the last module, up to the backward pass, is the loss."""
        back = next((start for name, start, _ in phases if name == "backward"), 0)
        inside = self._by_node(
            {node: int(bool(self._process.scope_path(seen))) for node, seen in self._seen.items()}
        )
        here = np.flatnonzero((self._at < back) & (inside == 1))
        after = int(self._at[here[-1]]) + 1 if len(here) else back
        if after >= back:
            return phases
        cut = [(name, start, min(stop, after)) for name, start, stop in phases if start < after]
        return [*cut, ("loss", after, back), *(one for one in phases if one[1] >= back)]

    def sizes(self) -> Floats:
        """The largest finite size of each operation, at most FINEST of them."""
        ranges = self._process.ranges(self._call.first, self._call.last + 1)
        at = np.repeat(self._at, np.diff(ranges.offsets))
        with np.errstate(invalid="ignore"):
            size = np.maximum(np.abs(ranges.low), np.abs(ranges.high))
        fine = np.isfinite(size) & (ranges.low <= ranges.high)
        found = np.full(self._ops, -1.0)
        np.maximum.at(found, at[fine], size[fine])
        if self._ops > FINEST:
            found = np.maximum.reduceat(
                found, np.linspace(0, self._ops, FINEST, endpoint=False).astype(np.int64)
            )
        return np.where(found < 0, np.nan, found)

    def groups(self) -> list[Group]:
        """Modules, the last to run first: how far what is not finite has spread."""
        paths = {
            node: self._process.scope_path(seen).partition(".")[2].split(".")
            if seen.scope is not None
            else []
            for node, seen in self._seen.items()
        }
        depth = 1
        while depth < 4 and len({".".join(path[: depth + 1]) for path in paths.values()}) <= MOST_GROUPS:
            depth += 1
        names: dict[str, int] = {}
        of: dict[int, int] = {}
        for node in dict.fromkeys(self._nodes.tolist()):
            path = paths.get(node, [])
            if node in self._seen and self._seen[node].phase is Phase.OPTIMIZER and not path:
                path = [OPTIMIZER]
            name = ".".join(path[:depth]) or ("" if not path else "(the model itself)")
            of[node] = names.setdefault(name, len(names))
        group = self._by_node(of)
        backward = self._by_node(
            {node: int(seen.phase is Phase.BACKWARD) for node, seen in self._seen.items()}
        )
        cells = self._cells[self._at]
        found = []
        for name, k in names.items():
            passes = [cells[(group == k) & (backward == 1)], cells[(group == k) & (backward != 1)]]
            back, ahead = (np.bincount(one, minlength=len(Cell)).tolist() for one in passes)
            shown = [worst(one, FINEST) for one in passes]
            found.append(Group(name or "outside of modules", shown[1], shown[0], (ahead, back)))
        found.reverse()
        return sorted(found, key=lambda one: one.name == OPTIMIZER)
