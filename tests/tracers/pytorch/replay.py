"""Runs a recorded run again: from its graphs alone, the bytes of the leaves, and the random states.

Nothing of the tracer's is used but what is in the log. An operation gets its arguments from its
node's `form`, its tensors from a table of values, and runs for real: memory that values share in
the graph is shared here.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import torch
from watching import Picture, Seen, Watching, raw

from graphlens.store import Process
from graphlens_tracers.events import NodeSeen, ValueId
from graphlens_tracers.wire import WHOLE_LIST

UNMADE = ("aten.empty", "aten.new_empty", "aten.resize_", "aten.resize.")
"""Operations whose results hold whatever was in memory."""


class Replay:
    """Runs call after call of one process.

    Attributes:
        wrong: In words, every input and output that is not what it was.
        compared: How many tensors were held against what they were.
    """

    def __init__(self, process: Process, watched: Watching, random: bool = True) -> None:
        self.process = process
        self.watched = watched
        self.random = random
        self.wrong: list[str] = []
        self.compared = 0
        self.table: dict[ValueId, torch.Tensor] = {}

    def run(self) -> list[str]:
        """Replay everything; what was wrong."""
        process, watched = self.process, self.watched
        count = process.op_count
        if count != len(watched.seen):
            return [f"{len(watched.seen)} operations ran, {count} were recorded"]
        rows = process.rows(0, count)
        scalars = process.scalars(0, count)
        call = -1
        graph: Any = None
        with torch.no_grad():
            for seq in range(count):
                if int(rows.call[seq]) != call:
                    call = int(rows.call[seq])
                    self.table = {}
                    graph = process.calls()[0].graph if call < 0 else process.call(call).graph  # type: ignore[arg-type]  # a plain int
                node = process.nodes[int(rows.node[seq])]  # type: ignore[index]  # a plain int
                self.one(seq, node, graph, scalars.get(seq, {}))
        return self.wrong

    # ── one operation ────────────────────────────────────────────────────────────────────────

    def one(self, seq: int, node: NodeSeen, graph: Any, scalars: dict[int, float]) -> None:
        """Run one operation again and compare everything it reads and makes."""
        seen = self.watched.seen[seq]
        if node.op != seen.op:
            self.wrong.append(f"#{seq} is {seen.op}, recorded as {node.op}")
            return
        if node.op.startswith("profiler."):
            return
        here = f"#{seq} {node.op}"
        tensors = self._inputs(here, seq, node, graph)
        if tensors is None:
            return
        try:
            for read, _ in node.writes:  # what changes a tensor itself must not change who it was
                tensors[read] = tensors[read].detach()
            args, kwargs = arguments(node.form, tensors, scalars)
            outputs = self._run(node, args, kwargs, tensors, seen)
        except Exception as error:
            self.wrong.append(f"{here} {node.form}: {type(error).__name__}: {error}"[:600])
            return
        if len(outputs) != len(seen.after) or len(outputs) != len(node.outputs):
            self.wrong.append(
                f"{here}: {len(outputs)} outputs, {len(node.outputs)} recorded, {len(seen.after)} seen"
            )
            return
        for slot, (made, truth) in enumerate(zip(outputs, seen.after, strict=True)):
            if node.op.startswith(UNMADE):
                made = self._unmade(made, truth)
            self._compare(f"{here} output {slot}", made, truth)
            self.table[node.outputs[slot].value] = made

    def _inputs(self, here: str, seq: int, node: NodeSeen, graph: Any) -> list[torch.Tensor] | None:
        tensors: list[torch.Tensor] = []
        values = self.process.inputs(graph, node.node)
        through = self.process.through(graph, node.node)
        truths = self.watched.seen[seq].before
        if len(values) != len(truths):
            self.wrong.append(f"{here}: {len(truths)} inputs, {len(values)} recorded")
            return None
        for index, (value, truth) in enumerate(zip(values, truths, strict=True)):
            if value is None:
                self.wrong.append(f"{here} input {index}: no value")
                return None
            tensor = self._value(value, truth)
            if tensor is not None and index in through:
                tensor = self._through(tensor, through[index], truth)
            if tensor is None:
                self.wrong.append(
                    f"{here} input {index}: value {value} was not made in this call, nor is it a leaf"
                )
                return None
            held = whole(tensor) if is_storage(node, index) else tensor
            self._compare(f"{here} input {index} (value {value}, through {through.get(index)})", held, truth)
            tensors.append(tensor)
        return tensors

    def _value(self, value: ValueId, truth: Picture) -> torch.Tensor | None:
        tensor = self.table.get(value)
        if tensor is None and value in self.process.leaves:
            tensor = self.table[value] = truth.elements()  # a leaf is given
        return tensor

    def _through(self, tensor: torch.Tensor, view: ValueId, truth: Picture) -> torch.Tensor | None:
        """The memory of `tensor`, laid out as an earlier view of it: the view itself shares it."""
        known = self.table.get(view)
        if known is not None:
            same = known.untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr()
            return known if same else None
        if view in self.process.leaves:
            known = self.table[view] = truth.laid_over(tensor.untyped_storage())  # as a leaf is given
        return known

    def _run(
        self, node: NodeSeen, args: Any, kwargs: Any, tensors: list[torch.Tensor], seen: Seen
    ) -> list[torch.Tensor]:
        func = overload(node.op)
        generator = torch.default_generator
        if any(isinstance(arg, Generator) for arg in (*args, *kwargs.values())):
            generator = torch.Generator()
            args = [generator if isinstance(arg, Generator) else arg for arg in args]
            kwargs = {k: generator if isinstance(arg, Generator) else arg for k, arg in kwargs.items()}
        if seen.random is not None and self.random:
            generator.set_state(seen.random)
        default = torch.get_default_dtype()
        if not tensors and node.outputs and "dtype" not in kwargs:
            made_of = getattr(torch, node.outputs[0].spec.dtype)
            if made_of.is_floating_point:
                torch.set_default_dtype(made_of)
        outputs: list[torch.Tensor] = []
        try:
            outputs.extend(tensors_of(func(*args, **kwargs)))
        except Exception:
            if not seen.raised:
                raise
        finally:
            torch.set_default_dtype(default)
        for read, output in sorted(node.writes, key=lambda pair: pair[1]):
            if output >= len(outputs):
                outputs.append(tensors[read])
        return outputs

    def _unmade(self, made: torch.Tensor, truth: Picture) -> torch.Tensor:
        """Memory nobody wrote: it is given, as a leaf is."""
        storage = made.untyped_storage()
        if storage.nbytes() != len(truth.memory):
            return made
        given = truth.memory_again()
        storage.copy_(given, False)
        return made

    def _compare(self, what: str, made: torch.Tensor, truth: Picture) -> None:
        self.compared += 1
        if (made.dtype, tuple(made.shape)) != (truth.dtype, truth.shape):
            self.wrong.append(
                f"{what}: is {truth.dtype}{truth.shape}, replay made {made.dtype}{tuple(made.shape)}"
            )
        elif raw(made) != raw(truth.elements()):
            self.wrong.append(
                f"{what}: was {truth.elements().flatten()[:6]}, replay made {made.flatten()[:6]}"
            )


# ── a form to arguments ──────────────────────────────────────────────────────────────────────


def is_storage(node: NodeSeen, index: int) -> bool:
    """Whether an input is not a tensor, but the memory of one."""
    return f'{{"storage":"${index}"}}' in node.form


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All bytes of the memory that a tensor lies in."""
    storage = tensor.untyped_storage()
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, (storage.nbytes(),), (1,))


