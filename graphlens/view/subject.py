"""What a picture is of: the operations of one graph, how they are wired, and how one call went.

Plain facts, so that a picture can be made from a run, from a file, or by hand in a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from graphlens.categories import MADE, PLUMBING, category, short
from graphlens.letters import elements
from graphlens_tracers.events import (
    LeafSeen,
    ModuleCallId,
    ModuleCallSeen,
    NodeId,
    NodeSeen,
    Phase,
    ScopeId,
    ScopeSeen,
    SiteId,
    SiteSeen,
    ValueId,
)

Illness = Literal["nan", "inf"]
RegionSort = Literal["function", "flow"]
"""What was entered: a function, or what a loop or a branch chooses."""

NO_OPS = frozenset(
    "detach detach_ alias lift_fresh Identity ReadVariableOp StopGradient PreventGradient".split()
)
"""Operations that hand on their input unchanged; the graph keeps them, a picture does not."""
CUTS = frozenset({"detach", "detach_", "StopGradient"})
"""Those of them that no gradient passes."""
CONSTANTS = frozenset({"Const", "GuaranteeConst", "ImmutableConst"})
FEW = 8
"""A constant with no more elements is a number in the program, and no box of a picture."""
ALLOCATIONS = frozenset("empty empty_like empty_strided new_empty new_empty_strided".split())
"""Operations whose result is whatever was in memory: nothing it holds means anything."""

NO_RESULTS = ALLOCATIONS | {"NoOp", "TensorListPushBack"}
"""Operations that nothing is computed for: the last two wait for others, and keep values for a backward."""


@dataclass
class Subject:
    """One graph and, where it is known, the health of one call.

    Attributes:
        name: What the picture is called.
        nodes: Every operation of the graph, in order.
        inputs: For each of them what it reads, in argument order; None where an argument has no value.
        leaves: Values that none of them makes.
        scopes, module_calls, sites: As declared; what is not there is left out of the picture.
        ill: Values that held NaN, or infinity and no NaN, in the call shown.
        said: What the title line says about the run: step, role, framework.
        missing: What was not captured, a short sentence each.
        part: Which part of a graph it is, "transformer.h.3 (GPT2Block)"; empty for all of one.
        outside: How many operations of the graph are not in that part.
        ends: Operations of the part whose results are read outside.
        centre: The operation that the part is around.
        regions: Scopes that are no modules: what operations enter.
        inner: Operations of loops and branches: what nothing reads of theirs is no result.
        links: Where lines of the script are to be found; empty: nowhere.
    """

    name: str
    nodes: Sequence[NodeSeen]
    inputs: Mapping[NodeId, Sequence[ValueId | None]]
    leaves: Mapping[ValueId, LeafSeen]
    scopes: Mapping[ScopeId, ScopeSeen] = field(default_factory=dict)
    module_calls: Mapping[ModuleCallId, ModuleCallSeen] = field(default_factory=dict)
    sites: Mapping[SiteId, SiteSeen] = field(default_factory=dict)
    ill: Mapping[ValueId, Illness] = field(default_factory=dict)
    said: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    part: str = ""
    outside: int = 0
    ends: frozenset[NodeId] = frozenset()
    centre: NodeId | None = None
    regions: Mapping[ScopeId, RegionSort] = field(default_factory=dict)
    inner: frozenset[NodeId] = frozenset()
    links: Mapping[SiteId, str] = field(default_factory=dict)

    def reads(self, node: NodeSeen) -> list[ValueId]:
        """The values that an operation reads, in argument order; the same one twice is there twice."""
        return [value for value in self.inputs.get(node.node, ()) if value is not None]


class Read(NamedTuple):
    """One argument of an operation.

    `maker` is the index of the operation in `Forward.nodes` that made it, -1 for a leaf; `slot` its
    output. With `cut` no gradient goes back this way.
    """

    maker: int
    slot: int
    value: ValueId
    cut: bool


@dataclass
class Forward:
    """The operations that a picture shows, as columns: no-ops and dead ends are already gone.

    Attributes:
        nodes: The operations, in execution order.
        reads: What each of them reads; leaves too.
        users: For each of them the operations that read one of its outputs, each once, in order.
        results: Operations whose outputs are what the computation was for.
        through: For each no-op left out, the operation that it goes with.
        kept: For an operation the tensors that its backward reads, parameters not counted.
        aliases, numbers, dead: How many no-ops, constants and dead ends were left out.
        trained: There is a backward pass.
    """

    nodes: list[NodeSeen]
    reads: list[list[Read]]
    users: list[list[int]]
    results: list[int]
    through: dict[NodeId, int]
    kept: dict[NodeId, set[ValueId]]
    aliases: int
    numbers: int
    dead: int
    trained: bool


def forward_of(subject: Subject) -> Forward:
    """The data and forward operations of a graph; all but the backward ones where it has no forward."""
    phases = {node.phase for node in subject.nodes}
    wanted = {Phase.DATA, Phase.FORWARD} if Phase.FORWARD in phases else set(Phase) - {Phase.BACKWARD}
    if Phase.FORWARD not in phases and phases <= {Phase.BACKWARD}:
        wanted = {Phase.BACKWARD}
    read_back, kept = _read_by_backward(subject) if wanted != {Phase.BACKWARD} else (set(), {})
    # What is differentiated is part of the forward, wherever in the step it ran.
    picked = {
        node.node
        for node in subject.nodes
        if (node.phase in wanted or (node.phase is Phase.OTHER and node.node in kept))
        and node.remakes is None
    }
    wired = _wired(subject, picked)
    results = _results(subject, wired, read_back, set(kept))
    alive = _leads_to(wired.reads, results)
    index = {old: new for new, old in enumerate(alive)}
    reads = [[r._replace(maker=index[r.maker]) if r.maker >= 0 else r for r in wired.reads[i]] for i in alive]
    users: list[list[int]] = [[] for _ in alive]
    for i, row in enumerate(reads):
        for maker in {r.maker: None for r in row if r.maker >= 0}:
            users[maker].append(i)
    return Forward(
        nodes=[wired.nodes[i] for i in alive],
        reads=reads,
        users=users,
        results=[index[i] for i in results],
        through={node: index[maker] for node, maker in wired.home.items() if maker in index},
        kept=kept,
        aliases=len(wired.home) - wired.numbers,
        numbers=wired.numbers,
        dead=len(wired.nodes) - len(alive),
        trained=bool(kept or read_back),
    )


@dataclass
class _Wired:
    """Operations without the no-ops: what each reads, who makes what, and where each no-op belongs.

    `numbers` of the no-ops are constants.
    """

    nodes: list[NodeSeen] = field(default_factory=list)
    reads: list[list[Read]] = field(default_factory=list)
    made: dict[ValueId, Read] = field(default_factory=dict)
    home: dict[NodeId, int] = field(default_factory=dict)
    numbers: int = 0


def _wired(subject: Subject, picked: set[NodeId]) -> _Wired:
    """A no-op belongs to the operation whose result it hands on, else to the first that reads it.

    A parameter that an optimizer has changed in between is still that parameter.
    """
    wired = _Wired()
    read = {value for node in subject.nodes if node.node in picked for value in subject.reads(node)}
    waiting: dict[ValueId, list[NodeId]] = {}
    for node in subject.nodes:
        if node.node not in picked:
            for value, new in [*written(subject, node), *viewed(subject, node)]:
                wired.made[new] = wired.made.get(value) or Read(-1, 0, value, False)
            continue
        values = subject.reads(node)
        if _is_number(node) and node.outputs[0].value in read:
            waiting[node.outputs[0].value] = [node.node]
            wired.home[node.node] = -1
            wired.numbers += 1
            continue
        row = [wired.made.get(value) or Read(-1, 0, value, False) for value in values]
        handed = _handed_on(subject, node, row)
        if handed is not None:
            made = node.outputs[0].value
            wired.made[made] = handed
            wired.home[node.node] = handed.maker
            if handed.maker < 0:
                waiting[made] = [*waiting.pop(values[0], []), node.node]
            continue
        for value in values:
            for one in waiting.pop(value, []):
                wired.home[one] = len(wired.nodes)
        for slot, output in enumerate(node.outputs):
            wired.made[output.value] = Read(len(wired.nodes), slot, output.value, False)
        wired.nodes.append(node)
        wired.reads.append(row)
    return wired


def _is_number(node: NodeSeen) -> bool:
    """Whether an operation only says a number of the program: an axis, a rate, a shape."""
    return (
        short(node.op) in CONSTANTS
        and len(node.outputs) == 1
        and node.outputs[0].spec.shape is not None
        and elements(node.outputs[0].spec) <= FEW
    )


def _handed_on(subject: Subject, node: NodeSeen, row: list[Read]) -> Read | None:
    """What a no-op's output really is; None for an operation that counts.

    A view of a parameter (the transposed weight of a linear layer) is the parameter: it belongs on
    the card of the operation that uses it.
    """
    if len(row) != 1 or len(node.outputs) != 1:
        return None
    name = short(node.op)
    if name in NO_OPS:
        return row[0]._replace(cut=row[0].cut or name in CUTS)
    leaf = subject.leaves.get(row[0].value) if row[0].maker < 0 else None
    if leaf is not None and leaf.kind == "parameter" and not node.writes and category(node.op) in PLUMBING:
        return row[0]
    return None


def _read_by_backward(subject: Subject) -> tuple[set[ValueId], dict[NodeId, set[ValueId]]]:
    """Forward values that the backward pass reads, and by which operation's derivative."""
    gradients: set[ValueId] = set()
    values: set[ValueId] = set()
    kept: dict[NodeId, set[ValueId]] = {}
    for node in subject.nodes:
        if node.phase is not Phase.BACKWARD:
            continue
        for value in subject.reads(node):
            if value not in gradients:
                values.add(value)
                leaf = subject.leaves.get(value)
                if node.twin is not None and (leaf is None or leaf.kind != "parameter"):
                    kept.setdefault(node.twin, set()).add(value)
        if node.twin is not None:
            kept.setdefault(node.twin, set())
        gradients.update(output.value for output in node.outputs)
    return values, kept


