"""Which number went wrong first, where, and whether it matters.

It begins with the harm and walks back over what is not finite to where that was born; what reaches
no harm is benign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphlens.analyses.births import ENTRY, Bad, Births, short
from graphlens.analyses.flow import Flow, Health, Made, Source
from graphlens.analyses.harms import Harm, Harms
from graphlens.analyses.pipelines import deduced
from graphlens.store import Call, Process
from graphlens_tracers.events import NodeId, Phase, Seq

_LOOKS = ("isnan", "isinf", "isfinite", "eq", "ne", "lt", "gt", "le", "ge", "detach", "local_scalar_dense")
"""What looks at numbers and makes none."""
SHORTEST, LONGEST, LEAST = 4, 64, 100.0
"""Steps that numbers have to grow, at least; that are looked at; and by how much in all."""
MOST_LOOKED = 1 << 20
"""Operations before an origin among which its place is looked for."""
FARTHEST = 12
"""Operations between an overflow and the zero that it became, at most."""


@dataclass(frozen=True, slots=True)
class Benign:
    """Numbers that are not finite and did no harm: what gave birth to them, how often, how they ended."""

    bad: Bad
    count: int
    end: str


@dataclass(frozen=True, slots=True)
class Growth:
    """Numbers that grew from step to step before they overflowed.

    Attributes:
        factor: By how much a step, on average; `since`: the step in which that began; None before the first.
        series: (step, largest size) in order, the last ones.
    """

    factor: float
    since: int | None
    series: tuple[tuple[int | None, float], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of one process.

    Attributes:
        origin: The first birth that did harm; `others`: those that do not come from it.
        reached: The first harm that it did.
        path: The operations from it to the harm, both included.
        phase: Of the origin, by what its numbers were for.
        growth: Of its numbers in the steps before; None when they did not grow.
    """

    process: Process
    flow: Flow
    origin: Bad | None = None
    reached: Harm | None = None
    path: tuple[Seq, ...] = ()
    phase: Phase = Phase.OTHER
    others: tuple[Bad, ...] = ()
    growth: Growth | None = None
    benign: tuple[Benign, ...] = ()

    def step_of(self, call: Call) -> int | None:
        """The training step of a call.

        In a run that computes no gradients, and writes into what it keeps, it is how often the function
        had run before that the script calls for it.
        """
        calls = self.flow.calls
        kept = self.reached is not None and self.reached.kind in ("parameter", "state")
        if not kept or any(one.step is not None for one in calls.values()):
            return call.step
        while call.parent is not None and calls[call.parent].parent is not None:
            call = calls[call.parent]
        alike = [one for one in calls.values() if (one.graph, one.iteration) == (call.graph, None)]
        return None if call.parent is None else sum(one.first < call.first for one in alike)


def verdict(process: Process) -> Verdict:
    """The verdict on what a process recorded."""
    return _Search(process).verdict()