class Generator:
    """Stands in a form for the generator that the operation was given."""


@functools.cache
def overload(name: str) -> Any:
    """The operation of that name."""
    space, op, kind = name.split(".")
    return getattr(getattr(getattr(torch.ops, space), op), kind)


def arguments(
    form: str, tensors: list[torch.Tensor], varying: dict[int, float]
) -> tuple[list[Any], dict[str, Any]]:
    """What a form says, with the tensors, and with the numbers that this row has otherwise."""
    reader = Form(tensors, varying)
    positional, named = json.loads(form)
    return [reader.one(given) for given in positional], {k: reader.one(given) for k, given in named.items()}


class Form:
    """Reads a form; numbers are counted in the order in which they stand."""

    def __init__(self, tensors: list[torch.Tensor], varying: dict[int, float]) -> None:
        self.tensors = tensors
        self.varying = varying
        self.count = 0
        self.first = 0  # number of the list that is open

    def one(self, given: Any) -> Any:  # Any: JSON to an argument of any kind
        """One argument."""
        if given is None or isinstance(given, bool):
            return given
        if isinstance(given, (int, float)):
            return self.number(given)
        if isinstance(given, str):
            if given.startswith("$$"):
                return given[1:]
            return self.tensors[int(given[1:])] if given.startswith("$") else given
        if isinstance(given, list):
            outer, self.first = self.first, self.count
            found = [self.one(element) for element in given]
            self.first = outer
            return found
        ((kind, said),) = given.items()
        match kind:
            case "float":
                return self.number(float(said))
            case "dtype" | "enum":
                return getattr(torch, said)
            case "device":
                return torch.device(said)
            case "complex":
                return complex(*map(float, said))
            case "storage":
                return self.tensors[int(said[1:])].untyped_storage()
            case "object" if said == "Generator":
                return Generator()
        raise AssertionError(f"a form that can't be read: {given}")

    def number(self, given: float) -> float:
        """A number of the form, or what the row says it was."""
        value = given
        for which, said in self.varying.items():  # what was said last holds
            if which == self.count or (
                which & WHOLE_LIST and self.first <= which & ~WHOLE_LIST <= self.count
            ):
                value = said
        self.count += 1
        return type(given)(value)