def _results(subject: Subject, wired: _Wired, read_back: set[ValueId], twins: set[NodeId]) -> list[int]:
    """Operations at the end: the losses of a training step, else every result that nothing reads.

    Where there is a backward pass, what no gradient comes from (an accuracy, a counter) is a dead
    end. A result written into something that outlives the call (a running mean) is none either.
    """
    nodes, reads, made = wired.nodes, wired.reads, wired.made
    read = {r.maker for row in reads for r in row}
    outside = {i for i, node in enumerate(nodes) if node.node in subject.ends}
    if twins or read_back:
        back = {r.maker for value in read_back if (r := made.get(value)) is not None}
        wanted = [i for i, node in enumerate(nodes) if node.node in twins or i in back or i in outside]
        alive = set(_leads_to(reads, wanted))
        inner = {r.maker for i in alive for r in reads[i]}
        ends = [i for i in sorted(alive) if i not in inner]
        if ends:
            return sorted({*ends, *outside})
    ends = [
        i
        for i, node in enumerate(nodes)
        if i not in read
        and short(node.op) not in NO_RESULTS
        and node.node not in subject.inner
        and not _stays(subject, node, made)
    ]
    return sorted({*ends, *outside}) or list(range(len(nodes)))[-1:]


def written(subject: Subject, node: NodeSeen) -> list[tuple[ValueId, ValueId]]:
    """What the operation changes in place: each value as it was, and as it is from then on."""
    values = subject.inputs.get(node.node, ())
    return [
        (before, node.outputs[out].value)
        for at, out in node.writes
        if at < len(values) and out < len(node.outputs) and (before := values[at]) is not None
    ]