class _Search:
    def __init__(self, process: Process) -> None:
        self._process = process
        self._flow = Flow(process)
        self._births = Births(self._flow)
        self._harms = Harms(self._flow)
        self._benign: dict[tuple[NodeId, str], Benign] = {}
        self._printed: Verdict | None = None
        """What the script has only written as text, the first of it."""

    def verdict(self) -> Verdict:
        seqs, flags = self._process.bad_flags()
        calls = self._flow.outermost
        harmless: dict[Any, list[Bad]] = {}  # Any: which operations of a graph are not finite, and how
        for at, call in enumerate(calls):
            low, high = np.searchsorted(seqs, (call.first, self._flow.stop(call)))
            if low == high:
                self._harms.skip(call)
                continue
            all_seqs, nodes = self._process.nodes_of(call.first, self._flow.stop(call))
            which = nodes[np.searchsorted(all_seqs, seqs[low:high])]
            facts = self._process.unusual(call.first, self._flow.stop(call))
            printed = tuple(fact.seq - call.first for fact in facts if fact.printed)
            alike = call.graph, which.tobytes(), flags[low:high].tobytes(), printed
            births = harmless.get(alike) if at < len(calls) - 1 else None
            if births is None:
                self._flow.forget()
                last = at == len(calls) - 1
                harms = self._harms.of(call, last)
                bads = self._births.judge([Seq(seq) for seq in seqs[low:high].tolist()])
                found = self._harmful(call, [one for one in harms if not one.printed], bads, last)
                if found is not None:
                    return found
                if self._printed is None:
                    self._printed = self._harmful(call, [one for one in harms if one.printed], [], last)
                births = harmless[alike] = [bad for bad in bads if bad.birth is not None]
            self._note_benign(births)
        return self._only_printed() or Verdict(self._process, self._flow, benign=self._all_benign())

    def _only_printed(self) -> Verdict | None:
        """What was only written as text; what has made it is not harmless then."""
        found = self._printed
        if found is None:
            return None
        its = {self._flow.node(seq).node for seq in found.path} | {bad.node.node for bad in found.others}
        return replace(found, benign=tuple(one for one in self._all_benign() if one.bad.node.node not in its))

    def _harmful(self, call: Call, harms: Sequence[Harm], bads: Sequence[Bad], last: bool) -> Verdict | None:
        for harm in harms:
            if harm.kind == "gradient" and not self._is_used(harm, harms, call, last):
                continue
            slice_ = self._slice([harm.at])
            births = [bad for bad in slice_ if bad.birth is not None]
            real = [bad for bad in births if bad.birth != "declared"]
            if harm.kind == "state" and call.role == "setup":
                real = [bad for bad in real if bad.kind == "nan"]  # the logarithm of a mask is one, too
            if harm.printed and not any(bad.birth == "born" for bad in births):
                continue  # people look at their data, and at masks
            if not births or (harm.kind in ("parameter", "state") and not real):
                continue  # what is kept was set so: a mask, a range that is empty yet
            birth = self._reader(min(real or births, key=lambda bad: bad.seq), slice_)
            origin, chain = self._overflow(birth) or (birth, ())
            path = (*chain, *self._path(birth, harm.at))
            phase = self._phase(origin, harm, path)
            everything = self._slice([one.at for one in harms])
            others = self._others((origin, birth), everything)
            growth = self._growth(origin) if origin.birth == "born" else None
            origin = deduced(self._process, origin)
            harmful = {bad.seq for bad in everything} | set(path)
            self._note_benign([bad for bad in bads if bad.birth is not None and bad.seq not in harmful])
            return Verdict(
                self._process, self._flow, origin, harm, path, phase, others, growth, self._all_benign()
            )  # fmt: skip
        return None

    def _overflow(self, birth: Bad) -> tuple[Bad, tuple[Seq, ...]] | None:
        """The overflow that a birth out of zeros comes from: one over infinity is zero, and finite.

        With it the way from there to the birth, which is left out.
        """
        if birth.birth != "born":
            return None
        flow = self._flow
        ahead: list[tuple[Source, tuple[Seq, ...]]] = [(source, ()) for source in flow.sources(birth.seq)]
        seen: set[Seq] = set()
        while ahead:
            source, way = ahead.pop()
            if not isinstance(source, Made) or source.seq in seen or len(way) > FARTHEST:
                continue
            seen.add(source.seq)
            numbers = flow.range(source)
            if numbers is None or numbers.nan or numbers.inf or not numbers.low <= 0 <= numbers.high:
                continue
            if flow.node(source.seq).phase is not birth.phase:
                continue  # what was finite when the backward pass began is none of its zeros
            before, way = flow.sources(source.seq), (source.seq, *way)
            # NaN never becomes a zero: who makes one of it has left it out.
            bad = [one for one in before if isinstance(one, Made) and _is_infinite(flow.health(one))]
            births = [
                found
                for found in self._slice(bad)
                if found.birth in ("born", "outside") and found.phase is birth.phase
            ]
            if births and (numbers.low == 0 or numbers.high == 0):
                origin = min(births, key=lambda found: found.seq)
                return origin, (*self._path(origin, bad[0]), *way)
            ahead += [(one, way) for one in before]
        return None

    def _phase(self, origin: Bad, harm: Harm, path: Sequence[Seq]) -> Phase:
        """Which part of training an origin belongs to.

        What is computed from the batch alone makes the batch where a module reads it; else it is part
        of the loss. What is shown, and made outside of modules, is for people; so is what is kept after an
        optimizer's update, an average of weights, say.
        """
        if origin.birth == "outside" and origin.collective is None:
            return Phase.DATA
        node = origin.node
        if harm.kind == "parameter" and node.phase is Phase.OTHER and origin.call.role == "train":
            return Phase.OPTIMIZER
        if harm.kind == "loss" and node.phase is Phase.OPTIMIZER:
            return Phase.FORWARD  # a loss of gradients
        if node.phase is Phase.FORWARD and node.scope is None and self._is_aside(origin, harm):
            return Phase.OTHER
        if node.phase is Phase.DATA:
            after = (self._flow.node(seq) for seq in path)
            first = next((one for one in after if one.phase is Phase.FORWARD), None)
            if first is not None and first.scope is None:
                return Phase.FORWARD
        return node.phase

    def _is_aside(self, origin: Bad, harm: Harm) -> bool:
        """Whether what no module has computed is shown, or kept after the step's work was done."""
        if harm.kind == "output":
            return True
        before = (node for seq, (node, its) in self._flow.within(origin.call) if seq < origin.seq)
        ran = self._flow.in_time(origin.call)
        return harm.kind == "state" and ran and any(node.phase is Phase.OPTIMIZER for node in before)

    def _reader(self, origin: Bad, slice_: Sequence[Bad]) -> Bad:
        """Of numbers that come in from outside, the first operation that computes with them."""
        readers = [bad for bad in slice_ if any(source.seq == origin.seq for source in bad.sources)]
        if not origin.node.op.startswith(ENTRY) or not readers:
            return origin
        return replace(min(readers, key=lambda bad: bad.seq), birth="outside")

    def _is_used(self, gradient: Harm, harms: Sequence[Harm], call: Call, last: bool) -> bool:
        """Whether something is trained by a gradient, or the script has ended before that."""
        flow = self._flow
        if flow.node(gradient.seq).phase is Phase.OPTIMIZER:
            return True  # it is what has read it
        kept = [one.at for one in harms if one.seq > gradient.seq and one.kind in ("parameter", "state")]
        if any(bad.seq == gradient.at.seq for bad in self._slice(kept)):
            return True
        trains = any(
            seq > gradient.seq and node.phase is Phase.OPTIMIZER for seq, (node, _) in flow.within(call)
        )
        return last and not trains

    def _slice(self, outputs: Sequence[Made]) -> list[Bad]:
        """What these outputs have their numbers from, as far as those are not finite."""
        ahead, seen, found = [one.seq for one in outputs], set[Seq](), list[Bad]()
        while ahead:
            seq = ahead.pop()
            if seq in seen:
                continue
            seen.add(seq)
            bad = self._births.known.get(seq) or next(iter(self._births.judge([seq])), None)
            if bad is not None:
                found.append(bad)
                ahead += [source.seq for source in bad.sources]
        return found

    def _path(self, origin: Bad, end: Made) -> tuple[Seq, ...]:
        """A shortest way from an output back to where its numbers were born, turned around."""
        before: dict[Seq, Seq | None] = {end.seq: None}
        ahead = [end.seq]
        for seq in ahead:
            if seq == origin.seq:
                break
            bad = self._births.known.get(seq)
            for source in bad.sources if bad is not None else ():
                if source.seq not in before:
                    before[source.seq] = seq
                    ahead.append(source.seq)
        path: list[Seq] = []
        at: Seq | None = origin.seq
        while at is not None:
            path.append(at)
            at = before.get(at)
        return tuple(path)

    def _growth(self, origin: Bad) -> Growth | None:
        """How the numbers of an overflow's place were before: step by step, or round by round of a loop."""
        node = origin.node
        place = node.op, node.site, node.scope, node.phase
        alike = [
            one.node
            for one in list(self._process.nodes.values())  # it may go on
            if (one.op, one.site, one.scope, one.phase) == place
        ]
        return self._grown(origin, [node.node]) or self._grown(origin, alike)

    def _grown(self, origin: Bad, places: Sequence[NodeId]) -> Growth | None:
        process, flow = self._process, self._flow
        seqs, nodes = process.nodes_of(max(0, origin.seq - MOST_LOOKED), origin.seq)
        series: list[tuple[int | None, float]] = []
        for seq in seqs[np.isin(nodes, places)].tolist()[-LONGEST:]:
            call, numbers = process.call_at(Seq(seq)), flow.looked(Made(Seq(seq), origin.slots[0]))
            if call is not None and numbers is not None:
                series.append((call.step, max(abs(numbers.low), abs(numbers.high))))
        begin = len(series) - 1
        while begin > 0 and 0 < series[begin - 1][1] < series[begin][1]:
            begin -= 1
        grown = series[begin:]
        if len(grown) < SHORTEST or not grown[-1][1] >= LEAST * grown[0][1] > 0:
            return None
        factor = (grown[-1][1] / grown[0][1]) ** (1 / (len(grown) - 1))
        return Growth(factor, grown[0][0], tuple(grown))

    def _note_benign(self, births: Sequence[Bad]) -> None:
        for bad in births:
            place = bad.node.node, bad.kind
            known = self._benign.get(place) or Benign(bad, 0, self._end(bad))
            self._benign[place] = replace(known, count=known.count + 1)

    def _all_benign(self) -> tuple[Benign, ...]:
        return tuple(self._benign.values())

    def _end(self, birth: Bad) -> str:
        """How what was born ended: what took it in and gave out finite numbers."""
        readers = self._flow.readers(birth.call)
        ahead, seen, ends = [birth.seq], {birth.seq}, list[str]()
        for seq in ahead:
            for reader in readers.get(seq, ()):
                if reader in seen:
                    continue
                seen.add(reader)
                if reader in self._births.known:
                    ahead.append(reader)
                elif not any(output.alias is not None for output in self._flow.node(reader).outputs):
                    ends.append(short(self._flow.node(reader).op))
        names = [name for name in dict.fromkeys(ends) if name not in _LOOKS]
        if not names:
            return "and nothing was made of it"
        return f"removed by {', '.join(names[:3])}"

    def _others(self, origins: Sequence[Bad], harmful: Sequence[Bad]) -> tuple[Bad, ...]:
        """Births that did harm in the same call and do not come from the origin: of each line the first."""
        known = {one.seq for one in origins}
        lines = {(one.node.op, one.node.site) for one in origins}
        found: list[Bad] = []
        for bad in sorted(harmful, key=lambda bad: bad.seq):
            place = bad.node.op, bad.node.site
            if bad.birth not in ("born", "outside") or place in lines:
                continue
            if not any(one.seq in known for one in self._slice([Made(bad.seq, 0)])):
                lines.add(place)
                found.append(bad)
        return tuple(found)


def _is_infinite(health: Health) -> bool:
    return health.inf and not health.nan