def tensors_of(result: Any) -> Iterator[torch.Tensor]:
    """The tensors of a result, in order."""
    if isinstance(result, torch.Tensor):
        yield result
    elif isinstance(result, (list, tuple)):
        for element in result:
            yield from tensors_of(element)


# ── other oracles ────────────────────────────────────────────────────────────────────────────


def torn_values(process: Process, watched: Watching) -> list[str]:
    """Values that did not hold the same bytes whenever they were read, or have no origin."""
    wrong: list[str] = []
    rows = process.rows(0, process.op_count)
    call = -1
    held: dict[tuple[ValueId, ValueId | None], Any] = {}
    made: set[ValueId] = set()
    for seq in range(process.op_count):
        if int(rows.call[seq]) != call:
            call, held, made = int(rows.call[seq]), {}, set()
        seen, node = watched.seen[seq], process.nodes[int(rows.node[seq])]  # type: ignore[index]  # a plain int
        if node.op.startswith("profiler."):
            continue
        graph = process.call(call).graph  # type: ignore[arg-type]  # a plain int
        through = process.through(graph, node.node)
        for index, value in enumerate(process.inputs(graph, node.node)):
            if value not in made and value not in process.leaves:
                wrong.append(f"#{seq} {node.op} input {index}: value {value} comes from nowhere")
            if value is None or index >= len(seen.before) or is_storage(node, index):
                continue
            contents = seen.before[index].contents()
            if held.setdefault((value, through.get(index)), contents) != contents:
                wrong.append(f"#{seq} {node.op} input {index}: value {value} is not what it was")
        for output, picture in zip(node.outputs, seen.after, strict=False):
            made.add(output.value)
            held.setdefault((output.value, None), picture.contents())
    return wrong
