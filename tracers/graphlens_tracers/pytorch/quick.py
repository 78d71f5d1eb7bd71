"""The quick side: small generated functions that recognise an operation, run it and write its row.

A step that repeats is recognised operation by operation. What has to be compared is known when a
place is first passed, so it is written down as straight-line Python, compiled once for all places
whose calls look alike, and given each place's own constants. Such a function stands in for the
dispatch mode's `__torch_dispatch__` until it has run; then the next place's does.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from math import copysign
from threading import get_ident
from time import perf_counter_ns
from types import MethodType
from typing import TYPE_CHECKING, Any

import torch

from graphlens_tracers import page as at
from graphlens_tracers.events import Phase
from graphlens_tracers.pytorch import compat, numerics
from graphlens_tracers.pytorch.arguments import PLAIN, Tensors, geometry_of, kind_of, spec_of
from graphlens_tracers.pytorch.bindings import binding
from graphlens_tracers.pytorch.checks import Arguments, function
from graphlens_tracers.pytorch.parts import Parts
from graphlens_tracers.pytorch.plan import gone, ran
from graphlens_tracers.rows import long
from graphlens_tracers.wire import AT_ROWS, AT_SLOTS, MAX_ROWS, MAX_SCALARS, MAX_SLOTS

if TYPE_CHECKING:  # they hold what is made here
    from graphlens_tracers.pytorch.dispatch import Dispatch
    from graphlens_tracers.pytorch.plan import Place

Run = Callable[..., Any]
"""`run(func, types, args, kwargs, up)`, with `up` frames more than usual between it and the script.
Gives what the operation returned. When it is not the expected operation: OTHER, or, where `up` is 0,
what the slow side then returned."""

OTHER = object()

UNFIT = (AttributeError, RuntimeError, NotImplementedError, TypeError, KeyError, IndexError, ValueError)
"""What a comparison raises when not even the kinds of arguments, or the depth of the stack, fit."""
_ROWS_U64, _SLOTS_F32 = AT_ROWS // 8, AT_SLOTS // 4
_UNROLLED = 4
"""More outputs than that go through `Dispatch._finish`."""
_CUT = "error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None"


def hot(dispatch: Dispatch) -> dict[str, Any]:
    """The globals of everything that is generated for one dispatch mode: no call has to carry them."""
    page = dispatch.sink.page
    return {
        "sink": dispatch.sink, "calls": dispatch.calls, "modules": dispatch.modules, "rows": dispatch.rows,
        "vars": dispatch.values.vars, "gone": gone, "ran": ran, "moved": dispatch.recorder.moved,
        "offsets": dispatch.values.offsets, "lies": dispatch.values.lies,
        "coincide": dispatch.values.coincide, "passed": dispatch.calls.places.append,
        "noted": dispatch.calls.numbers.append, "number": compat.sequence_number,
        "geometry_of": geometry_of, "kind_of": kind_of, "copysign": copysign,
        "said": dispatch.rows.said, "pairs": dispatch.looks.slots.pairs, "f32": page.f32,
        "u64": page.u64, "long": long, "OTHER": OTHER, "UNFIT": UNFIT, "Tensor": torch.Tensor,
        "Parameter": torch.nn.Parameter,
        "LOW": float("-inf"), "HIGH": float("inf"), "aminmax": numerics.aminmax,
        "grad_enabled": torch.is_grad_enabled, "now": perf_counter_ns, "getframe": sys._getframe,
        "ident": get_ident, "ref": weakref.ref, "spec_of": spec_of, "make": None,
        "unlooked": dispatch.looks.unlooked, "fact": dispatch.looks.fact,
        "belongs": dispatch.boundary.belongs,
        "differentiates": dispatch.recorder.links.differentiates,
        "region_begins": dispatch.recorder.links.region_begins,
    }  # fmt: skip


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether a result can be looked at, and has a storage, without further questions."""
    return (
        type(tensor) in PLAIN and tensor.layout is torch.strided and not (tensor.is_nested or tensor.is_neg())
    )


def _indented(lines: list[str]) -> list[str]:
    return ["    " + line for line in lines]


