"""TensorFlow's side of the gate: while it is armed, operations that run at once come by here, and functions
run operation by operation. Nobody pays who does not look.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from graphlens_tracers.control import LARGEST
from graphlens_tracers.gate import Gate
from graphlens_tracers.sites import Stacks
from graphlens_tracers.tf import compat
from graphlens_tracers.tf.changes import Change, Changes
from graphlens_tracers.tf.elements import bytes_of, readable
from graphlens_tracers.tf.measures import FUNCTIONS, value_of
from graphlens_tracers.tf.moments import Frame, Moment, Tensors, Way
from graphlens_tracers.tf.numerics import glance
from graphlens_tracers.tf.rowcounts import rows_inside

if TYPE_CHECKING:
    from graphlens_tracers.tf.tracer import TensorFlowTracer

_FALLS = 6
"""Frames from where an operation is tried the quick way to where it is tried the slow way."""
_MAKES_ANY = ("Empty", "Const", "Identity", "ReadVariableOp", "Placeholder", "Fill", "Cast")
"""What they make is uninitialised, given, or what they read."""


class Step(NamedTuple):
    """The training step that an operation is part of, as a link of its chain."""

    number: int


class Entered(NamedTuple):
    """A function that it runs in, as another."""

    function: str
    node: str
    part: str
    nth: int
    iteration: int | None
    serial: int


class Inside(NamedTuple):
    """A call of a module that it runs in, as another."""

    path: str
    id: int


class _Local(threading.local):
    """Each thread has one order of operations.

    Attributes:
        changes: What was changed by hand in functions that it runs.
        fallen: What the quick way has refused, and in which frame the slow one is tried next.
    """

    def __init__(self) -> None:
        self.strand = object()
        self.fallen: tuple[Operation, FrameType | None] | None = None
        self.changes = Changes()


class Operation:
    """An operation that is about to run, or has run: at once, or in a function."""

    def __init__(
        self, stops: Stops, name: str, node: str, frame: Frame | None, inputs: Sequence[Any]
    ) -> None:
        self.name, self.also = name, node
        self.strand = stops.local.strand
        self.made: list[Any] = []
        self.given = list(inputs)
        self.changes: list[Change] = []
        self.others: dict[int, Any] = {}
        """What was put in the place of its inputs, by their ids."""
        self._stops, self._frame = stops, frame
        self._first = 0 if frame is not None else stops.tracer.next_seq()
        self._python = sys._getframe(1)

    # ── where it is ──────────────────────────────────────────────────────────────────────────

    def seq(self) -> int:
        """The number of its row; of what enters others, before it has run, that of the first in it.

        Where nobody has counted what ran before in a function, that of the function's first row.
        """
        if self._frame is None:
            return self._first
        return self._stops.tracer.next_function_seq() + (self._frame.run.rows or 0)

    def chain(self) -> tuple[Any, ...]:
        """The step, and the functions with their iterations and the modules, as one is in the other."""
        return self._chain

    @cached_property
    def _chain(self) -> tuple[Any, ...]:
        tracer, frame = self._stops.tracer, self._frame
        chain: tuple[Any, ...] = (Step(self._step or 0),)
        if frame is None:
            return (*chain, *tracer.modules_now())
        outer: Frame | None = None
        for one in frame.stack:
            if outer is not None:
                chain = _longer(chain, tracer.modules_of(outer.function, one.node))
            chain += (Entered(one.function, one.node, one.part, one.nth, one.iteration, one.run.serial),)
            outer = one
        return _longer(chain, tracer.modules_of(frame.function, self.also))

    def module(self) -> str:
        """The dotted path of the module call that it belongs to."""
        return next((one.path for one in reversed(self.chain()) if isinstance(one, Inside)), "")

    def graph(self) -> str:
        """The function that it is in; "" for what runs at once."""
        return self._frame.function if self._frame is not None else ""

    @cached_property
    def _told(self) -> tuple[str, tuple[Any, ...]]:
        function = None if self._frame is None else self._stops.tracer.function(self._frame.function)
        phase, lines = (None, ()) if function is None else function.told.get(self.also, (None, ()))
        if self._frame is None:
            self._stops.begins(self._python)
            phase = self._stops.tracer.phase(self.name, self.given)
        return ("forward" if phase is None else str(phase.value)), lines

    def phase(self) -> str:
        """Its phase."""
        return self._told[0]

    def step(self) -> int | None:
        """The training step."""
        return self._step

    @cached_property
    def _step(self) -> int | None:
        self._stops.begins(self._python)
        return self._stops.tracer.step()

    def line(self) -> tuple[str, int] | None:
        """Where a function's operation stands in the source."""
        lines = self._told[1]
        return (lines[0][0], lines[0][1]) if lines else None

    def frames(self) -> list[FrameType]:
        """The user's frames, innermost first: of a function's operation those that call the function."""
        found, frame = [], self._python
        at: FrameType | None = frame
        while at is not None:
            if self._stops.is_user(at.f_code):
                found.append(at)
            at = at.f_back
        return found

    def about(self) -> dict[str, Any]:
        """Its name in the graph, the functions around it, and where it stands."""
        lines = self._told[1]
        return {
            "node": self.also,
            "graphs": [
                {"function": one.function, "node": one.node, "part": one.part, "iteration": one.iteration}
                for one in (self._frame.stack if self._frame is not None else ())
            ],
            "source": [{"file": file, "line": line, "function": name} for file, line, name in lines],
        }  # fmt: skip

    # ── its tensors ──────────────────────────────────────────────────────────────────────────

    def inputs(self) -> Sequence[Any]:
        """Its tensors in."""
        return self.given

    def outputs(self) -> Sequence[Any]:
        """Its tensors out."""
        return self.made

    def usable(self, tensor: Any) -> Any:
        """The same."""
        return tensor

    def describe(self, tensor: Any) -> dict[str, Any] | None:
        """Shape, type, device and numbers."""
        tensor = value_of(tensor)
        if tensor is None:
            return None
        about: dict[str, Any] = {"shape": list(tensor.shape), "dtype": tensor.dtype.name,
                                 "device": compat.device(tensor)}  # fmt: skip
        try:
            found = glance(tensor)
        except Exception as error:
            return {**about, "unread": f"{type(error).__name__}: {error}"}
        if found is None:
            return about
        return {
            **about, "size": found.size, "nan": found.nan, "pos_inf": found.pos_inf, "neg_inf": found.neg_inf,
            "min": found.low, "max": found.high, "where": [list(place) for place in found.where],
        }  # fmt: skip

    def elements(self, tensor: Any) -> tuple[dict[str, Any], bytes]:
        """Shape, type and elements in memory order.

        Raises:
            ValueError: It is none, or too large, or its elements cannot be read.
        """
        tensor = value_of(tensor)
        if tensor is None or not readable(tensor):
            raise ValueError("it holds no numbers that can be read")
        array = tensor._numpy_internal()
        if array.nbytes > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MiB: look at a part, as x[0]")
        return {"shape": list(array.shape), "dtype": tensor.dtype.name}, bytes_of(array)

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """What conditions may call."""
        return FUNCTIONS

    def is_uninitialised(self) -> bool:
        """Whether it makes memory that nobody has written."""
        return self.name == "Empty"

    def is_birth(self) -> bool:
        """Whether it made a NaN of inputs without, or an infinity of finite ones."""
        if self.name in _MAKES_ANY:
            return False
        made, read = ([self.describe(one) or {} for one in some] for some in (self.made, self.given))
        if any(one.get("nan") for one in read):
            return False
        infinite = any(one.get("pos_inf") or one.get("neg_inf") for one in read)
        nan = any(one.get("nan") for one in made)
        return nan or (not infinite and any(one.get("pos_inf") or one.get("neg_inf") for one in made))

    def replace(self, which: str, index: int, value: Any) -> None:
        """Go on with another tensor.

        Raises:
            ValueError: It does not fit.
        """
        tensors = self.given if which == "in" else self.made
        before = tensors[index]
        if before._datatype_enum() in (compat.RESOURCE, compat.VARIANT):
            raise ValueError(f"what is a {before.dtype.name} cannot be replaced")
        if which == "in" and self.made:
            raise ValueError("it has run: replace its output")
        given = compat.tf.convert_to_tensor(value, dtype=before.dtype)
        try:
            tensors[index] = compat.tf.broadcast_to(given, before.shape)
        except compat.tf.errors.InvalidArgumentError as error:
            raise ValueError(f"{list(given.shape)} does not fit {list(before.shape)}") from error

    def changed(self, which: str, index: int, text: str) -> None:
        """Write down what was replaced, and how it looks now; of a function's, once that is recorded."""
        is_input = which == "in"
        change = Change(text, index, is_input, None if is_input else glance(self.made[index]))
        if self._frame is not None:
            self.changes.append(change)
        else:
            self._stops.tracer.sink_here().declare(change.said(self._first))

    def quiet(self) -> contextlib.AbstractContextManager[Any]:
        """Nothing that a condition computes is recorded."""
        return self._stops.tracer.unrecorded()

    @contextlib.contextmanager
    def sheltered(self) -> Iterator[None]:
        """What is evaluated is not recorded, draws no random number of the script's, and is on no tape."""
        eager = getattr(compat.context.context(), "_rng", None)  # none before a seed was asked for
        pythons, numpys = random.getstate(), np.random.get_state()
        eagers = None if eager is None else eager.getstate()
        try:
            with self._stops.tracer.unrecorded(), compat.untaped():
                yield
        finally:
            random.setstate(pythons)
            np.random.set_state(numpys)
            if eager is not None:
                eager.setstate(eagers)
            elif hasattr(compat.context.context(), "_rng"):
                del compat.context.context()._rng


