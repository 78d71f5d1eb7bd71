"""Recognising a step that repeats: one small generated function for each place on a way.

A `Place` is a node on one way through a step, with what it is wired to. Its `check` says in about
a microsecond whether the operation that is about to run is that one: same operation, same
arguments, reading the same variables. Variables are storages made or first read in the call, as
numbered weak references.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch

from graphlens_tracers.events import (
    CellId,
    GraphId,
    ModuleCallId,
    NodeId,
    Output,
    Phase,
    ScopeId,
    SiteId,
    ValueId,
)
from graphlens_tracers.pytorch.arguments import OpInfo, scalars_of

Vars = list[Any]
"""By number: a callable that gives the storage, or None when it is gone."""
Check = Callable[[Vars, tuple[Any, ...], dict[str, Any]], "Sequence[float] | None"]


def _never(_vars: Vars, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> None:
    """The check of the place before the first operation."""


def gone() -> None:
    """Stands in `Vars` where no storage has been seen yet."""


class Node:
    """A place in the program where an operation runs; shared by every way that passes it."""

    __slots__ = (
        "code", "depth", "form", "grad", "id", "info", "inputs", "key", "lasti", "lists", "module_call",
        "outputs", "phase", "ranged", "scalars", "scope", "shapes", "site", "slots", "twin", "varying",
        "views", "writes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.id: NodeId
        self.info: OpInfo
        self.key: tuple[Any, ...]
        self.phase: Phase
        self.form: tuple[Any, ...]  # skeleton, views, writes, kinds of outputs: what must be equal
        self.inputs: tuple[ValueId | None, ...]
        self.outputs: tuple[Output, ...]
        self.views: tuple[int | None, ...]  # for each output, the input it aliases
        self.writes: tuple[tuple[int, int], ...]
        self.scope: ScopeId | None
        self.module_call: ModuleCallId | None
        self.site: SiteId | None
        self.twin: NodeId | None
        self.scalars: list[float]
        self.lists: list[int]  # for each scalar, how many elements of its list follow it
        self.varying: set[int] = set()
        self.ranged: tuple[tuple[int, Any], ...]  # (output, how), in order
        self.slots: int
        self.shapes: tuple[Any, ...] | None  # of the outputs, where they must be looked at each time
        self.code: Any  # of the nearest user frame, `depth` frames out
        self.lasti: int
        self.depth: int
        self.grad: bool

    def let_vary(self, numbers: Sequence[float]) -> None:
        """Numbers that are not what they were: from now on they are written with the rows.

        A list of numbers varies as a whole.
        """
        for k, number in enumerate(numbers):
            if number == self.scalars[k] or k in self.varying:
                continue
            start = k
            while start > 0 and self.lists[start - 1] == self.lists[start] + 1:
                start -= 1
            self.varying.update(range(start, k + self.lists[k] + 1))
        if self.varying and self.shapes is None:
            # A slice of another length, a view of another shape: look at what comes out.
            self.shapes = tuple(output.spec.shape for output in self.outputs)


class Leaf:
    """A value that comes from outside a call.

    Attributes:
        usual: The storage it was last time.
        strict: Another storage means another graph (parameters, buffers).
        rebound: Set when `accept` took another storage than the usual one.
    """

    __slots__ = ("cell", "dtype", "geometry", "rebound", "reshaped", "shape", "strict", "usual", "value")

    def __init__(self, value: ValueId, cell: CellId | None, strict: bool) -> None:
        self.value = value
        self.cell = cell
        self.strict = strict
        self.usual: Any = gone
        self.dtype: torch.dtype | None = None
        self.shape: Any = None
        self.geometry: Any = None
        self.rebound = False
        self.reshaped = False

    def accept(
        self, storage: Any, tensor: torch.Tensor, variables: Vars, from_outside: tuple[int, ...]
    ) -> bool:
        """Whether `tensor` may be this leaf in the call that is under way.

        Args:
            variables: Those known so far in this call.
            from_outside: Leaves among them that might have taken this storage already.
        """
        if tensor.dtype is not self.dtype:
            return False
        if tensor.shape != self.shape:
            self.reshaped = True
        if self.usual() is storage:
            return not any(variables[k]() is storage for k in from_outside)
        if self.strict or any(known() is storage for known in variables):
            return False
        self.usual = weakref.ref(storage)
        self.rebound = True
        return True


class Place:
    """A node on one way through a step.

    Attributes:
        reads: For each input, its variable.
        leaves: (input, leaf) where a leaf is read for the first time.
        makes: (output, variable) for each output with memory of its own.
        values: For each input, its value: the node's own wiring, or this way's.
        children: What came next, the latest first.
        graph: The graph that was being recorded when this place was new.
        end: Set when some call ended here.
        number: Its autograd node's sequence number, counted from the call's beginning.
    """

    __slots__ = (
        "ambiguous", "autograd", "check", "children", "depth", "end", "first_var", "func", "graph", "leaves",
        "makes", "next_var", "node", "number", "parent", "reads", "values",
    )  # fmt: skip

    def __init__(self, node: Node, parent: Place | None) -> None:
        self.node = node
        self.func: Any = node.info.func if parent is not None else None
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent is not None else -1
        self.children: list[Place] = []
        self.check: Check = _never
        self.reads: tuple[int, ...] = ()
        self.leaves: list[tuple[int, Leaf]] = []
        self.ambiguous: dict[int, tuple[int, tuple[int, ...]]] = {}
        self.makes: tuple[tuple[int, int], ...] = ()
        self.values: tuple[ValueId | None, ...] = ()
        self.graph: GraphId = GraphId(-1)
        self.end: End | None = None
        self.first_var: int = parent.next_var if parent is not None else 0
        self.next_var: int = self.first_var
        self.number: int | None = None
        self.autograd: str = ""

    def path(self, after: Place | None = None) -> list[Place]:
        """The places from just after `after` (or the beginning) up to this one, in order."""
        found: list[Place] = []
        place = self
        while place.parent is not None and place is not after:
            found.append(place)
            place = place.parent
        found.reverse()
        return found

    def leaves_before(self, index: int, strict: bool) -> tuple[int, ...]:
        """Variables of leaves read before input `index` that a leaf must not be confused with.

        Two strict leaves never are one storage.
        """
        found = [self.reads[k] for k, leaf in self.leaves if k < index and not (strict and leaf.strict)]
        place = self.parent
        while place is not None:
            found += [place.reads[k] for k, leaf in place.leaves if not (strict and leaf.strict)]
            place = place.parent
        return tuple(found)

    def compile(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Make `check` from the arguments of a call that is right."""
        self.check = _Compiler(self, args, kwargs, self.node.varying).check()

    def vary(self, variables: Vars, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Sequence[float] | None:
        """Whether a call that `check` refused differs in numbers only; from then on they may vary."""
        node = self.node
        numbers = scalars_of(args, kwargs)
        if numbers == node.scalars or len(numbers) != len(node.scalars):
            return None
        every = _Compiler(self, args, kwargs, set(range(len(numbers)))).check()
        if every(variables, args, kwargs) is None:
            return None
        node.let_vary(numbers)
        self.compile(args, kwargs)
        return self.check(variables, args, kwargs)


class End:
    """What is known of a graph whose calls end at a place.

    Attributes:
        last_writers: Variables made in the call, with the depth and output of their last writer.
    """

    __slots__ = ("graph", "last_writers", "shapes")

    def __init__(self, graph: GraphId, place: Place) -> None:
        self.graph = graph
        self.shapes: dict[Any, int] = {}
        writers: dict[int, tuple[int, int]] = {}
        for at in place.path():
            for output, var in at.makes:
                writers[var] = (at.depth, output)
            for read, output in at.node.writes:
                writers[at.reads[read]] = (at.depth, output)
        self.last_writers = [(var, depth, output) for var, (depth, output) in writers.items()]


_UNROLLED = 4
"""Longer lists of tensors are checked in a loop."""


class _Compiler:
    """Writes the source of one `check`. Sources are shared by places whose calls look alike."""

    _made: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, place: Place, args: tuple[Any, ...], kwargs: dict[str, Any], varying: set[int]
    ) -> None:
        self.place = place
        self.node = place.node
        self.lines: list[str] = []
        self.constants: list[Any] = []
        self.tensor = 0
        self.scalar = 0
        self.varying = varying
        self.varies = bool(varying)
        self.leaves = dict(place.leaves)
        self.names = 0
        if self.varies:
            self.lines.append("out = []")
        self.lines.append(f"if len(args) != {len(args)} or len(kwargs) != {len(kwargs)}: return None")
        for position, arg in enumerate(args):
            self.one(arg, f"args[{position}]")
        for name, arg in kwargs.items():
            self.one(arg, f"kwargs[{name!r}]")
        self.lines.append("return out" if self.varies else "return ()")

    def check(self) -> Check:
        names = ", ".join(f"c{k}" for k in range(len(self.constants)))
        body = "\n    ".join(self.lines)
        source = f"def make({names}):\n  def check(vars, args, kwargs):\n    {body}"
        source += "\n  return check\n"
        make = self._made.get(source)
        if make is None:
            scope: dict[str, Any] = {}
            # Our own text: no word of the script's is in it.
            exec(compile(source, "<graphlens check>", "exec"), scope)
            make = self._made[source] = scope["make"]
        made: Check = make(*self.constants)
        return made

    def constant(self, value: Any) -> str:
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    def fail_if(self, condition: str) -> None:
        self.lines.append(f"if {condition}: return None")

    def one(self, arg: Any, at: str) -> None:
        if isinstance(arg, torch.Tensor):
            self.one_tensor(at)
        elif arg is None or isinstance(arg, bool):
            self.fail_if(f"{at} is not {arg}")
        elif type(arg) in (int, float):
            self.one_number(arg, at)
        elif isinstance(arg, (list, tuple)):
            self.one_list(arg, at)
        elif isinstance(arg, dict):
            self.fail_if("True")  # operators that take dicts are rare: always the slow way
        else:
            self.one_other(arg, at)

    def one_tensor(self, at: str) -> None:
        index = self.tensor
        self.tensor += 1
        self.names += 1
        name = f"t{self.names}"
        self.lines.append(f"{name} = {at}")
        variable = self.constant(self.place.reads[index])
        leaf = self.leaves.get(index)
        if leaf is None:
            self.fail_if(f"vars[{variable}]() is not {name}.untyped_storage()")
        else:
            held = self.constant(leaf)
            known = variable  # they are numbered in the order in which they are read
            loose = self.constant(self.place.leaves_before(index, leaf.strict))
            self.fail_if(f"not {held}.accept({name}.untyped_storage(), {name}, vars[:{known}], {loose})")
            self.lines.append(f"vars[{variable}] = {held}.usual")
        if index in self.place.ambiguous:
            offset, strides = self.place.ambiguous[index]
            self.fail_if(f"{name}.storage_offset() != {self.constant(offset)}")
            self.fail_if(f"{name}.stride() != {self.constant(strides)}")

    def one_number(self, arg: float, at: str) -> None:
        kind = "int" if type(arg) is int else "float"
        if self.scalar in self.varying:
            self.fail_if(f"type({at}) is not {kind}")
            self.lines.append(f"out.append({at})")
        else:
            value = self.constant(self.node.scalars[self.scalar])
            self.fail_if(f"type({at}) is not {kind} or {at} != {value}")
        self.scalar += 1

    def one_list(self, arg: Sequence[Any], at: str) -> None:
        self.names += 1
        name = f"l{self.names}"
        self.lines.append(f"{name} = {at}")
        self.fail_if(f"len({name}) != {len(arg)}")
        if len(arg) > _UNROLLED and all(isinstance(element, torch.Tensor) for element in arg):
            self.many_tensors(len(arg), name)
        elif len(arg) > _UNROLLED and all(type(element) in (int, float) for element in arg):
            self.many_numbers(len(arg), name)
        else:
            for k, element in enumerate(arg):
                self.one(element, f"{name}[{k}]")

    def many_tensors(self, count: int, name: str) -> None:
        indices = range(self.tensor, self.tensor + count)
        if any(k in self.leaves or k in self.place.ambiguous for k in indices):
            for k in range(count):
                self.one_tensor(f"{name}[{k}]")
            return
        self.tensor += count
        variables = self.constant(tuple(self.place.reads[k] for k in indices))
        self.lines.append(f"for t, v in zip({name}, {variables}):")
        self.lines.append("    if vars[v]() is not t.untyped_storage(): return None")

    def many_numbers(self, count: int, name: str) -> None:
        indices = range(self.scalar, self.scalar + count)
        self.scalar += count
        if any(k in self.varying for k in indices):
            self.lines.append(f"out.extend({name})")
        else:
            self.fail_if(f"list({name}) != {self.constant([self.node.scalars[k] for k in indices])}")

    def one_other(self, arg: Any, at: str) -> None:
        if isinstance(arg, (str, torch.dtype, torch.device, torch.layout, torch.memory_format, complex)):
            kind = self.constant(type(arg))
            self.fail_if(f"type({at}) is not {kind} or {at} != {self.constant(arg)}")
        else:
            # A generator, a script object: only its kind is known, as in the node's form.
            self.fail_if(f"type({at}) is not {self.constant(type(arg))}")
