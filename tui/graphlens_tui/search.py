"""Finding operations: words of a query against what a node is, then the calls in which it ran.

relu                 in the name of the op, the module or the source file
op:mm mod:attn       op and module apart; dtype:bf16 shape:8,16 line:57 too
nan inf              whose numbers are not finite
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from graphlens.letters import spec_text
from graphlens.session import Process
from graphlens_tracers.events import NodeId, NodeSeen
from graphlens_tui.decoded import Ill
from graphlens_tui.timeline import LOOSE, Timeline

Ints = npt.NDArray[np.int64]
FIELDS = ("op", "mod", "dtype", "shape", "line")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: every word has to fit.

    Attributes:
        words: (field, text) in small letters; the field is "" for a word that may fit anywhere.
        nan, inf: Only operations with a NaN; with an infinity.
    """

    words: tuple[tuple[str, str], ...] = ()
    nan: bool = False
    inf: bool = False

    @classmethod
    def parsed(cls, text: str) -> Query:
        """A query as it is typed; what looks like an unknown field is a word."""
        words, nan, inf = [], False, False
        for word in text.lower().split():
            name, colon, rest = word.partition(":")
            if word in ("nan", "nan:"):
                nan = True
            elif word in ("inf", "inf:"):
                inf = True
            elif colon and name in FIELDS:
                words.append((name, rest))
            else:
                words.append(("", word))
        return cls(tuple(words), nan, inf)

    def fits(self, node: NodeSeen, process: Process) -> bool:
        """Whether all words fit what a node is."""
        return all(self._fits(name, text, node, process) for name, text in self.words)

    def _fits(self, name: str, text: str, node: NodeSeen, process: Process) -> bool:
        module = process.scope_path(node).lower()
        site = process.site_of(node)
        if name == "op":
            return text in node.op.lower()
        if name == "mod":
            return text in module
        if name == "line":
            return site is not None and str(site.line) == text
        specs = [spec_text(output.spec).lower() for output in node.outputs]
        if name == "dtype":
            dtypes = {spec.partition("[")[0] for spec in specs} | {out.spec.dtype for out in node.outputs}
            return text in dtypes
        if name == "shape":
            return any(text.strip("[]") in spec.partition("[")[2] for spec in specs)
        return text in node.op.lower() or text in module or (site is not None and text in site.file.lower())


@dataclass
class Search:
    """One query on one timeline; the nodes that fit are worked out once."""

    query: Query
    process: Process
    timeline: Timeline
    ill: Callable[[], Ill]
    nodes: frozenset[NodeId] = frozenset()
    _known: int = 0
    _places: dict[int, tuple[int, Ints]] = field(default_factory=dict)

    def look(self) -> None:
        """Take in nodes that were declared since the last time."""
        with self.process.lock:
            nodes = list(self.process.nodes.values())
        new = [node.node for node in nodes[self._known :] if self.query.fits(node, self.process)]
        self._known = len(nodes)
        if new:
            self.nodes |= frozenset(new)

    def next(self, seq: int, *, forward: bool = True) -> int | None:
        """The next operation after `seq` that fits, or the last one before it."""
        self.look()
        if self.query.nan or self.query.inf:
            return self._next_ill(seq, forward)
        found: int | None = None
        for first, count, graph, position in self.timeline.pieces():
            if (forward and first + count - 1 <= seq) or (not forward and first >= seq):
                if not forward:
                    break
                continue
            hits = self._hits(first, count, graph, position)
            if forward:
                at = int(np.searchsorted(hits, seq, "right"))
                if at < len(hits):
                    return int(hits[at])
            else:
                at = int(np.searchsorted(hits, seq)) - 1
                if at >= 0:
                    found = int(hits[at])
        return found

    def count(self) -> int:
        """How many operations fit."""
        self.look()
        if self.query.nan or self.query.inf:
            return len(self._ill_hits())
        return sum(len(self._hits(*piece)) for piece in self.timeline.pieces())

    def _hits(self, first: int, count: int, graph: int, position: int) -> Ints:
        """The operations of one stretch that fit."""
        if graph == LOOSE:
            seqs, nodes = self.process.nodes_of(first, first + count)
            return seqs[[node in self.nodes for node in nodes.tolist()]]
        places = self._places_in(graph)
        low, high = np.searchsorted(places, (position, position + count))
        return places[low:high] + (first - position)

    def _places_in(self, graph: int) -> Ints:
        order = self.timeline.way(graph).order
        known = self._places.get(graph)
        if known is None or known[0] != len(order):
            places = np.array([k for k, node in enumerate(order) if node in self.nodes], np.int64)
            known = self._places[graph] = len(order), places
        return known[1]

    def _ill_hits(self) -> Ints:
        ill = self.ill()
        if self.query.nan and self.query.inf:
            seqs = ill.seqs
        else:
            seqs = ill.nan if self.query.nan else ill.inf
        if not self.query.words or not len(seqs):
            return seqs
        rows, nodes = self.process.nodes_of(int(seqs[0]), int(seqs[-1]) + 1)
        wanted = np.isin(nodes, list(self.nodes))
        return np.intersect1d(rows[wanted], seqs, assume_unique=True)

    def _next_ill(self, seq: int, forward: bool) -> int | None:
        hits = self._ill_hits()
        at = int(np.searchsorted(hits, seq, "right" if forward else "left")) - (0 if forward else 1)
        return int(hits[at]) if 0 <= at < len(hits) else None