def viewed(subject: Subject, node: NodeSeen) -> list[tuple[ValueId, ValueId]]:
    """Which of its results are views: of what, and the result."""
    values = subject.inputs.get(node.node, ())
    return [
        (base, output.value)
        for output in node.outputs
        if output.alias is not None
        and output.alias < len(values)
        and (base := values[output.alias]) is not None
    ]


def _stays(subject: Subject, node: NodeSeen, made: dict[ValueId, Read]) -> bool:
    """All that the operation does is to change a parameter or a buffer."""
    changed = written(subject, node)
    if not changed or len(changed) < len(node.outputs):
        return False
    roots = [made.get(value) or Read(-1, 0, value, False) for value, _ in changed]
    leaves = [subject.leaves.get(root.value) if root.maker < 0 else None for root in roots]
    return all(leaf is not None and leaf.kind in ("parameter", "buffer", "state") for leaf in leaves)


def _leads_to(reads: list[list[Read]], ends: list[int]) -> list[int]:
    """Operations from which one of `ends` is reached, in order, `ends` included."""
    alive = set(ends)
    for i in range(len(reads) - 1, -1, -1):
        if i in alive:
            alive.update(r.maker for r in reads[i] if r.maker >= 0)
    return sorted(alive)


@dataclass(frozen=True, slots=True)
class Illnesses:
    """Where numbers went wrong.

    Attributes:
        births: Operations that made a non-finite number from finite ones, in order: the causes.
        ill: Operations with a NaN or a harmful infinity in an output, and which.
    """

    births: tuple[NodeId, ...] = ()
    ill: Mapping[NodeId, Illness] = field(default_factory=dict)


