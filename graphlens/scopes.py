"""The modules around a graph's operations, as spans of its order, and what is left when some are folded.

A span is a stretch of consecutive operations inside one call of a module: the forward part of a
call is one, its backward part another. Spans nest, so they are what brackets are drawn from.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from graphlens_tracers.events import (
    ModuleCallId,
    ModuleCallSeen,
    NodeId,
    NodeSeen,
    Phase,
    ScopeId,
    ScopeSeen,
)

Ints = npt.NDArray[np.int64]
OP = -1
"""In `Lines.span`: the line is an operation, not a folded span."""


class Declarations(Protocol):
    """What is needed of a process."""

    @property
    def nodes(self) -> Mapping[NodeId, NodeSeen]:
        """By id."""
        ...

    @property
    def scopes(self) -> Mapping[ScopeId, ScopeSeen]:
        """By id."""
        ...

    @property
    def module_calls(self) -> Mapping[ModuleCallId, ModuleCallSeen]:
        """By id."""
        ...


@dataclass(slots=True)
class Span:
    """Operations `start` up to, not including, `stop` of a graph's order, inside one module call.

    Attributes:
        depth: How many spans are around it.
        parent: Index of the span around it; -1 for none.
        name: Its path below that of the span around it: "h.0", "attn".
        nth: Which call of the module it is, inside one call of its caller, as far as the graph has them.
        key: The same for the same place in another graph; what folding goes by.
        again: How many spans with the same module call and phase stand before it: other
            operations ran in between.
    """

    start: int
    stop: int
    depth: int
    parent: int
    module_call: ModuleCallId
    phase: Phase
    name: str
    path: str
    kind: str
    nth: int
    key: str
    again: int = 0


@dataclass(frozen=True, slots=True)
class Lines:
    """What is left of a graph's order when some spans are folded: a line each, in order.

    Attributes:
        start, stop: The positions in the order that a line stands for.
        span: Index of the folded span, or OP.
        line_of: For each position in the order, its line.
    """

    start: Ints
    stop: Ints
    span: Ints
    line_of: Ints

    def __len__(self) -> int:
        return len(self.start)


@dataclass
class Outline:
    """The spans of one graph, outer ones before inner ones; grows at its end.

    Attributes:
        inner: For each position in the order the innermost span; -1 outside modules.
    """

    spans: list[Span] = field(default_factory=list)
    inner: list[int] = field(default_factory=list)
    _open: list[int] = field(default_factory=list, repr=False)
    _seen: dict[tuple[ModuleCallId, Phase], int] = field(default_factory=dict, repr=False)
    _chains: dict[ModuleCallId, tuple[ModuleCallId, ...]] = field(default_factory=dict, repr=False)
    _first: dict[tuple[ModuleCallId | None, ScopeId], int] = field(default_factory=dict, repr=False)

    def grow(self, order: Sequence[NodeId], declared: Declarations) -> None:
        """Go on from where the order ended last time."""
        for position in range(len(self.inner), len(order)):
            self._add(position, declared.nodes[order[position]], declared)

    def _add(self, position: int, node: NodeSeen, declared: Declarations) -> None:
        chain = self._chain(node.module_call, declared)
        same = 0
        for index, call in zip(self._open, chain, strict=False):
            span = self.spans[index]
            if span.module_call != call or span.phase is not node.phase:
                break
            same += 1
        del self._open[same:]
        for call in chain[same:]:
            self._begin(position, call, node.phase, declared)
        for index in self._open:
            self.spans[index].stop = position + 1
        self.inner.append(self._open[-1] if self._open else -1)

    def _begin(self, position: int, call: ModuleCallId, phase: Phase, declared: Declarations) -> None:
        seen = declared.module_calls[call]
        scope = declared.scopes.get(seen.scope)
        path, kind = (scope.path, scope.kind) if scope else ("", "")
        around = self.spans[self._open[-1]] if self._open else None
        inside = around is not None and path.startswith(f"{around.path}.")
        again = self._seen.get((call, phase), 0)
        self._seen[call, phase] = again + 1
        outer = around.key if around else phase.value
        name = path[len(around.path) + 1 :] if inside and around else path
        # Where the graph begins with a later call, those before are in other graphs. A backward pass begins
        # with the last one.
        begins = 0 if phase is Phase.BACKWARD else seen.nth
        first = self._first.setdefault((seen.parent, seen.scope), begins)
        self.spans.append(
            Span(
                start=position,
                stop=position,
                depth=len(self._open),
                parent=self._open[-1] if self._open else -1,
                module_call=call,
                phase=phase,
                name=name,
                path=path,
                kind=kind,
                nth=max(0, seen.nth - first),
                key=f"{outer}/{name}#{seen.nth}" + (f"+{again}" if again else ""),
                again=again,
            )
        )
        self._open.append(len(self.spans) - 1)

    def _chain(self, call: ModuleCallId | None, declared: Declarations) -> tuple[ModuleCallId, ...]:
        """A module call and those around it, outermost first; up to the first that is not declared."""
        if call is None:
            return ()
        known = self._chains.get(call)
        if known is None:
            links: list[ModuleCallId] = []
            at: ModuleCallId | None = call
            while at is not None and at in declared.module_calls and at not in links and len(links) < 200:
                links.append(at)
                at = declared.module_calls[at].parent
            known = self._chains[call] = tuple(reversed(links))
        return known

    def around(self, position: int) -> Iterator[tuple[int, Span]]:
        """The spans around an operation, innermost first, with their indices."""
        index = self.inner[position]
        while index >= 0:
            yield index, self.spans[index]
            index = self.spans[index].parent

    def deeper_than(self, depth: int) -> set[str]:
        """The keys to fold so that modules are open to `depth` levels; 0 folds every outermost one."""
        return {span.key for span in self.spans if span.depth >= depth}

    def lines(self, folded: Container[str]) -> Lines:
        """One line an operation, and one for each outermost span whose key is in `folded`."""
        count = len(self.inner)
        # The outermost folded span around each position, or OP.
        over = np.full(count, OP, np.int64)
        stop = 0
        for index, span in enumerate(self.spans):
            if span.start >= stop and span.key in folded:
                over[span.start : span.stop] = index
                stop = span.stop
        first = np.ones(count, np.bool_)
        first[1:] = (over[1:] == OP) | (over[1:] != over[:-1])
        start = np.flatnonzero(first)
        return Lines(start, np.append(start[1:], count)[: len(start)], over[start], np.cumsum(first) - 1)


def outline(order: Sequence[NodeId], declared: Declarations) -> Outline:
    """The modules around the operations of a graph."""
    found = Outline()
    found.grow(order, declared)
    return found