class Compiler(Arguments):
    """Writes the function of a place that was recognised, from a call of it and what that returned."""

    def __init__(self, place: Place, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args, self.kwargs = args, kwargs
        super().__init__(place, args, kwargs)

    def run(self, dispatch: Dispatch, result: Any, results: Tensors) -> Run:
        """Recognises the operation, runs it and writes its row, all in one."""
        self._at = self.constant(self.place)
        self._keeps = dispatch.looks.keeping.whole_steps
        self._parts = Parts.of(dispatch.looks, self.place, self.args, self.kwargs, results)
        # Called by torch itself: the user's frame is found by counting.
        before = [*self._where(), *self.lines]
        after = [*self._results(result, results), *self._turns(), *self._row()]
        lines = ["try:", *_indented(before), "except UNFIT:", "    break"]
        lines += ["except Exception as error:", "    self.could_not(func, error)", "    break"]
        lines += self._operation()
        lines += ["try:", *_indented(after), "except Exception as error:"]
        lines += ["    self.could_not(func, error)", "return result"]
        lines = [f"while func is {self.constant(self.node.info.func)}:", *_indented(lines)]
        lines += [f"return OTHER if up else self._else(func, args, kwargs, {self._at})"]
        lines = ["try:", *_indented(lines), "except BaseException as error:", f"    {_CUT}", "    raise"]
        head = "quick(self, func, types, args=(), kwargs=None, up=0)"
        made = function(dispatch.made, dispatch.hot, head, lines, self.constants)
        return MethodType(made, dispatch)

    # ── before the operation ─────────────────────────────────────────────────────────────────

    def _where(self) -> list[str]:
        node = self.node
        # It runs once in a call, and is the k-th only when the one before it has run.
        lines = [f"if vars[{self.constant(node.ran)}] is ran: break"]
        if node.prior >= 0:
            lines.append(f"if vars[{self.constant(node.prior)}] is not ran: break")
        lines += [f"if vars[{self.constant(maker)}] is not ran: break" for maker in self.place.after]
        if node.location is None:
            # There are no frames to compare where PyTorch's own threads may come along.
            if compat.has_accelerator():
                lines.append("if ident() != self.quick_thread: break")
            lines.append(f"if grad_enabled() is not {node.grad}: break")
            careful = "" if self.place.tells else "self.careful and "
            lines.append(f"if {careful}not differentiates({self.constant(node)}): break")
            return lines
        if node.outside:
            # On a new way it may be where the next step begins.
            lines.append(f"if self.careful and not belongs({self.constant(self.place)}): break")
        location = self.constant(node.location)
        where = [
            f"if grad_enabled() is not {node.grad}: break",
            f"if modules.current.id != {self.constant(node.module_call)}: break",
            f"frame = getframe({node.depth + 1} + up)",
            f"if frame.f_lasti != {self.constant(node.location.lasti)}: break",
            f"if frame.f_code is not {self.constant(node.location.code)}: break",
        ]
        if node.phase is Phase.OPTIMIZER:
            # As long as one `Optimizer.step` runs, its caller is where it was.
            return [
                *lines,
                f"if self.located is not {location}:",
                *_indented(where),
                f"    self.located = {location}",
            ]
        return [*lines, *where]

    def _operation(self) -> list[str]:
        node = self.node
        full = f"row >= {MAX_ROWS}"
        if node.slots:
            full += f" or sink.slots > {MAX_SLOTS - node.slots}"
        if self.varying:
            full += f" or sink.scalars + {len(self.varying)} > {MAX_SCALARS}"
        func = node.info.func
        run = self.constant(binding(node.info.name, self.args) or getattr(func, "_op", func))  # a frame less
        result = f"    result = {run}(*args{', **kwargs' if self.kwargs else ''})"
        if self._parts is not None:
            result = f"    result, took, failure = {self.constant(self._parts.run)}({run}, args, kwargs)"
        return [
            f"if u64[{at.CONTROL}]: self.asked()",
            "row = sink.rows",
            f"if {full}:",
            "    sink.flush()",
            "    row = 0",
            f"u64[{at.RUNNING}] = {self.constant(node.id + 1 << 32)} + row",
            "began = now()",
            f"u64[{at.RUNNING_SINCE}] = began",
            "try:",
            result,
            "except BaseException as error:",
            "    self._raised(func, args, kwargs, began, error)",
            "    raise",
            "ended = now()" if self._parts is None else "ended = began + took",
        ]

    # ── what it made ─────────────────────────────────────────────────────────────────────────

    def _results(self, result: Any, results: Tensors) -> list[str]:
        """A few plain tensors are the common case; everything else goes through `_finish`."""
        node, place = self.node, self.place
        looked = self._parts is not None
        given = f"{self._at}, args, kwargs, result, began, ended - began, {looked}"
        finish = f"if self._finish({given}): return result"
        if looked:
            return ["if failure is not None: raise failure", finish]
        leaves = ["if moved: self._leaves()"] if place.leaves else []
        if not node.outputs:
            return [*leaves, "if calls.specs is not None: calls.specs.append(())"]
        needed = {k for k, _ in place.makes} | set(node.noted) | {k for k, _ in node.ranged}
        if node.shapes is not None or not needed:
            needed |= set(range(len(node.outputs)))
        paths = self._paths(result, results)
        foreign = not node.info.name.startswith("aten.")
        plain = all(_is_plain(results[k]) for k in needed)
        if (
            paths is None
            or foreign
            or self._keeps
            or not plain
            or any(how != "f4" for _, how in node.ranged)
            or len(needed) > _UNROLLED
        ):
            return [finish]
        fits = [f"type({paths[k]}) is {type(results[k]).__name__}" for k in sorted(needed)]
        if type(result) is tuple:
            fits.insert(0, f"len(result) == {len(result)}")
        lines = [f"vars[{self.constant(v)}] = ref({paths[k]}.untyped_storage())" for k, v in place.makes]
        lines += leaves
        for k in node.noted:
            lines.append(f"self.values.lie({self.constant(node.outputs[k].value)}, {paths[k]})")
        if node.ranged:
            lines.append("slot = sink.slots")
            for nth, (k, _) in enumerate(node.ranged):
                lines += self._range(nth, k, paths[k])
            lines.append(f"sink.slots = slot + {node.slots}")
        if node.shapes is not None:
            differ = " or ".join(f"{paths[k]}.shape != {self.constant(s)}" for k, s in enumerate(node.shapes))
            lines.append(f"if {differ}: calls.reshape(len(calls.places))")
        if place.odd:
            lines.append(f"self._compare({self._at}, ({', '.join(paths)},))")
        specs = f"self._specs({self._at}, args, kwargs, result)"
        if len(results) == 1 and paths[0] == "result":
            specs = "calls.specs.append((spec_of(result),))"
        lines.append(f"if calls.specs is not None: {specs}")
        return [f"if {' and '.join(fits)}:", *_indented(lines), "else:", f"    {finish}"]

    def _paths(self, result: Any, results: Tensors) -> list[str] | None:
        """Where each output is found; None when one of them is neither the result nor directly in it."""
        if isinstance(result, torch.Tensor):
            known = [(result, "result")]
        elif type(result) is tuple:
            known = [(part, f"result[{k}]") for k, part in enumerate(result)]
        else:
            return None
        paths = [next((path for part, path in known if part is tensor), None) for tensor in results]
        return [path for path in paths if path is not None] if None not in paths else None

    # ── ranges ───────────────────────────────────────────────────────────────────────────────

    def _range(self, nth: int, output: int, path: str) -> list[str]:
        """The range of one output into its slot."""
        slot = f"slot + {nth}" if nth else "slot"
        return [
            "try:",
            f"    aminmax({path}, out=pairs[{slot}])",
            f"    low = slot + slot + {_SLOTS_F32 + 2 * nth}",
            "    good = LOW < f32[low] and f32[low + 1] < HIGH",
            "except Exception as error:",
            f"    good = unlooked({self._at}.node, {path}, 'f4', {slot}, error)",
            f"if not good: fact({self._at}.node, {output}, {path}, 'f4', {slot}, args, kwargs)",
        ]

    # ── what it turned ───────────────────────────────────────────────────────────────────────

    def _turns(self) -> list[str]:
        place, node = self.place, self.node
        lines = []
        if len(place.turns) > _UNROLLED:
            lines.append(f"for old, new in {self.constant(place.turns)}:")
            lines += ["    vars[new] = vars[old]", "    vars[old] = gone"]
        else:
            for old, new in place.turns:
                old_is, new_is = self.constant(old), self.constant(new)
                lines += [f"vars[{new_is}] = vars[{old_is}]", f"vars[{old_is}] = gone"]
        lines.append(f"vars[{self.constant(node.ran)}] = ran")
        if place.ran >= 0:
            lines.append(f"vars[{self.constant(place.ran)}] = ran")
        if node.numbered:
            lines.append("noted(number())")
        if place in place.region:
            lines.append("region_begins()")
        return lines

    # ── its row ──────────────────────────────────────────────────────────────────────────────

    def _row(self) -> list[str]:
        node = self.node
        lines = [
            "gap = began - rows.clock >> 6",
            # A block goes on where the node is the next one and the page has not been emptied meanwhile.
            f"if row - {self.constant(node.id)} != rows.line or gap >> 15:",
            f"    gap = rows.goes_on({self.constant(node)}, began)",
            "    row = sink.rows",
            "rows.clock = ended",
            "took = ended - began",
            "if took >> 31: took = long(took)",
            f"u64[{_ROWS_U64} + row] = gap << 32 | took",
        ]
        if self.varying:
            say = f"rows.scalars(row, {self._at}.node, out)"
            if len(self.varying) == 1:
                say = f"rows.scalar(row, {self._at}.node, {min(self.varying)}, out)"
            lines.append(f"if said.get({self.constant(node.id)}) != out: {say}")
        if node.slots:
            lines.append(f"u64[{at.SLOTS}] = sink.slots")
        return [
            *lines,
            f"u64[{at.ROWS}] = sink.rows = row + 1",
            f"passed({self._at})",
            f"self.__torch_dispatch__ = {self._at}.next",
            "if rows.later: rows.say_later()",
        ]
