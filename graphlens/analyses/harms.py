"""Where numbers that are not finite do harm: in a loss, a gradient, what is trained, kept or shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from graphlens.analyses.flow import Flow, Made
from graphlens.store import Call
from graphlens_tracers.events import CellId, GraphId, LeafSeen, NodeId, NodeSeen, Phase, Seq

Kind = Literal["loss", "gradient", "parameter", "state", "output"]
GRADIENT = "AccumulateGrad"
"""How the formula begins of what puts a gradient into a parameter's; its name follows in brackets."""
SEED = "aten.ones_like.default"
"""What makes the gradient that a backward pass begins with, from the loss."""
READS = "aten._local_scalar_dense.default"
"""What hands a number to the script."""
PRINTS = ("StringFormat", "Print", "PrintV2")
"""What makes text of numbers in TensorFlow, to print it."""
KEPT = ("parameter", "buffer", "state")


@dataclass(frozen=True, slots=True)
class Harm:
    """Something not finite has reached what the script is about.

    Attributes:
        seq: The operation that brought it there; `at`: the output that it is.
        name: Of the parameter, say; "" when it has none.
        printed: It was only written as text. That counts where nothing else has gone wrong in the whole run.
    """

    kind: Kind
    seq: Seq
    at: Made
    name: str = ""
    printed: bool = False


