"""PyTorch's side of the gate: while it is armed, every operation of a mode comes by here first.

A mode becomes an `Armed` one by its class alone, and goes back the same way: what is recorded of an
operation is what would be recorded without anybody looking, and nobody pays who does not look. Where no
breakpoint can be met, an operation that is recognised does not come by again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from operator import attrgetter
from threading import get_ident
from typing import Any

import torch

from graphlens_tracers import page as at
from graphlens_tracers.breakpoints import Last
from graphlens_tracers.gate import Gate, gate
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.dispatch import Dispatch
from graphlens_tracers.pytorch.operation import Operation, Step
from graphlens_tracers.pytorch.plan import Place, ran
from graphlens_tracers.pytorch.quick import OTHER

MOST_PASSED = 1 << 16
"""Places that are remembered as of no interest."""


class Armed(Dispatch):
    """The mode while somebody may want to stop it."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # as for Dispatch: torch asks the class that defines `__torch_dispatch__`

    def _come_by(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One operation: stop before it or after it, if somebody wants that."""
        try:
            kwargs, door = kwargs or {}, gate()
            went = None if self.idle else self.passed.get(id(self.calls.place.run))
            recorded = self._is_recorded(func)
            if recorded and self.passed:
                result = self._as_before(func, args, kwargs)
                if result is not OTHER:
                    return result
            if went is not None:
                door.went(self, self._again(went[1]))
            operation = self._operation(func, args, kwargs) if recorded else None
            if operation is not None:
                self._at_door(door.before, operation)
                args, kwargs = operation.args, operation.kwargs
            # As if it came from torch, but for the number of frames that lie between.
            meets, result = self.__dict__.get("__torch_dispatch__"), OTHER
            door.running.add(self)
            try:
                if meets is not None and meets is not self.otherwise and not self.idle:
                    result = meets(func, types, args, kwargs, 1 + self.deeper)
                if result is OTHER:
                    result = Dispatch._else(self, func, args, kwargs)
                elif operation is not None and (last := door.passed(operation)) is not None:
                    if len(self.passed) >= MOST_PASSED:
                        self.passed.clear()
                    self.passed[id(meets)] = meets, last
            finally:
                door.running.discard(self)
            if operation is not None and door.wants_result(operation):
                operation.has_made(result)
                self._at_door(door.after, operation)
                result = operation.result
            return result
        except BaseException as error:
            # Without our frames, as in `Dispatch`.
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_code.co_filename in _FILES:
                trace = trace.tb_next
            error.__traceback__ = trace
            raise

    def _else(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None, tried: Place | None = None
    ) -> Any:
        """One that was to pass unseen, and is another: it comes by after all."""
        self.deeper = 2  # frames: the function that was to recognise it, and this one
        try:
            return self._come_by(func, (), args, kwargs)
        except BaseException as error:
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
            raise
        finally:
            self.deeper = 0

    def _again(self, last: Last) -> Last:
        """Where an operation is, of which it was known in an earlier call."""
        chain = last.chain and (Step(self.calls.call), *last.chain[1:])
        return Last(chain, last.phase, self.calls.step, last.frames)

    def _expects(self, meets: Callable[..., Any]) -> None:
        """What is to meet the next operation: all by itself, where that need not come by."""
        mine = self.__dict__
        mine["__torch_dispatch__"] = meets
        mine["meets"] = meets if id(meets) in mine["passed"] else self._come_by

    meets = _come_by
    # Torch looks the method up on the mode, for each operation.
    __torch_dispatch__ = property(attrgetter("meets"), _expects)  # pyright: ignore[reportAssignmentType]  # see above

    def _at_door(self, pass_by: Callable[[Operation], None], operation: Operation) -> None:
        try:
            pass_by(operation)
        except Exception as error:  # ours; what the script is sent, as Ctrl-C, is none
            gate().failed()
            what = f"{operation.name} from being stopped at: {type(error).__name__}: {error}"
            self.sink.gap("failed", f"an error kept {what}")

    def _as_before(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run an operation that need not come by, if it is one that came here before; OTHER when not."""
        here, variables = self.calls.place, self.values.vars
        for known in tuple(here.children):
            run, node = known.run, known.node
            if run is None or node.info.func is not func or id(run) not in self.passed:
                continue
            if variables[node.ran] is not ran:
                result = run(func, (), args, kwargs, 2 + self.deeper)
                if result is not OTHER:
                    if here is self.calls.root or here.children[:1] != [known]:
                        self._turned(here, known)
                    return result
        return OTHER

    def _is_recorded(self, func: Any) -> bool:
        """Settle what the last operation left open; whether this one is recorded."""
        if self.idle and self.waiting is not None and get_ident() == self.thread:
            self.waiting(func)
        if self.idle or get_ident() != self.quick_thread or compat.in_infra_mode():
            return False
        try:
            if self.recorder.pending is not None:
                self.recorder.resolve()
            known = self.calls.place.children[:1]
            if not self.calls.begun or not known or known[0].node.info.func is not func:
                self.boundary.between(func)
        except Exception as error:
            self.could_not(func, error)
        return not self.idle

    def _operation(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation | None:
        """What the gate may ask about; None for what nobody can stop at."""
        info = self.recorder.info(func)
        return (
            None if info.profiler or func in _ASKS_WHAT_IT_IS else Operation(self, func, info, args, kwargs)
        )


_FILES = frozenset((__file__, gate.__code__.co_filename))
_ASKS_WHAT_IT_IS = frozenset(
    getattr(packet, name)
    for packet in (getattr(torch.ops.aten, name, None) for name in (
        "sym_size", "sym_stride", "sym_numel", "sym_storage_offset", "size", "stride", "numel",
        "storage_offset", "dim", "is_contiguous", "is_strides_like_format",
        "is_non_overlapping_and_dense", "sym_is_contiguous",
    )) if packet is not None for name in packet.overloads()
) | {torch.ops.prim.device.default, torch.ops.prim.layout.default}  # fmt: skip
"""Torch asks a tensor of a class of its own for its shape: it may hold a lock of the tensor's meanwhile.

Seen in 2.13: `AccumulateGrad` is made under the mutex of its tensor, and asks for the sizes; whoever then
runs an operation on that tensor waits for ever.
"""


def _arm_all(armed: bool) -> None:
    """Let every operation come by the gate, or none."""
    Dispatch.made_as = Armed if armed else Dispatch
    for mode in list(Dispatch.every):
        mode.passed = {}
        mode.__dict__.pop("meets", None)
        mode.__class__ = Dispatch.made_as


def _is_busy(strand: object) -> bool:
    """Whether another thread is inside of an operation that did not come by."""
    frames = sys._current_frames()
    others = [mode for mode in list(Dispatch.every) if mode is not strand]
    return any((frame := frames.get(mode.thread)) and frame.f_code.co_name == "quick" for mode in others)


def asked(mode: Dispatch) -> None:
    """Somebody has written the control byte of this mode's page."""
    mode.sink.page.u64[at.CONTROL] = 0
    attend(gate())
    gate().called()


def attend(door: Gate) -> None:
    """Let the gate arm every mode of this process."""
    if _arm_all not in door.arms:
        door.arms.append(_arm_all)
        door.busy.append(_is_busy)
        _arm_all(door.armed)