class Stops:
    """Lets the gate stop what runs: at once, and in functions."""

    def __init__(self, tracer: TensorFlowTracer, gate: Gate) -> None:
        self.tracer = tracer
        self.local = _Local()
        self.is_user = Stacks(compat.directories()).is_user
        self._gate = gate
        self._open: dict[int, Operation] = {}
        self._undo: list[Callable[[], object]] = []

    def arm(self, armed: bool) -> None:
        """Let every operation come by the gate, or none."""
        interpreted = self.tracer.interpreted
        if interpreted is not None:
            interpreted.listener = self if armed else None
        while self._undo:
            self._undo.pop()()
        if armed:
            self._undo.append(_around("TFE_Py_FastPathExecute", self._quick))
            self._undo.append(_around("TFE_Py_Execute", self._slow))

    # ── what runs at once ────────────────────────────────────────────────────────────────────

    def _quick(self, run: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """An operation by the quick way: the context, its type, its name, and what it is given."""
        return self._at_once(run, args, compat.text(args[1]), args[3:])

    def _slow(self, run: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """An operation by the slow way, or a function."""
        name = compat.text(args[2])
        if compat.op_def(name) is None:
            return run(*args)  # the interpreter stops inside of it
        return self._at_once(run, args, name, args[3])

    def _at_once(self, run: Callable[..., Any], args: tuple[Any, ...], name: str, given: Any) -> Any:
        if not compat.tf.executing_eagerly():
            return run(*args)
        gate, operation = self._gate, self._fallen(name)
        if operation is None:
            operation = Operation(self, name, "", None, _tensors(given))
            read = list(operation.given)
            self._pass(gate.before, operation)
            operation.others = self._replaced(read, operation.given)
        try:
            result = run(*_with(args, operation.others))
        except compat.FALLBACK:
            self.local.fallen = operation, sys._getframe(3)
            raise
        except BaseException:
            gate.raised(operation)
            raise
        if gate.wants_result(operation):
            operation.made = _tensors(result)
            before = list(operation.made)
            self._pass(gate.after, operation)
            result = _with(result, self._replaced(before, operation.made))
        return result

    def _fallen(self, name: str) -> Operation | None:
        """The operation that was stopped at already, and that the quick way has refused."""
        operation, tried = self.local.fallen or (None, None)
        if operation is None or operation.name != name:
            return None
        frame: FrameType | None = sys._getframe(3)
        for _ in range(_FALLS):
            if frame is tried:
                self.local.fallen = None
                return operation
            frame = frame.f_back if frame is not None else None
        return None

    def _replaced(self, before: Sequence[Any], now: Sequence[Any]) -> dict[int, Any]:
        """What was put in the place of tensors, by their ids: in the recording and on tapes it is as they."""
        found = {}
        for one, other in zip(before, now, strict=True):
            if one is not other:
                found[id(one)] = other
                _tape_as(one, other)
                self.tracer.replaced(one, other)
        return found

    def begins(self, frame: FrameType) -> None:
        """Something is about to run: a step may begin with it."""
        self.tracer.begins(frame)

    def _pass(self, by: Callable[[Any], None], operation: Operation) -> None:
        try:
            by(operation)
        except Exception as error:  # ours; what the script is sent, as Ctrl-C, is none
            self._gate.failed()
            self.tracer.said_gap(f"an error kept {operation.name} from being stopped at: {error}")

    # ── what runs in functions: `moments.Listener` ───────────────────────────────────────────

    def before(self, moment: Moment) -> Way:
        """An operation of a function is about to run."""
        operation = Operation(self, moment.kind, moment.node, moment.frame, moment.inputs)
        self._open[id(moment)] = operation
        self._pass(self._gate.before, operation)
        moment.inputs[:] = operation.given
        return Way.WHOLE if moment.enters and self._gate.passes(operation) else Way.ENTER

    def after(self, moment: Moment, outputs: Tensors) -> Tensors:
        """It has run."""
        run = moment.frame.run
        if moment.enters and moment.way is Way.WHOLE and run.rows is not None:
            inside = rows_inside(self.tracer, moment)
            run.rows = None if inside is None else run.rows + inside
        operation = self._open.pop(id(moment), None)
        if operation is None:
            return outputs
        if self._gate.wants_result(operation):
            operation.made = list(outputs)
            self._pass(self._gate.after, operation)
            outputs = operation.made
        if operation.changes:
            self.local.changes.add(moment, operation.changes)
        return outputs

    def failed(self, moment: Moment, error: BaseException) -> None:
        """It raised."""
        operation = self._open.pop(id(moment), None)
        if operation is not None:
            self._gate.raised(operation)

    def wrote(self, function: str) -> None:
        """A call of a function is over, and recorded, as far as it is."""
        self.local.changes.wrote(self.tracer, function)


def _around(name: str, come_by: Callable[..., Any]) -> Callable[[], None]:
    """Let an entry of the runtime's be passed first; gives what undoes it."""
    entry = getattr(compat.pywrap_tfe, name)

    def around(*args: Any) -> Any:
        try:
            return come_by(entry, args)
        except BaseException as error:
            error.__traceback__ = None  # all of it is ours
            raise

    def undo() -> None:
        if getattr(compat.pywrap_tfe, name) is around:
            setattr(compat.pywrap_tfe, name, entry)

    setattr(compat.pywrap_tfe, name, around)
    return undo


def _tape_as(one: Any, other: Any) -> None:
    """Let gradient tapes take a tensor for another one: its gradient is that one's."""
    if not other.dtype.is_floating and not other.dtype.is_complex:
        return
    compat.pywrap_tfe.TFE_Py_TapeSetRecordOperation(
        "Identity", [other], [one], lambda *upstream: upstream, None
    )


def _longer(chain: tuple[Any, ...], modules: Sequence[Inside]) -> tuple[Any, ...]:
    """A chain that goes on with those of these modules that it is not in already."""
    known = {one.id for one in chain if isinstance(one, Inside)}
    return (*chain, *(one for one in modules if one.id not in known))


def _with(given: Any, others: Mapping[int, Any]) -> Any:
    """The same with some tensors in the place of others."""
    if not others:
        return given
    if type(given) in (list, tuple):
        return type(given)(_with(one, others) for one in given)
    return others.get(id(given), given)


def _tensors(given: Any) -> list[Any]:
    """The eager tensors among what an operation is given, or gives."""
    if isinstance(given, (list, tuple)):
        return [tensor for one in given for tensor in _tensors(one)]
    return [given] if compat.is_eager_tensor(given) else []
