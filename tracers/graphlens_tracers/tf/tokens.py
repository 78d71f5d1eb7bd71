"""Runs branches and loops as TensorFlow 1 has them: operations of the graph itself, on which values go round.

Each value belongs to an iteration of a loop, or to none. A switch hands it on on one of two ways; on the
other one everything is dead: it does not run, and says so to what comes behind. What only hands values on
(Switch, Merge, Enter, Exit, NextIteration, LoopCond) nobody hears of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.flow import ENTERS, EXITS, MERGES, NEXT, SWITCHES
from graphlens_tracers.tf.moments import Frame
from graphlens_tracers.tf.routines import Op, Routine

DEAD = object()
"""What a value is on the way that is not gone."""
Run = Callable[[Op, list[Any], Frame | None], Sequence[Any]]
"""Runs an operation."""


@dataclass(eq=False, slots=True)
class _State:
    """What an operation was given so far in one iteration."""

    inputs: dict[int, Any] = field(default_factory=dict)
    controls: int = 0
    is_dead: bool = False
    has_run: bool = False


@dataclass(eq=False)
class _Loop:
    """A run of a loop; or what is in none.

    Attributes:
        outer: Where it was entered, and in which iteration of that; None for what is in none.
        is_dead: Whether it was entered by what is dead.
        fixed: What all its iterations are given: by which operation, and the value.
        iterations: By number, what its operations were given.
    """

    frame: Frame | None
    outer: tuple[_Loop, int] | None = None
    is_dead: bool = False
    fixed: list[tuple[Op, Any]] = field(default_factory=list)
    iterations: dict[int, dict[str, _State]] = field(default_factory=dict)

    def frame_at(self, iteration: int, name: str, function: str) -> Frame | None:
        """That of one iteration."""
        if self.outer is None or self.frame is None:
            return self.frame
        return Frame(function, self.frame, name, "body", 0, iteration, self.frame.run)


class Tokens:
    """One run of a function with such loops and branches."""

    def __init__(self, routine: Routine, frame: Frame | None, run: Run) -> None:
        """Args: frame: What whoever listens is told of the function."""
        self._routine, self._run = routine, run
        self._top = _Loop(frame)
        self._loops: dict[tuple[_Loop, int, bytes], _Loop] = {}
        self._names: dict[_Loop, str] = {}
        self._ready: deque[tuple[Op, _Loop, int]] = deque()
        self._found: dict[int, Any] = {}
        self._readers: dict[int, list[tuple[Op, int]]] = {}
        self._behind: dict[str, list[Op]] = {}
        makers = {slot: op.kind for op in routine.ops for slot in op.outputs}
        self._back = {op.name: sum(makers.get(slot) in NEXT for slot in op.inputs) for op in routine.ops}
        for op in routine.ops:
            for k, slot in enumerate(op.inputs):
                self._readers.setdefault(slot, []).append((op, k))
            for name in op.controls:
                self._behind.setdefault(name, []).append(op)

    def results(self, given: Sequence[Any]) -> list[Any]:
        """Run it.

        Raises:
            tf.errors.InvalidArgumentError: A result is on a way that was not gone.
        """
        for slot, value in enumerate(given):
            self._emit(slot, value, self._top, 0)
        for op in self._routine.ops:
            if not op.inputs and not op.controls:
                self._ready.append((op, self._top, 0))
        while self._ready:
            self._fire(*self._ready.popleft())
        for k, slot in enumerate(self._routine.results):
            if self._found.get(slot, DEAD) is DEAD:
                words = f"Retval[{k}] does not have value"
                raise compat.tf.errors.InvalidArgumentError(None, None, words)
        return [self._found[slot] for slot in self._routine.results]

    # ── values go on ─────────────────────────────────────────────────────────────────────────

    def _states(self, loop: _Loop, iteration: int) -> dict[str, _State]:
        states = loop.iterations.get(iteration)
        if states is None:
            states = loop.iterations[iteration] = {}
            for op, value in loop.fixed:
                self._made(op, [value], loop, iteration)
        return states

    def _emit(self, slot: int, value: Any, loop: _Loop, iteration: int) -> None:
        states = self._states(loop, iteration)
        if loop is self._top:
            self._found[slot] = value
        for op, k in self._readers.get(slot, ()):
            states.setdefault(op.name, _State()).inputs[k] = value
            self._look(op, loop, iteration)

    def _made(self, op: Op, made: Sequence[Any], loop: _Loop, iteration: int, is_dead: bool = False) -> None:
        """An operation has run, or is dead; what it made is of an iteration."""
        states = self._states(loop, iteration)
        for slot, value in zip(op.outputs, made, strict=True):
            self._emit(slot, value, loop, iteration)
        for one in self._behind.get(op.name, ()):
            state = states.setdefault(one.name, _State())
            state.controls += 1
            state.is_dead = state.is_dead or is_dead
            self._look(one, loop, iteration)

    def _look(self, op: Op, loop: _Loop, iteration: int) -> None:
        """Whether an operation has all that it needs."""
        state = loop.iterations[iteration][op.name]
        if state.has_run or state.controls < len(op.controls):
            return
        wanted = len(op.inputs)
        if op.kind in MERGES:
            if any(value is not DEAD for value in state.inputs.values()):
                wanted = len(state.inputs)
            elif iteration == 0:
                wanted -= self._back[op.name]
        if len(state.inputs) >= wanted:
            state.has_run = True
            self._ready.append((op, loop, iteration))

    # ── operations run ───────────────────────────────────────────────────────────────────────

    def _fire(self, op: Op, loop: _Loop, iteration: int) -> None:
        state = self._states(loop, iteration).setdefault(op.name, _State())
        state.has_run = True
        inputs, state.inputs = state.inputs, {}
        is_dead = op.kind not in MERGES and (state.is_dead or any(value is DEAD for value in inputs.values()))
        if op.kind == "ControlTrigger":
            is_dead = False
        if op.kind in MERGES:
            live = next((k for k in sorted(inputs) if inputs[k] is not DEAD), None)
            made = [DEAD, DEAD] if live is None else [inputs[live], compat.tf.constant(live)]
            self._made(op, made, loop, iteration, live is None)
        elif op.kind in ENTERS:
            self._enter(op, DEAD if is_dead else inputs[0], loop, iteration)
        elif op.kind in EXITS:
            if loop.outer is not None and (loop.is_dead or not is_dead):
                self._made(op, [DEAD if is_dead else inputs[0]], *loop.outer, is_dead)
        elif op.kind in NEXT:
            if not is_dead:
                self._made(op, [inputs[0]], loop, iteration + 1)
        elif is_dead:
            self._made(op, [DEAD] * len(op.outputs), loop, iteration, True)
        elif op.kind in SWITCHES:
            goes = bool(inputs[1].numpy())
            self._made(op, [DEAD if goes else inputs[0], inputs[0] if goes else DEAD], loop, iteration)
        elif op.kind == "LoopCond":
            self._made(op, [inputs[0]], loop, iteration)
        else:
            frame = loop.frame_at(iteration, self._names.get(loop, ""), self._routine.shown)
            self._made(op, self._run(op, [inputs[k] for k in range(len(inputs))], frame), loop, iteration)

    def _enter(self, op: Op, value: Any, loop: _Loop, iteration: int) -> None:
        """A value enters a loop; the first one begins a run of it."""
        name = op.node.attr["frame_name"].s
        inner = self._loops.get((loop, iteration, name))
        if inner is None:
            around = loop.frame_at(iteration, self._names.get(loop, ""), self._routine.shown)
            inner = self._loops[loop, iteration, name] = _Loop(around, (loop, iteration), value is DEAD)
            self._names[inner] = name.decode()
        if not op.node.attr["is_constant"].b:
            self._made(op, [value], inner, 0, value is DEAD)
            return
        for known in list(inner.iterations):
            self._made(op, [value], inner, known, value is DEAD)
        inner.fixed.append((op, value))
