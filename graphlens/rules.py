"""Rules that numbers are held against, as data: they are read from words, and run over a recorded run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphlens.session import INF, NAN, Process
from graphlens_tracers.events import NodeSeen, Phase

AT_ONCE = 1 << 16
"""Operations that are looked at together."""
STANDARD = "nan inf absmax>1e4 all-zero |grad|<1e-7 uninit"
"""What is looked for when nobody has said otherwise."""
UNINITIALISED = ("aten.empty", "aten.new_empty", "aten.empty_like", "aten.empty_strided")
_SIZE = re.compile(r"(absmax|\|x\||\|grad\||\|g\|)([<>])([0-9.]+(?:e[-+]?[0-9]+)?)\Z", re.IGNORECASE)
_MEANINGS = {"nan": "with NaN", "inf": "with infinity", "all-zero": "only zeros", "uninit": "never written"}
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        text: As it was written.
        kind: nan, inf, all-zero, uninit, or size.
        limit: Of a size; `above`: whether it hits what is larger, or what is smaller.
        grad: Of a size: it holds for the backward pass alone.
    """

    text: str
    kind: str
    limit: float = 0.0
    above: bool = True
    grad: bool = False

    @property
    def meaning(self) -> str:
        """What it counts, in two words."""
        if self.kind != "size":
            return _MEANINGS[self.kind]
        if self.grad:
            return "large gradient" if self.above else "vanishing"
        return "large" if self.above else "small"

    def hits(self, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], backward: Flags) -> Flags:
        """Which outputs of these ranges it hits: kinds that ranges tell."""
        with np.errstate(invalid="ignore"):
            finite = np.isfinite(low) & np.isfinite(high)
            if self.kind == "all-zero":
                zeros: Flags = finite & (low == 0) & (high == 0)
                return zeros
            size = np.maximum(np.abs(low), np.abs(high))
            hit: Flags = finite & ((size > self.limit) if self.above else (size < self.limit))
        return np.logical_and(hit, backward) if self.grad else hit


@dataclass(frozen=True, slots=True)
class Alert:
    """How many operations a rule hits, and the first of them."""

    rule: Rule
    count: int
    first: int | None


def parsed(text: str) -> list[Rule]:
    """The rules of a line of them. Raises ValueError with a sentence for a person."""
    rules = []
    for word in text.replace(",", " ").split():
        name = word.casefold()
        size = _SIZE.match(name)
        if name in _MEANINGS:
            rules.append(Rule(word, name))
        elif size is not None:
            grad = size[1].strip("|").startswith("g")
            rules.append(Rule(word, "size", float(size[3]), size[2] == ">", grad))
        else:
            raise ValueError(f"{word!r} is no rule: nan inf all-zero uninit absmax>1e4 |grad|<1e-7")
    return rules


def alerts(process: Process, rules: Sequence[Rule]) -> list[Alert]:
    """Hold a whole run against rules, so many operations at a time."""
    seqs, flags = process.bad_flags()
    found: dict[Rule, list[int]] = {rule: [] for rule in rules}
    counts = dict.fromkeys(rules, 0)
    backward, unwritten = _nodes(process)
    end = int(process.end)
    for rule in rules:
        if rule.kind in ("nan", "inf"):
            hit = seqs[flags & (NAN if rule.kind == "nan" else INF) != 0]
            counts[rule], found[rule] = len(hit), hit[:1].tolist()
    others = [rule for rule in rules if rule.kind not in ("nan", "inf")]
    for start in range(0, end if others else 0, AT_ONCE):
        ranges = process.ranges(start, start + AT_ONCE)
        ran, nodes = process.nodes_of(start, start + AT_ONCE)
        row = np.repeat(np.arange(len(ran)), np.diff(ranges.offsets))
        for rule in others:
            if rule.kind == "uninit":
                rows = np.flatnonzero(np.isin(nodes, unwritten)) if unwritten else np.empty(0, np.int64)
            else:
                back = np.isin(nodes, backward)[row] if rule.grad else np.ones(len(row), np.bool_)
                rows = np.unique(row[rule.hits(ranges.low, ranges.high, back)])
            counts[rule] += len(rows)
            if len(rows) and not found[rule]:
                found[rule] = [int(ran[rows[0]])]
    return [Alert(rule, counts[rule], next(iter(found[rule]), None)) for rule in rules]


def _nodes(process: Process) -> tuple[list[int], list[int]]:
    """Nodes of the backward pass, and those that hand out memory which nobody has written."""
    nodes: list[NodeSeen] = list(process.nodes.values())
    backward = [int(node.node) for node in nodes if node.phase is Phase.BACKWARD]
    return backward, [int(node.node) for node in nodes if node.op.startswith(UNINITIALISED)]