def illnesses(subject: Subject) -> Illnesses:
    """Births and spread of NaN and harmful infinities in the call that `subject` shows.

    An infinity is harmless where it was asked for (a mask of -inf) or where everything that reads
    it is finite again; it is harmful when a NaN, or the end of the graph, is reached from it.
    """
    if not subject.ill:
        return Illnesses()
    maker: dict[ValueId, int] = {}
    read: set[ValueId] = set()
    for i, node in enumerate(subject.nodes):
        for output in node.outputs:
            maker[output.value] = i
        read.update(subject.reads(node))
    harmful: set[int] = set()
    for i in range(len(subject.nodes) - 1, -1, -1):
        node = subject.nodes[i]
        found = {subject.ill[output.value] for output in node.outputs if output.value in subject.ill}
        if not found or short(node.op) in ALLOCATIONS:
            continue
        ends = all(output.value not in read for output in node.outputs)
        if i in harmful or "nan" in found or (ends and short(node.op) not in MADE):
            harmful.add(i)
            for value in subject.reads(node):
                if value in subject.ill and value in maker and maker[value] < i:
                    harmful.add(maker[value])
    births: list[NodeId] = []
    ill: dict[NodeId, Illness] = {}
    for i in sorted(harmful):
        node = subject.nodes[i]
        found = {subject.ill[output.value] for output in node.outputs if output.value in subject.ill}
        asked = "nan" not in found and short(node.op) in MADE
        if not found or asked:
            continue
        ill[node.node] = "nan" if "nan" in found else "inf"
        sick = [value for value in subject.reads(node) if value in subject.ill]
        if not any(maker.get(value, -1) in harmful and _counts(subject, maker, value) for value in sick):
            births.append(node.node)
    return Illnesses(tuple(births), ill)


def _counts(subject: Subject, maker: dict[ValueId, int], value: ValueId) -> bool:
    """The value's illness was not asked for by the operation that made it."""
    node = subject.nodes[maker[value]]
    return subject.ill[value] == "nan" or short(node.op) not in MADE
