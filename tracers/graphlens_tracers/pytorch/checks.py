"""What has to be compared to know that a call is the one that was expected, as lines of Python.

Written down once, when a place is first passed: straight-line comparisons of its operation's
arguments with constants of that place. `quick.py` says what the names in these lines stand for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from graphlens_tracers.pytorch import compat

if TYPE_CHECKING:  # they hold what is made here
    from graphlens_tracers.pytorch.plan import Leaf, Place

Vars = list[Any]
"""By number: a callable that gives the storage, or None when it is gone."""

_UNROLLED = 4
"""Longer lists of tensors are checked in a loop."""


class Arguments:
    """Lines that compare a call's arguments, bind its leaves, and collect its varying numbers in `out`.

    They leave by `break` when something differs.

    Attributes:
        constants: Of the lines, by number: `c0`, `c1`, …
    """

    def __init__(self, place: Place, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.place = place
        self.node = place.node
        self.lines: list[str] = []
        self.constants: list[Any] = []
        self.tensor = 0
        self.scalar = 0
        self.varying = varying = place.node.varying
        self.leaves = dict(place.leaves)
        self.names = 0
        self.bound: list[int] = []  # variables of leaves that are read here first
        self.first: dict[int, str] = {}  # by variable: the tensor that is read first, if here
        if varying:
            self.lines.append("out = []")
        if args:  # a ValueError when there are more or fewer
            self.lines.append(f"{', '.join(f'a{k}' for k in range(len(args)))}, = args")
        else:
            self.fail_if("args")
        self.fail_if(f"len(kwargs) != {len(kwargs)}" if kwargs else "kwargs")
        for position, arg in enumerate(args):
            self.one(arg, f"a{position}")
        for name, arg in kwargs.items():
            self.one(arg, f"kwargs[{name!r}]")

    # ── the arguments ────────────────────────────────────────────────────────────────────────

    def constant(self, value: Any) -> str:
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    def fail_if(self, condition: str) -> None:
        self.lines.append(f"if {condition}: break")

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
        elif isinstance(arg, torch.UntypedStorage):
            self.tensor += 1
            self.fail_if("True")  # and so are those that take memory itself
        else:
            self.one_other(arg, at)

    def one_tensor(self, at: str) -> None:
        index = self.tensor
        self.tensor += 1
        name = self._name(at, "t")
        variable = self.constant(self.place.reads[index])
        leaf = self.leaves.get(index)
        number = self.place.reads[index]
        if leaf is not None:
            self._leaf(leaf, index, name, variable)
            self.first[number] = name
        else:
            self.fail_if(f"vars[{variable}]() is not {name}.untyped_storage()")
            if index in self.place.asks:
                # Other leaves that ask for a gradient: the same operations, differentiated otherwise.
                self.fail_if(f"{name}.requires_grad is not {self.place.asks[index]}")
            first = self.first.get(number)
            if first is not None and index not in self.place.ambiguous:
                like = f"{name}.shape == {first}.shape and {name}.stride() == {first}.stride()"
                offsets = f"{name}.storage_offset() == {first}.storage_offset()"
                self.fail_if(f"{name} is not {first} and not ({like} and {offsets})")
        if index in self.place.ambiguous:
            self._lies(index, name)

    def _lies(self, index: int, name: str) -> None:
        """Another view of the same storage might be meant."""
        where = self.place.ambiguous[index]
        if where.view is not None:
            noted = f"offsets.get({self.constant(where.view)})"
            self.fail_if(f"{name}.storage_offset() != {noted}")
        elif where.offset is not None:
            self.fail_if(f"{name}.storage_offset() != {self.constant(where.offset)}")
        if where.strides is not None:
            self.fail_if(f"{name}.stride() != {self.constant(where.strides)}")
        if where.contiguous:
            self.fail_if(f"not {name}.is_contiguous()")
        if where.dims is not None:
            self.fail_if(f"{name}.ndim != {self.constant(where.dims)}")
        if where.shape is not None:
            self.fail_if(f"{name}.shape != {self.constant(where.shape)}")
        if where.kind is not None:
            self.fail_if(f"kind_of({name}) != {self.constant(where.kind)}")
        if where.same or where.leaves:
            given = [self.constant(one) for one in (where.same, where.leaves)]
            self.fail_if(f"not coincide({', '.join(given)})")
        if where.at is not None:
            self.fail_if(f"geometry_of({name}) != lies.get({self.constant(where.at)})")
        if where.part is not None:
            self.lines.append(f"{self.constant(where.part)}.lie({name})")
        if where.leaf is not None:
            self.fail_if(f"not {self.constant(where.leaf)}.is_at({name})")

    def _name(self, at: str, letter: str) -> str:
        """A local variable for what stands at `at`."""
        if at.isidentifier():
            return at
        self.names += 1
        self.lines.append(f"{letter}{self.names} = {at}")
        return f"{letter}{self.names}"

    def _leaf(self, leaf: Leaf, index: int, name: str, variable: str) -> None:
        """A value from outside: what it usually is, or something that it may be."""
        held = self.constant(leaf)
        usual = f"{held}.sure() is h"
        if not leaf.is_plain:
            usual += f" and kind_of({name}) == {held}.kind"
        if leaf.loose or leaf.cell is None:
            usual += f" and {name}.dtype is {self.constant(leaf.dtype)} and {name}.shape == {held}.shape"
            if len(leaf.shape or ()) > 1:
                usual += f" and {name}.stride() == {held}.strides"
        if index in self.place.asks:
            # Other leaves that ask for a gradient: the same operations, differentiated otherwise.
            self.fail_if(f"{name}.requires_grad is not {self.place.asks[index]}")
        read = self.constant(leaf.read)
        self.fail_if(f"vars[{read}] is ran")  # already
        self.lines.append(f"h = {name}.untyped_storage()")
        taken = "".join(f"vars[{self.constant(number)}], " for number in self.bound)
        self.fail_if(f"not ({usual}) and not {held}.accept(h, {name}, ({taken}))")
        self.bound.append(self.place.reads[index])
        self.lines += [f"vars[{variable}] = {held}.usual", f"vars[{read}] = ran"]
        if leaf.moves:
            self.lines.append(f"{held}.lie({name})")

    def one_number(self, arg: float, at: str) -> None:
        kind = "int" if type(arg) is int else "float"
        if self.scalar in self.varying:
            self.fail_if(f"type({at}) is not {kind}")
            self.lines.append(f"out.append({at})")
        else:
            known = self.node.scalars[self.scalar]
            value = self.constant(known)
            self.fail_if(f"{at} is not {value} and ({at} != {value} or type({at}) is not {kind})")
            if kind == "float" and known == 0:  # -0.0 is another number
                self.fail_if(f"copysign(1, {at}) != {math.copysign(1, known)}")
        self.scalar += 1

    def one_list(self, arg: Sequence[Any], at: str) -> None:
        name = self._name(at, "l")
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
        special = (self.leaves, self.place.ambiguous, self.place.asks)
        if any(k in known for k in indices for known in special):
            for k in range(count):
                self.one_tensor(f"{name}[{k}]")
            return
        self.tensor += count
        variables = self.constant(tuple(self.place.reads[k] for k in indices))
        self.lines += [
            "differs = False",
            f"for t, v in zip({name}, {variables}):",
            "    if vars[v]() is not t.untyped_storage():",
            "        differs = True",
            "        break",
        ]
        self.fail_if("differs")

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
        elif isinstance(arg, torch.ScriptObject):
            kind, name = self.constant(type(arg)), self.constant(compat.group_name)
            group = self.constant(compat.group_name(arg))
            self.fail_if(f"type({at}) is not {kind} or {name}({at}) != {group}")
        else:
            # A generator: only its kind is known, as in the node's form.
            self.fail_if(f"type({at}) is not {self.constant(type(arg))}")


def function(
    made: dict[str, Any], scope: dict[str, Any], head: str, lines: list[str], constants: list[Any]
) -> Any:
    """The function of this head and these lines; its code is shared with all others of the same text."""
    body = "\n    ".join(lines)
    given = ", ".join(f"c{k}" for k in range(len(constants)))
    source = f"def make({given}):\n  def {head}:\n    {body}\n  return {head.split('(')[0]}\n"
    make = made.get(source)
    if make is None:
        # Our own text: no word of the script's is in it.
        exec(compile(source, __file__, "exec"), scope)
        make = made[source] = scope["make"]
    return make(*constants)
