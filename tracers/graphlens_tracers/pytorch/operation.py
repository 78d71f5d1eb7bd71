"""An operation of PyTorch as the gate asks about it: where it is, its tensors, and what replaces them."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import FrameType
from typing import Any, NamedTuple

import torch

from graphlens_tracers.control import LARGEST
from graphlens_tracers.events import ByHand, Seq, Unusual
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import PLAIN, OpInfo, collect, home_of
from graphlens_tracers.pytorch.dispatch import Dispatch
from graphlens_tracers.pytorch.elements import bytes_of, readable
from graphlens_tracers.pytorch.measures import FUNCTIONS, quiet, usable
from graphlens_tracers.pytorch.modules import ModuleCall
from graphlens_tracers.pytorch.numerics import numerics, ranged_as
from graphlens_tracers.pytorch.phases import phase_of
from graphlens_tracers.pytorch.plan import Node
from graphlens_tracers.pytorch.record import Before, results_of


class Step(NamedTuple):
    """The call that an operation is part of, as a link of its chain."""

    call: int


class Inside(NamedTuple):
    """A module call that it runs in, as another."""

    path: str
    id: int


class Operation:
    """An operation that is about to run, or has run."""

    def __init__(
        self, mode: Dispatch, func: Any, info: OpInfo, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.strand = mode
        self.name = info.name
        self.args, self.kwargs = args, kwargs
        self.result: Any = None
        self._mode, self._func, self._info = mode, func, info
        self._seq = mode.sink.seq
        self._frame = mode.frames()
        self._outputs: list[torch.Tensor] = []
        self._written: list[torch.Tensor] = []

    def has_made(self, result: Any) -> None:
        """It has run."""
        self.result = result
        self._written = list(self._info.written(self.args, self.kwargs))
        self._outputs = results_of(result, self._written)

    # ── where it is ──────────────────────────────────────────────────────────────────────────

    @cached_property
    def _before(self) -> Before:
        mode = self._mode
        return mode.recorder.before(self._info, mode.boundary.moment(self._frame), self.args, self.kwargs)

    @cached_property
    def _forward(self) -> Node | None:
        """For one of a backward, what it differentiates, or computes again."""
        before, links = self._before, self._mode.recorder.links
        if before.moment.node is None:
            return None
        origin = links.origin(
            before.moment, self._info, before.form, before.values[0] if before.values else None
        )
        return origin.twin or origin.remakes

    @property
    def also(self) -> str:
        """It has one name."""
        return ""

    def seq(self) -> int:
        """Its sequence number."""
        return self._seq

    def phase(self) -> str:
        """Its phase, as far as it can be known before it has run."""
        return self._phase

    @cached_property
    def _phase(self) -> str:
        mode, before = self._mode, self._before
        recorder = mode.recorder
        return str(
            phase_of(
                before, before.form.tensors, bool(recorder.links.engines), mode.calls, mode.modules,
                recorder.kinds, recorder.values,
            ).value
        )  # fmt: skip

    def step(self) -> int | None:
        """The training step that it is part of."""
        return self._mode.calls.step

    def graph(self) -> str:
        """A step's operations are in the step's own graph."""
        return ""

    def module(self) -> str:
        """The dotted path of the module call that it belongs to."""
        last = self.chain()[-1]
        return last.path if isinstance(last, Inside) else ""

    def chain(self) -> tuple[Any, ...]:
        """The call under way, and the modules."""
        return self._chain

    @cached_property
    def _chain(self) -> tuple[Any, ...]:
        mode = self._mode
        current: ModuleCall | None = mode.modules.current
        if mode.engines and self._forward is not None:
            current = mode.modules.called(self._forward.scope, self._forward.module_call)
        found: list[Inside] = []
        while current is not None and current.scope is not None and current.id is not None:
            found.append(Inside(mode.modules.paths.get(current.scope, ""), current.id))
            current = current.parent
        return (Step(mode.calls.call), *reversed(found))

    def line(self) -> None:
        """It stands where the innermost frame is."""

    def frames(self) -> list[FrameType]:
        """The user's frames, innermost first."""
        return self._frames

    @cached_property
    def _frames(self) -> list[FrameType]:
        found: list[FrameType] = []
        frame, is_user = self._frame, self._mode.recorder.stacks.is_user
        while frame is not None:
            if is_user(frame.f_code):
                found.append(frame)
            frame = frame.f_back
        return found

    def about(self) -> dict[str, Any]:
        """Which forward operation a backward one is of."""
        forward = self._forward if self._mode.engines else None
        if forward is None:
            return {"forward": None}
        where: dict[str, Any] = {"op": forward.info.name}
        if forward.location is not None:
            code = forward.location.code
            where |= {
                "file": code.co_filename, "function": code.co_qualname,
                "line": self._mode.recorder.sites.line((code, forward.location.lasti)),
            }  # fmt: skip
        return {"forward": where}

    # ── its tensors ──────────────────────────────────────────────────────────────────────────

    def inputs(self) -> Sequence[torch.Tensor]:
        """Its tensors in."""
        found: list[torch.Tensor] = []
        collect((self.args, self.kwargs), found)
        return found

    def outputs(self) -> Sequence[torch.Tensor]:
        """Its tensors out."""
        return self._outputs

    def usable(self, tensor: Any) -> Any:
        """The tensor as expressions may use it."""
        with quiet():
            return usable(tensor)

    def describe(self, tensor: Any) -> dict[str, Any] | None:
        """Shape, type, device, name and numbers."""
        if not isinstance(tensor, torch.Tensor):
            return None
        with quiet():
            about: dict[str, Any] = {
                "shape": _shape(tensor), "dtype": str(tensor.dtype).removeprefix("torch."),
                "device": str(tensor.device),
            }  # fmt: skip
            named = self._mode.modules.tensor_name(tensor)
            if named is not None:
                about["name"] = named[1]
            if not ranged_as(tensor):
                return about
            about["size"] = tensor.numel()
            try:
                found = numerics(tensor)
            except Exception as error:
                return {**about, "unread": f"{type(error).__name__}: {error}"}
            return {
                **about, "nan": found.nan, "pos_inf": found.pos_inf, "neg_inf": found.neg_inf,
                "min": found.low, "max": found.high, "where": [list(place) for place in found.where],
            }  # fmt: skip

    def elements(self, tensor: Any) -> tuple[dict[str, Any], bytes]:
        """Shape, type and elements in memory order.

        Raises:
            ValueError: It is none, or too large, or its elements cannot be read.
        """
        if not isinstance(tensor, torch.Tensor):
            raise ValueError(f"{type(tensor).__name__} is no tensor")
        if not readable(tensor):
            raise ValueError(f"the elements of a {tensor.layout} tensor of {tensor.dtype} cannot be read")
        if tensor.numel() * tensor.element_size() > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MiB: look at a part, as x[0]")
        with quiet():
            data = bytes_of(tensor)
        return {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}, data

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """What conditions may call."""
        return FUNCTIONS

    def is_uninitialised(self) -> bool:
        """Whether what it makes is memory that nobody has written yet."""
        return self.name.startswith(_UNINITIALISED)

    def is_birth(self) -> bool:
        """Whether it made a NaN of inputs without, or an infinity of finite ones."""
        made = [self.describe(tensor) or {} for tensor in self._outputs]
        nan = any(one.get("nan") for one in made)
        inf = any(one.get("pos_inf") or one.get("neg_inf") for one in made)
        if not (nan or inf) or self.name.startswith(_MAKES_ANY):
            return False
        written = {id(tensor) for tensor in self._written}
        read = [self.describe(tensor) or {} for tensor in self.inputs() if id(tensor) not in written]
        if any(one.get("nan") for one in read):
            return False
        infinite = any(one.get("pos_inf") or one.get("neg_inf") for one in read)
        given = [one for one in (*self.args, *self.kwargs.values()) if isinstance(one, float)]
        return nan or not (infinite or any(one in (float("inf"), float("-inf")) for one in given))

    # ── changed by hand ──────────────────────────────────────────────────────────────────────

    def replace(self, which: str, index: int, value: Any) -> None:
        """Go on with other elements.

        Raises:
            ValueError, TypeError: They do not fit.
        """
        with quiet():
            if which == "in":
                self._replace_input(index, value)
            else:
                self._replace_output(index, value)

    def changed(self, which: str, index: int, text: str) -> None:
        """Write down what was replaced, and how it looks now."""
        sink = self._mode.sink
        if which == "in":
            sink.declare(Unusual(Seq(self._seq), 0, by_hand=(ByHand(text, index),)))
            return
        made = self._outputs[index]
        with quiet():
            found = numerics(made) if ranged_as(made) else None
        sink.declare(Unusual(Seq(self._seq), index, found, by_hand=(ByHand(text),)))

    def _fitting(self, tensor: torch.Tensor, value: Any) -> torch.Tensor:
        given = torch.as_tensor(value, dtype=tensor.dtype, device=tensor.device)
        try:
            return given.detach().expand(tensor.shape)
        except RuntimeError as error:
            raise ValueError(f"{list(given.shape)} does not fit {list(tensor.shape)}") from error

    def _replace_input(self, index: int, value: Any) -> None:
        before = self.inputs()[index]
        if any(tensor is before for tensor in self._info.written(self.args, self.kwargs)):
            raise ValueError("the operation writes this input: replace its output")
        new = torch.empty_like(before)
        new.copy_(self._fitting(before, value))

        def changed(part: Any) -> Any:
            if part is before:
                return new
            if type(part) in (list, tuple):
                return type(part)(changed(one) for one in part)
            return part

        self.args = tuple(changed(one) for one in self.args)
        self.kwargs = {name: changed(one) for name, one in self.kwargs.items()}

    def _replace_output(self, index: int, value: Any) -> None:
        made = self._outputs[index]
        fitting = self._fitting(made, value).clone()
        homes = [home_of(tensor) for tensor in self.inputs()]
        if any(made is tensor for tensor in self._written) or not any(home_of(made) is one for one in homes):
            made.copy_(fitting)
            return
        # A view: what it shows stays as it is.
        new = torch.empty_like(made)
        new.copy_(fitting)
        if self.result is made:
            self.result = new
        else:
            self.result = type(self.result)(new if one is made else one for one in self.result)
        self._outputs[index] = new

    def quiet(self) -> contextlib.AbstractContextManager[None]:
        """While a condition is asked for: no modes and no gradients."""
        return quiet()

    @contextlib.contextmanager
    def sheltered(self) -> Iterator[None]:
        """What is evaluated draws no random number of the script's, and leaves its modes as they are."""
        state, pythons = torch.get_rng_state(), random.getstate()
        grad, always = torch.is_grad_enabled(), torch.is_warn_always_enabled()
        torch.set_warn_always(True)  # or what torch warns of once only would be warned of here
        numpys = sys.modules.get("numpy")
        drawn = numpys.random.get_state() if numpys is not None and hasattr(numpys, "random") else None
        try:
            with compat.without_modes():
                yield
        finally:
            torch.set_warn_always(always)
            torch.set_grad_enabled(grad)
            torch.set_rng_state(state)
            random.setstate(pythons)
            if drawn is not None and numpys is not None:
                numpys.random.set_state(drawn)


_UNINITIALISED = ("aten.empty", "aten.new_empty", "aten.resize")
_MAKES_ANY = (
    *_UNINITIALISED, "aten.full", "aten.new_full", "aten.scalar_tensor",
    "aten.lift_fresh", "aten._to_copy", "aten.clone", "aten.detach", "aten.alias",
)  # fmt: skip
"""What they make is uninitialised, given, or what they read."""


def _shape(tensor: torch.Tensor) -> list[int | None]:
    """Its extents; None where the parts of a nested tensor differ."""
    if (
        not tensor.is_nested or type(tensor) not in PLAIN
    ):  # of the jagged ones, torch crashes in `unbind` here
        return [n if type(n) is int else None for n in tensor.shape]
    parts = [tuple(part.shape) for part in tensor.unbind()]
    same = [extents[0] if len(set(extents)) == 1 else None for extents in zip(*parts, strict=True)]
    return [len(parts), *same]
