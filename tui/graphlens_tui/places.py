"""Operations of the graph under the cursor by name: to go to, to complete, and all that one leads to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from graphlens.categories import short
from graphlens.text import clean
from graphlens_tracers.errors import UnknownOp
from graphlens_tracers.events import Seq
from graphlens_tui.model import Model, Shown
from graphlens_tui.query import Query
from graphlens_tui.search import Ints, Search
from graphlens_tui.timeline import LOOSE

_NAME = re.compile(r"#?([0-9]{1,18})|(.+)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one can go.

    Attributes:
        name: Of the op, or of the module.
        where: The module around it.
    """

    name: str
    where: str
    seq: Seq


def places(shown: Shown, seq: Seq) -> Iterator[Place]:
    """Modules, then operations of the graph that an operation is in: the first of each name in a module."""
    timeline = shown.timeline
    stretch, at = timeline.stretch_of(seq), timeline.position(seq)
    if stretch is None or at is None:
        return
    way = timeline.way(at[0])
    known: set[tuple[str, str]] = set()
    for span in way.outline.spans:
        found = timeline.seq_at(stretch, span.start)
        if found is not None and (span.path, "") not in known:
            known.add((span.path, ""))
            yield Place(clean(span.path, 200), clean(span.kind, 60), found)
    for position, node in enumerate(way.order):
        seen = shown.process.nodes[node]
        key = short(seen.op), shown.process.scope_path(seen)
        if key in known:
            continue
        found = timeline.seq_at(stretch, position)
        if found is not None:
            known.add(key)
            yield Place(clean(key[0], 80), clean(key[1], 200), found)


def named(model: Model, name: str, at: Seq | None) -> Seq:
    """The operation of a number or a name: the next one from the cursor on, else the first.

    Raises:
        UnknownOp: There is none.
    """
    shown = model.shown
    if shown is None:
        raise UnknownOp("nothing was recorded")
    name = re.sub(r":[0-9]+\Z", "", name.strip())
    found = _NAME.fullmatch(name)
    if found is None:
        if at is None:
            raise UnknownOp("the cursor is on no operation")
        return at
    if found[1]:
        return shown.process.op(Seq(int(found[1]))).seq
    inside = re.escape(name.replace("/", "."))
    for asked in (rf"re:(^|\.){inside}(\.|$)", name.replace("/", ".").replace(" ", "")):
        search = Search(Query.parsed(asked), shown.process, shown.timeline, lambda: model.ill)
        hit = search.next(-1 if at is None else at - 1)
        hit = search.next(-1) if hit is None else hit
        if hit is not None:
            return Seq(hit)
    raise UnknownOp(f"no operation, module or file is called {clean(name, 80)!r}")


def reached(shown: Shown, seq: Seq, depth: int, *, makers: bool) -> Ints:
    """An operation and all that led to it in its call, or came of it; sorted.

    Args:
        depth: How many operations after each other.
    """
    timeline = shown.timeline
    stretch, at = timeline.stretch_of(seq), timeline.position(seq)
    if stretch is None or at is None or at[0] == LOOSE:
        return np.array([seq], np.int64)
    way = timeline.way(at[0])
    edges = way.reads if makers else way.users
    known, edge = {at[1]}, {at[1]}
    for _ in range(depth):
        edge = {other for one in edge for other in edges[one]} - known
        if not edge:
            break
        known |= edge
    seqs = (timeline.seq_at(stretch, position) for position in known)
    return np.array(sorted(one for one in seqs if one is not None), np.int64)
