"""The tensors of an operation that a script is held at, as the Tensor mode shows them: fetched, not kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from graphlens.debugger import Stop
from graphlens.elements import Elements, array_of
from graphlens.session import Op
from graphlens.statistics import bad, histogram, statistics
from graphlens_tracers.events import GraphId, NodeId, NodeSeen, Output, Phase, Seq, Spec, ValueId
from graphlens_tui.held import output_of
from graphlens_tui.tensors import BINS, Key, Tensor, Wanted, seen


def operation_of(stop: Stop) -> Op:
    """A held operation, as one that was recorded: there is no row of it yet."""
    said = stop.said
    outputs = tuple(output_of(one) for one in said["outputs"] if one)
    values = tuple(None if one is None else ValueId(-1 - k) for k, one in enumerate(said["inputs"]))
    phase = Phase(said["phase"]) if said["phase"] in list(Phase) else Phase.OTHER
    node = NodeSeen(
        NodeId(-1), "", str(said["op"]), phase, "", values,
        tuple(Output(ValueId(0), one.spec, None, "") for one in outputs),
    )  # fmt: skip
    inputs = tuple((value, None) for value in values)
    return Op(
        Seq(int(said["seq"])), node, None, GraphId(-1), inputs, outputs, 0, 0, None, str(said["module"]), None
    )


def look_held(stop: Stop, wanted: Wanted) -> Iterator[Tensor]:
    """The tensor: at first with its elements alone, then measured.

    Raises:
        NotLive: The script has gone on, or has gone.
        ValueError: Its elements cannot be read, or are too many.
        GraphlensError: The expression cannot be computed.
    """
    whole = elements_of(stop, wanted.key)
    view = seen(whole, wanted.expression)
    tensor = Tensor(wanted, view, whole.spec)
    yield tensor
    yield replace(
        tensor, statistics=statistics(view.array), histogram=histogram(view.array, BINS), bad=bad(view)
    )


def elements_of(stop: Stop, key: Key) -> Elements:
    """The elements of an input or output, as they are now."""
    position, slot = key
    which, index = ("in", position) if slot is None else ("out", slot)
    answer, data = stop.ask("tensor", which=which, index=index)
    array = array_of(answer["dtype"], answer["shape"], data)
    return Elements(Spec(tuple(answer["shape"]), str(answer["dtype"])), array)
