"""The quick side: small generated functions that recognise an operation, run it and write its row.

A step that repeats is recognised operation by operation. What has to be compared is known when a
place is first passed, so it is written down as straight-line Python, compiled once for all places
whose calls look alike, and given each place's own constants.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Sequence
from math import copysign
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from graphlens_tracers import page as at
from graphlens_tracers.pytorch import compat, numerics
from graphlens_tracers.pytorch.arguments import geometry_of, kind_of, spec_of
from graphlens_tracers.wire import AT_GAP, AT_SLOTS, AT_TOOK, MAX_ROWS, MAX_SCALARS, MAX_SLOTS

if TYPE_CHECKING:  # they hold what is made here
    from graphlens_tracers.pytorch.dispatch import Dispatch
    from graphlens_tracers.pytorch.plan import Leaf, Place

Vars = list[Any]
"""By number: a callable that gives the storage, or None when it is gone."""
Check = Callable[[Vars, tuple[Any, ...], dict[str, Any]], "Sequence[float] | None"]
Run = Callable[[tuple[Any, ...], dict[str, Any]], Any]
"""Gives what the operation returned, or OTHER when it is not the one that was expected."""

OTHER = object()

_UNFIT = "(AttributeError, RuntimeError, NotImplementedError, TypeError, KeyError, IndexError, ValueError)"
"""What a comparison raises when not even the kinds of arguments, or the depth of the stack, fit."""

_HOT: dict[str, Any] = {
    "OTHER": OTHER,
    "LOW": float("-inf"),
    "HIGH": float("inf"),
    "MAX_ROWS": MAX_ROWS,
    "MAX_SCALARS": MAX_SCALARS,
    "PLAIN": (torch.Tensor, torch.nn.Parameter),
    "grad_enabled": torch.is_grad_enabled,
    "now": perf_counter_ns,
    "getframe": sys._getframe,
    "ref": weakref.ref,
    "spec_of": spec_of,
}
"""What every `run` uses, as its own constants."""


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


def _bare(func: Any) -> Any:
    """What an overload's own `__call__` calls: a frame less."""
    return getattr(func, "_op", func)


_UNROLLED = 4
"""Longer lists of tensors are checked in a loop."""


