"""What one process of a run recorded, as a reader sees it: columns are decoded where somebody looks."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from graphlens import elements
from graphlens.calls import Call
from graphlens.elements import Elements
from graphlens.follow import LATEST, Follower, locked
from graphlens.index import merged
from graphlens.ir import Flat, Graph
from graphlens.ops import Op, op_at
from graphlens.rows import INF, NAN, RAISED, Ints, Ranges, Rows
from graphlens.text import clean
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import (
    Bound,
    CallId,
    Gap,
    GraphId,
    GraphSeen,
    Kept,
    LeafSeen,
    ModuleCallId,
    ModuleCallSeen,
    NodeId,
    NodeSeen,
    RunStarted,
    ScopeId,
    ScopeSeen,
    Seq,
    SiteId,
    SiteSeen,
    TracerStarted,
    Unusual,
    ValueId,
)

if TYPE_CHECKING:  # it has the processes
    from graphlens.store import Run


@dataclass(frozen=True, slots=True)
class Running:
    """The operation that runs now, or ran when its process ended.

    Attributes:
        node: None when it is not declared yet; then `name` says what it is.
        name: Its op, and for an undeclared one its place too.
        since_ns: When it began, on the machine's monotonic clock.
    """

    seq: Seq
    node: NodeId | None
    name: str
    since_ns: int


class Process(Follower):
    """What one process recorded: its graphs, and what happened in them as columns.

    Attributes:
        id: Its number in the run; ids of nodes, values and calls are its own.
        stem: "p-PID-NONCE", the name of its files.
        pid: As the operating system numbered it.
        finished: It ended its log by itself.
        lock: That of its run.
    """

    def __init__(self, run: Run, stem: str, number: int) -> None:
        super().__init__(run.path, stem, number, run.lock)
        self._run = run
        self._flags_of_facts = np.empty(0, np.int64), np.empty(0, np.uint8)

    # ── what was declared ────────────────────────────────────────────────────────────────────

    @property
    def started(self) -> RunStarted:
        """Its first event; one without arguments while that is not written yet."""
        return self._declared.started or RunStarted((), self.pid)

    @property
    def rank(self) -> int:
        """Its rank among several processes that train together."""
        return self.started.rank

    @property
    def tracers(self) -> list[TracerStarted]:
        """The frameworks that arrived."""
        return list(self._declared.tracers)

    # Mappings change while the reader's thread reads on: look things up freely, and hold
    # `lock` (or make a list) to go through one.

    @property
    def nodes(self) -> Mapping[NodeId, NodeSeen]:
        """Every node, in the order of declaration."""
        return MappingProxyType(self._declared.nodes)

    @property
    def scopes(self) -> Mapping[ScopeId, ScopeSeen]:
        """Modules of the model."""
        return MappingProxyType(self._declared.scopes)

    @property
    def module_calls(self) -> Mapping[ModuleCallId, ModuleCallSeen]:
        """Calls of modules."""
        return MappingProxyType(self._declared.module_calls)

    @property
    def sites(self) -> Mapping[SiteId, SiteSeen]:
        """Places in the source."""
        return MappingProxyType(self._declared.sites)

    @property
    def leaves(self) -> Mapping[ValueId, LeafSeen]:
        """Values that no node of their graph makes."""
        return MappingProxyType(self._declared.leaves)

    @property
    def sources(self) -> Mapping[str, str]:
        """The digest of each source file that was kept."""
        return MappingProxyType(self._declared.sources)

    @locked
    def frames(self, site: SiteId | None) -> list[SiteSeen]:
        """The user's frames of a site, innermost first."""
        return self._declared.frames(site)

    @locked
    def site_of(self, node: NodeSeen) -> SiteSeen | None:
        """The innermost user frame of a node; for a backward one its forward twin's.

        The backward of a custom Function is the user's own code: that stands where it is written.
        """
        sites = self._declared.sites
        own = sites.get(node.site) if node.site is not None else None
        twin = None if node.twin is None else self._declared.nodes.get(node.twin)
        while twin is not None and not (own is not None and node.formula):
            if twin.site is not None and twin.site in sites:
                return sites[twin.site]
            twin = (
                None if twin.twin is None or twin.twin >= twin.node else self._declared.nodes.get(twin.twin)
            )
        return own

    @locked
    def scope_site(self, scope: ScopeId | None) -> SiteSeen | None:
        """Where the script has made a module; None where nobody saw that."""
        seen = None if scope is None else self._declared.scopes.get(scope)
        return None if seen is None or seen.site is None else self._declared.sites.get(seen.site)

    @locked
    def scope_path(self, node: NodeSeen) -> str:
        """The dotted path of the innermost module around a node; "" outside modules."""
        return self._declared.scope_path(node)

    @locked
    def maker(self, value: ValueId) -> tuple[NodeId, int] | None:
        """The node and output slot that make a value, in whatever graph; None for a leaf."""
        return self._declared.makers.get(value)

    @locked
    def graphs(self) -> Sequence[GraphSeen]:
        """All graphs, each with what it grew by; its base's nodes are not among its own."""
        return self._declared.graphs()

    @locked
    def graph(self, graph: GraphId) -> Graph:
        """One graph, with networkx: the same object each time, and it grows while it is recorded.

        Raises:
            KeyError: There is none of that id.
        """
        return self._declared.graph(graph)

    @locked
    def flat(self, graph: GraphId) -> Flat:
        """One graph as lists, without networkx. Raises KeyError when there is none of that id."""
        return self._declared.flat(graph)

    @locked
    def order(self, graph: GraphId) -> Sequence[NodeId]:
        """All nodes of a graph, its base's included."""
        return self._declared.order(graph)

    @locked
    def inputs(self, graph: GraphId, node: NodeId) -> tuple[ValueId | None, ...]:
        """The values that a node reads in a graph, without building it."""
        return self._declared.inputs(graph, node)

    @locked
    def through(self, graph: GraphId, node: NodeId) -> dict[int, ValueId]:
        """For each input that lies otherwise than the value it reads, the value that it lies like."""
        return self._declared.through(graph, node)

    # ── what ran ─────────────────────────────────────────────────────────────────────────────

    @property
    @locked
    def op_count(self) -> int:
        """How many operations have finished."""
        return self._rows.total

    @property
    @locked
    def end(self) -> Seq:
        """One more than the last sequence number; more than `op_count` when rows are missing."""
        return Seq(self._rows.stop)

    @property
    def dropped(self) -> int:
        """How many operations ran without a row: the disk was full."""
        return self._dropped

    @property
    @locked
    def gaps(self) -> list[Gap]:
        """What was not looked at, or cannot be read."""
        found = list(self._gaps.values())
        at = Seq(self._rows.stop)
        found += [Gap("unreadable", what, at, 1) for what in self._log.trouble.values()]
        found += [Gap("unreadable", f"ranges: {what}", at, 1) for what in self._ranges.damaged.values()]
        if self._run.info.state == "finished" and not self.finished and self._log.torn:
            name = self._log.path(self._log.segment).name
            rest = f"what it held after op {at - 1} is lost" if at else "no operation is left"
            found.append(Gap("unreadable", f"{name} is cut off: {rest}", at, 1))
        return found

    @locked
    def calls(self, graph: GraphId | None = None) -> Sequence[Call]:
        """All calls, or those of one graph, in order of their first operation."""
        found = self._calls.calls(self._last_of())
        return found if graph is None else [call for call in found if call.graph == graph]

    @locked
    def call(self, call: CallId) -> Call:
        """One call. Raises KeyError when there is none of that id."""
        return self._calls.call(call, self._last_of())

    @locked
    def call_at(self, seq: Seq) -> Call | None:
        """The innermost call that an operation belongs to; None when that is not known."""
        strand = self._rows.strand_of(seq)
        if strand is None:
            return None
        found = int(self._calls.of(np.array([seq]), None, strand)[0])
        return None if found < 0 else self._calls.call(CallId(found), self._last_of())

    def _last_of(self) -> dict[int, int]:
        return {strand: seq - 1 for strand, seq in self._rows.next.items()}

    @locked
    def rows(self, start: int, stop: int) -> Rows:
        """The operations from `start` up to, not including, `stop` that ran."""
        found = self._rows.rows(start, stop)
        only = next(iter(self._rows.next), 0)
        flags = np.zeros(len(found.seq), np.uint8)
        for seqs, bits in (self._ranges.bad(start, stop), self._fact_flags()):
            low, high = np.searchsorted(seqs, (start, stop))
            at = np.searchsorted(found.seq, seqs[low:high])
            at[at == len(flags)] = 0
            there = found.seq[at] == seqs[low:high] if len(flags) else np.zeros(len(at), np.bool_)
            flags[at[there]] |= bits[low:high][there]
        call = self._calls.of(found.seq, found.strand, only)
        return Rows(found.seq, found.node.astype(np.uint32), call, found.began, found.took, flags)

    @locked
    def nodes_of(self, start: int, stop: int) -> tuple[Ints, Ints]:
        """(seq, node) of the operations from `start` up to `stop`: cheaper than `rows`."""
        return self._rows.nodes(start, stop)

    @locked
    def calls_of(self, start: int, stop: int) -> tuple[Ints, Ints, Ints]:
        """(seq, node, call or -1) of the operations from `start` up to `stop`: cheaper than `rows`."""
        seq, node = self._rows.nodes(start, stop)
        many = len(self._rows.next) > 1
        strand = self._rows.strands(start, stop) if many else None
        return seq, node, self._calls.of(seq, strand, next(iter(self._rows.next), 0)).astype(np.int64)

    @locked
    def ranges(self, start: int, stop: int) -> Ranges:
        """Minimum and maximum of the outputs of the operations that `rows(start, stop)` has."""
        seqs, _ = self._rows.nodes(start, stop)
        found = self._ranges.outputs(start, stop)
        known = np.isin(found.seq, seqs, assume_unique=False) if len(found.seq) else np.zeros(0, np.bool_)
        if not known.all():
            found = found.pick(np.flatnonzero(known))
        offsets = np.searchsorted(found.seq, np.append(seqs, stop)).astype(np.int64)
        return Ranges(offsets, found.slot, found.low, found.high)

    @locked
    def strands(self, start: int, stop: int) -> int | Ints:
        """The thread of each operation that `rows(start, stop)` has; one number when there is but one."""
        if len(self._rows.next) <= 1:
            return next(iter(self._rows.next), 0)
        return self._rows.strands(start, stop)

    @locked
    def bad_rows(self) -> Ints:
        """The operations with an output that is not finite, sorted."""
        return self.bad_flags()[0]

    @locked
    def bad_flags(self) -> tuple[Ints, npt.NDArray[np.uint8]]:
        """`bad_rows`, and the NAN and INF bits of each."""
        seqs, flags = self._ranges.bad(0, LATEST)
        more, bits = self._fact_flags()
        unhappy = bits & (NAN | INF) != 0
        return merged(
            np.concatenate([seqs, more[unhappy]]),
            np.concatenate([flags, bits[unhappy] & np.uint8(NAN | INF)]),
        )

    @locked
    def unusual(self, start: int, stop: int) -> Sequence[Unusual]:
        """The facts about the operations from `start` up to `stop`, in order."""
        keys = self._sorted_facts()
        low, high = bisect_left(keys, (start, -2)), bisect_left(keys, (stop, -2))
        return [self._facts[key] for key in keys[low:high]]

    def _sorted_facts(self) -> list[tuple[int, int]]:
        if self._fact_keys is None:
            self._fact_keys = sorted(self._facts)
            seqs = np.array([seq for seq, _ in self._fact_keys], np.int64)
            flags = np.array([_bits(self._facts[key]) for key in self._fact_keys], np.uint8)
            self._flags_of_facts = merged(seqs, flags)
        return self._fact_keys

    def _fact_flags(self) -> tuple[Ints, npt.NDArray[np.uint8]]:
        self._sorted_facts()
        return self._flags_of_facts

    @locked
    def kept(self, seq: Seq) -> dict[tuple[int | None, int | None], Kept]:
        """What is kept of an operation: (None, slot) for an output, (position, None) for an input."""
        facts = self.unusual(seq, seq + 1)
        return {
            (None, fact.slot) if kept.input is None else (kept.input, None): kept
            for fact in facts
            for kept in fact.kept
        }

    def elements(self, kept: Kept) -> Elements:
        """The elements of a kept tensor, read from its file.

        Raises:
            BadRunFile: They are not there, or are not what was written.
        """
        return elements.read(self._run.path / f"values-{self.stem.removeprefix('p-')}.bin", kept)

    @locked
    def scalars(self, start: int, stop: int) -> dict[int, dict[int, float]]:
        """For operations from `start` up to `stop`, the scalar arguments that are not as in the form.

        By the number of the scalar in the form; with bit 15 set in it, the value is that of all
        later scalars of the same list too. In the order in which they were said: a later one wins.
        """
        return self._rows.scalars(start, stop)

    @locked
    def bound(self, call: CallId, leaf: ValueId) -> Bound | None:
        """What a leaf was in a call, where that is not its usual content."""
        return self._bound.get((call, leaf))

    @locked
    def bounds(self) -> Sequence[Bound]:
        """What leaves were, where that was not their usual content; in no order."""
        return list(self._bound.values())

    @locked
    def specs(self, call: Call | None, node: NodeId) -> tuple[Any, ...]:
        """The specs of a node's outputs in a call."""
        graph, shapes = (GraphId(-1), 0) if call is None else (call.graph, call.shapes)
        return self._declared.specs(graph, shapes, node)

    @locked
    def op(self, seq: Seq) -> Op:
        """Everything known of one operation that ran.

        Raises:
            UnknownOp: It has not finished, or never ran.
        """
        found = self.rows(seq, seq + 1)
        if not len(found.seq):
            raise UnknownOp(f"no op {seq}: {self._what_there_is()}")
        node = NodeId(int(found.node[0]))
        if node not in self._declared.nodes:
            raise UnknownOp(f"op {seq} cannot be read: its node {node} was not declared")
        return op_at(self, seq, node, found)

    def _what_there_is(self) -> str:
        count = self._rows.total
        return f"there are ops 0 to {self._rows.stop - 1}" if count else "the run has no operations"

    @locked
    def running(self) -> Running | None:
        """The operation that runs now, or was running when the process ended; None between two."""
        now = [(found, page) for page in self._pages.values() if (found := page.running()) is not None]
        if now:
            found, page = max(now, key=lambda one: one[0].since_ns)
            node = None if found.node is None else NodeId(found.node)
            return self._running(found.seq, node, page.name(), found.since_ns)
        was = self._run.info.running.get(self.stem)
        if was is None or was.seq < self.op_count:
            return None
        return self._running(was.seq, None if was.node is None else NodeId(was.node), was.name, was.since_ns)

    def _running(self, seq: int, node: NodeId | None, name: str, since_ns: int) -> Running:
        if node is not None and node in self._declared.nodes:
            return Running(Seq(seq), node, clean(self._declared.nodes[node].op), since_ns)
        return Running(Seq(seq), None, clean(name), since_ns)

    @locked
    def source(self, file: str) -> str | None:
        """The user's file as it was when it ran; None when it was not kept."""
        return self._run.source(self._declared.sources.get(file, ""))


def _bits(fact: Unusual) -> int:
    numbers = fact.numerics
    bits = RAISED if fact.slot == -1 and fact.error is not None else 0
    if numbers is not None:
        bits |= (NAN if numbers.nan else 0) | (INF if numbers.pos_inf or numbers.neg_inf else 0)
    return bits