class Harms:
    """Finds them in one outermost call after the other."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._roots: set[NodeId] = set()
        self._passed_over: set[NodeId] = set()
        self._writes: dict[GraphId, set[CellId]] = {}  # by graph of outermost calls

    def skip(self, call: Call) -> None:
        """An outermost call in which everything is finite: what it writes is, too. No row is read."""
        graph, process = call.graph, self._flow.process
        if graph not in self._writes:
            nodes = [process.nodes[node] for node in process.order(graph)]
            self._roots.update(self._roots_of(graph, nodes))
            self._writes[graph] = self._written(graph, nodes)
        for cell in self._writes[graph]:
            self._flow.emptied(cell)

    def of(self, call: Call, last: bool) -> list[Harm]:
        """All of one outermost call, the first in time first; `last`: the script ends with it."""
        nodes = [(seq, node, its) for seq, (node, its) in self._flow.within(call)]
        roots = self._roots_of(call.graph, [node for _, node, its in nodes if its is call])
        # A function that is a whole training step has them inside.
        self._roots.update(roots or list(_last_differentiated([node for _, node, _ in nodes]))[-1:])
        self._passed_over = set() if last else self._left_out([node for _, node, _ in nodes], roots)
        found = [harm for seq, node, its in nodes for harm in self._of(seq, node, its)]
        return [*(found or self._shown(call, nodes)), *self._printed(call, nodes)]

    def _printed(self, call: Call, nodes: Sequence[tuple[Seq, NodeSeen, Call]]) -> Iterator[Harm]:
        """What the script has written as text, and what operations of TensorFlow write so.

        Minus infinity alone is a mask, or the logarithm of nothing: people know it.
        """
        flow = self._flow
        facts = flow.process.unusual(call.first, flow.stop(call))
        shown = [(fact.seq, Made(fact.seq, fact.slot)) for fact in facts if fact.printed]
        for seq, node, _ in nodes:
            sources = flow.sources(seq) if node.op in PRINTS else ()
            shown += [(seq, source) for source in sources if isinstance(source, Made)]
        for seq, made in shown:
            computed = flow.computed(made)
            if isinstance(computed, Made) and flow.is_striking(computed):
                yield Harm("output", seq, computed, printed=True)

    def _left_out(self, nodes: Sequence[NodeSeen], roots: Sequence[NodeId]) -> set[NodeId]:
        """What elsewhere is a loss, and here is none: the script has differentiated another one, after it."""
        twins = {node.twin for node in nodes if node.phase is Phase.BACKWARD and node.twin is not None}
        return {node.node for node in nodes} - twins - set(roots) if twins else set()

    def _shown(self, call: Call, nodes: Sequence[tuple[Seq, NodeSeen, Call]]) -> Iterator[Harm]:
        """What TensorFlow has made eagerly and nothing reads: it is for the script to look at."""
        flow = self._flow
        for seq, node, its in nodes:
            made = Made(seq, 0)
            if its.parent is not None or node.op.startswith("aten.") or node.phase is Phase.BACKWARD:
                continue
            if flow.health(made).bad and seq not in flow.readers(call) and made not in flow.kept:
                yield Harm("output", seq, made)

    def _of(self, seq: Seq, node: NodeSeen, call: Call) -> Iterator[Harm]:
        flow = self._flow
        if node.node in self._roots - self._passed_over and flow.health(Made(seq, 0)).bad:
            yield Harm("loss", seq, Made(seq, 0))
        if node.formula.startswith(GRADIENT):
            made = flow.computed(Made(seq, 0))
            if isinstance(made, Made) and flow.health(made).bad:
                yield Harm("gradient", seq, made, node.formula[len(GRADIENT) + 1 : -1])
        elif node.op == READS and node.phase is not Phase.OPTIMIZER:
            for source in flow.sources(seq):
                if isinstance(source, Made) and flow.health(source).bad:
                    yield Harm("output", seq, source)
        if node.phase is Phase.OPTIMIZER and not node.formula:
            for source in flow.sources(seq):
                if isinstance(source, Made) and self._is_gradient(source) and flow.health(source).bad:
                    yield Harm("gradient", seq, source)
        for slot in range(len(node.outputs)):
            made = Made(seq, slot)
            home = self._home(made, node, call)
            if home is None:
                continue
            if home.cell is not None and any(output == slot for _, output in node.writes):
                flow.wrote(call, home.cell, made)
            kind = self._kept_as(home, node, made) if flow.health(made).bad else None
            if kind is not None:
                yield Harm(kind, seq, made, home.name)

    def _is_gradient(self, source: Made) -> bool:
        """Whether an output is what a backward pass has made; PyTorch says so by `GRADIENT`."""
        node = self._flow.node(source.seq)
        return node.phase is Phase.BACKWARD and not node.op.startswith("aten.")

    def _home(self, made: Made, node: NodeSeen, call: Call) -> LeafSeen | None:
        """What an output is in later calls, or what its operation has written into."""
        kept = self._flow.kept.get(made)
        read = next((read for read, slot in node.writes if slot == made.slot), None)
        if kept is not None or read is None:
            return kept
        value = self._flow.values(made.seq)[read]
        return None if value is None else self._flow.home(call.graph, value)

    def _kept_as(self, home: LeafSeen, node: NodeSeen, made: Made) -> Kind | None:
        """What an output is to later calls; None: nothing that training keeps.

        What nobody trains, where others are trained, is no parameter. What an update by hand puts in the
        place of what it has read, without writing into it, is one, when more than updates read it.
        """
        if home.kind == "parameter":
            aside = home.cell is not None and self._trained and home.cell not in self._trained
            return "state" if aside else "parameter"
        if home.kind in KEPT:
            return "state"
        if home.kind != "earlier" or node.phase is not Phase.OPTIMIZER or not self._renews(home, made):
            return None
        readers = self._flow.process.nodes.values()
        computes = any(one.phase is not Phase.OPTIMIZER and home.value in one.inputs for one in readers)
        return "parameter" if computes else "state"

    def _renews(self, home: LeafSeen, made: Made) -> bool:
        """Whether an output was computed from what a leaf was before it became that."""
        before = [one for one in self._flow.contents(home) if one.seq < made.seq]
        return bool(before) and before[-1] in self._flow.sources(made.seq)

    @cached_property
    def _trained(self) -> set[CellId]:
        """Of what outlives a call, all that an optimizer or an update by hand writes, in the whole run."""
        process, found = self._flow.process, set[CellId]()
        for graph in process.graphs():
            nodes = [process.nodes[node] for node in process.order(graph.graph)]
            found |= self._written(graph.graph, [node for node in nodes if node.phase is Phase.OPTIMIZER])
        return found

    def _written(self, graph: GraphId, nodes: Sequence[NodeSeen]) -> set[CellId]:
        """What outlives a call and is written by some operations of a graph."""
        found: set[CellId] = set()
        for node in nodes:
            for read, _ in node.writes:
                value = self._flow.process.inputs(graph, node.node)[read]
                home = None if value is None else self._flow.home(graph, value)
                if home is not None and home.cell is not None:
                    found.add(home.cell)
        return found

    def _roots_of(self, graph: GraphId, nodes: Sequence[NodeSeen]) -> list[NodeId]:
        """What backward passes begin from."""
        seeds = [node for node in nodes if node.op == SEED and node.phase is Phase.BACKWARD]
        if not seeds:
            return list(_last_differentiated(nodes))
        values = [self._flow.process.inputs(graph, node.node)[0] for node in seeds]
        makers = [self._flow.maker(graph, value) for value in values if value is not None]
        return [maker for maker in makers if maker is not None]


def _last_differentiated(nodes: Sequence[NodeSeen]) -> Iterator[NodeId]:
    """What is differentiated, is one number, and is read by nothing that is differentiated."""
    twins = {node.twin for node in nodes if node.phase is Phase.BACKWARD and node.twin is not None}
    read = {value for node in nodes if node.node in twins for value in node.inputs}
    for node in nodes:
        goes_on = any(output.value in read or output.spec.shape for output in node.outputs)
        if node.node in twins and node.phase is not Phase.BACKWARD and not goes_on:
            yield node.node