class Compiler:
    """Writes the source of a place's functions. Sources are shared by places whose calls look alike."""

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
        self.first: dict[int, str] = {}  # by variable: the tensor that is read first, if here
        if self.varies:
            self.lines.append("out = []")
        self.fail_if(f"len(args) != {len(args)} or len(kwargs) != {len(kwargs)}")
        for position, arg in enumerate(args):
            self.one(arg, f"args[{position}]")
        for name, arg in kwargs.items():
            self.one(arg, f"kwargs[{name!r}]")

    def check(self) -> Check:
        """Says whether a call is this one, and gives its varying arguments."""
        lines = [*self.lines, "return out" if self.varies else "return ()"]
        made: Check = self._make("check(vars, args, kwargs)", lines)
        return made

    def run(self, dispatch: Dispatch) -> Run:
        """Recognises the operation, runs it and writes its row, all in one.

        Called by `__torch_dispatch__` itself: the user's frame is found by counting.
        """
        lines = ["try:", *_indented([*self._where(), *self._fitting(self.lines)])]
        lines += [f"except {_UNFIT}:", "    return OTHER"]
        lines += self._operation()
        lines += ["try:", *_indented([*self._results(), *self._row()])]
        lines += ["except Exception as error:", "    s.could_not(op, error)", "return result"]
        hot = {
            "s": dispatch, "sink": dispatch.sink, "calls": dispatch.calls, "modules": dispatch.modules,
            "vars": dispatch.values.vars, "pairs": dispatch.slots.pairs, "page": dispatch.sink.page,
            "rows": dispatch.rows, "place": self.place, "node": self.node, "op": self.node.info.func,
            "run": _bare(self.node.info.func), "aminmax": numerics.aminmax,
        }  # fmt: skip
        made: Run = self._make("quick(args, kwargs)", lines, hot)
        return made

    def _make(self, head: str, lines: list[str], hot: dict[str, Any] | None = None) -> Any:
        given = [f"c{k}" for k in range(len(self.constants))]
        if hot is not None:
            given += [*hot, *_HOT]
        body = "\n    ".join(lines)
        source = f"def make({', '.join(given)}):\n  def {head}:\n    {body}\n  return {head.split('(')[0]}\n"
        make = self._made.get(source)
        if make is None:
            scope: dict[str, Any] = {}
            # Our own text: no word of the script's is in it.
            exec(compile(source, __file__, "exec"), scope)
            make = self._made[source] = scope["make"]
        return make(*self.constants, *(() if hot is None else (*hot.values(), *_HOT.values())))

    # ── the parts of `run` ───────────────────────────────────────────────────────────────────

    def _where(self) -> list[str]:
        node = self.node
        lines = [f"if grad_enabled() is not {node.grad}: return OTHER"]
        if node.depth >= 0:
            lines += [
                f"if modules.current.id != {self.constant(node.module_call)}: return OTHER",
                f"frame = getframe({node.depth + 2})",
                f"if frame.f_lasti != {self.constant(node.lasti)}: return OTHER",
                f"if frame.f_code is not {self.constant(node.code)}: return OTHER",
            ]
        return lines

    @staticmethod
    def _fitting(lines: list[str]) -> list[str]:
        return [line.replace("return None", "return OTHER") for line in lines]

    def _operation(self) -> list[str]:
        node = self.node
        scalars = " or sink.scalars + len(out) > MAX_SCALARS" if self.varies else ""
        return [
            f"if sink.rows >= MAX_ROWS or sink.slots > {MAX_SLOTS - node.slots}{scalars}: sink.flush()",
            "u64 = page.u64",
            f"u64[{at.RUNNING_NODE}] = {self.constant(node.id + 1)}",
            f"u64[{at.RUNNING_SEQ}] = sink.seq + 1",
            "began = now()",
            f"u64[{at.RUNNING_SINCE}] = began",
            "try:",
            "    result = run(*args, **kwargs)",
            "except BaseException as error:",
            "    s._raised(op, args, kwargs, began, error)",
            "    error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None",
            "    raise",
            "took = now() - began",
        ]

    def _results(self) -> list[str]:
        """One tensor is the common case; everything else goes through `_finish`."""
        node, place = self.node, self.place
        if (
            len(node.outputs) != 1
            or node.ranged not in ((), ((0, "f4"),))
            or len(place.makes) > 1
            or place.noted
            or place.odd
            or node.outputs[0].spec.neg
        ):
            return ["if s._finish(place, args, kwargs, result, began, took): return result"]
        lines: list[str] = []
        if place.makes:
            lines.append(f"vars[{self.constant(place.makes[0][1])}] = ref(result.untyped_storage())")
        if place.leaves:
            lines.append("s._leaves(place)")
        if node.ranged:
            lines += [
                "slot = sink.slots",
                f"low = {AT_SLOTS // 4} + 2 * slot",
                "f32 = page.f32",
                "try:",
                "    aminmax(result, out=pairs[slot])",
                "    good = LOW < f32[low] and f32[low + 1] < HIGH",
                "except Exception as error:",
                "    good = s._unlooked(node, result, 'f4', slot, error)",
                "if not good: s._fact(node, 0, result)",
                "sink.slots = slot + 1",
            ]
        if node.shapes is not None:
            lines.append(f"if result.shape != {self.constant(node.shapes[0])}: calls.reshape(place.parent)")
        lines.append("if calls.specs is not None: calls.specs.append(spec_of(result))")
        one = ["if type(result) in PLAIN:", *_indented(lines)]
        return [*one, "elif s._finish(place, args, kwargs, result, began, took): return result"]

    def _row(self) -> list[str]:
        node = self.node
        return [
            "calls.place = place",
            "gap = (began - rows.clock) >> 6",
            "row = sink.rows",
            "seq = sink.seq",
            f"if seq - {self.constant(node.id)} != rows.line or not 0 <= gap < 65536:",
            "    rows.block(node, began)",
            "    row = sink.rows",
            "    gap = 0",
            f"page.u16[{AT_GAP // 2} + row] = gap",
            "if took < 2147483648:",
            f"    page.u32[{AT_TOOK // 4} + row] = took",
            "    rows.clock += (gap << 6) + took",
            "else:",
            "    rows.long(row, gap, took)",
            *(["rows.scalars(row, node, out)"] if self.varies else []),
            f"u64[{at.SLOTS}] = sink.slots",
            f"u64[{at.ROWS}] = row + 1",
            "sink.rows = row + 1",
            "sink.seq = seq + 1",
            "if rows.later: rows.say_later()",
        ]

    # ── the arguments ────────────────────────────────────────────────────────────────────────

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
        elif isinstance(arg, torch.UntypedStorage):
            self.tensor += 1
            self.fail_if("True")  # and so are those that take memory itself
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
        number = self.place.reads[index]
        if leaf is not None:
            self._leaf(leaf, index, name, variable)
            self.first[number] = name
        else:
            self.fail_if(f"vars[{variable}]() is not {name}.untyped_storage()")
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
            noted = f"{self.constant(self.place.offsets)}.get({self.constant(where.view)})"
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
            self.fail_if(f"{self.constant(kind_of)}({name}) != {self.constant(where.kind)}")
        if where.same or where.leaves:
            given = [self.constant(one) for one in (where.same, where.leaves)]
            self.fail_if(f"not {self.constant(self.place.coincide)}({', '.join(given)})")
        if where.at is not None:
            lies = f"{self.constant(self.place.lies)}.get({self.constant(where.at)})"
            self.fail_if(f"{self.constant(geometry_of)}({name}) != {lies}")
        if where.part is not None:
            self.lines.append(f"{self.constant(where.part)}.lie({name})")
        if where.leaf is not None:
            self.fail_if(f"not {self.constant(where.leaf)}.is_at({name})")

    def _leaf(self, leaf: Leaf, index: int, name: str, variable: str) -> None:
        """A value from outside: what it usually is, or something that it may be."""
        held, dtype = self.constant(leaf), self.constant(leaf.dtype)
        usual = f"{held}.usual() is h and not {held}.shared and {name}.dtype is {dtype}"
        if leaf.kind != str(leaf.dtype).removeprefix("torch.") or "complex" in leaf.kind:
            usual += f" and {self.constant(kind_of)}({name}) == {held}.kind"
        if not leaf.strict:
            usual += f" and {name}.shape == {held}.shape"
            if len(leaf.shape or ()) > 1:
                usual += f" and {name}.stride() == {held}.strides"
        if index in self.place.asks:
            # Other leaves that ask for a gradient: the same operations, differentiated otherwise.
            self.fail_if(f"{name}.requires_grad is not {self.place.asks[index]}")
        before = self.constant(self.place.leaves_before(index, leaf.strict))
        self.lines.append(f"h = {name}.untyped_storage()")
        # Variables are numbered in the order in which they are read.
        self.fail_if(f"not ({usual}) and not {held}.accept(h, {name}, vars[:{variable}], {before})")
        self.lines.append(f"vars[{variable}] = {held}.usual")
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
            self.fail_if(f"type({at}) is not {kind} or {at} != {value}")
            if kind == "float" and known == 0:  # -0.0 is another number
                self.fail_if(f"{self.constant(copysign)}(1, {at}) != {copysign(1, known)}")
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
        elif isinstance(arg, torch.ScriptObject):
            kind, name = self.constant(type(arg)), self.constant(compat.group_name)
            group = self.constant(compat.group_name(arg))
            self.fail_if(f"type({at}) is not {kind} or {name}({at}) != {group}")
        else:
            # A generator: only its kind is known, as in the node's form.
            self.fail_if(f"type({at}) is not {self.constant(type(arg))}")
