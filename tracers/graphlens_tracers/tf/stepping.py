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
from graphlens_tracers.tf.elements import bytes_of, readable
from graphlens_tracers.tf.moments import Frame, Moment, Tensors, Way
from graphlens_tracers.tf.numerics import glance, range_of

if TYPE_CHECKING:
    from graphlens_tracers.tf.tracer import TensorFlowTracer

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


class _Local(threading.local):
    """Each thread has one order of operations."""

    def __init__(self) -> None:
        self.strand = object()


class Operation:
    """An operation that is about to run, or has run: at once, or in a function."""

    def __init__(
        self, stops: Stops, name: str, node: str, frame: Frame | None, inputs: Sequence[Any]
    ) -> None:
        self.name, self.also = name, node
        self.strand = stops.local.strand
        self.made: list[Any] = []
        self._stops, self._frame = stops, frame
        self._inputs = list(inputs)
        self._python = sys._getframe(1)

    # ── where it is ──────────────────────────────────────────────────────────────────────────

    def seq(self) -> int:
        """The number of the operation that its thread records next: what is in a function has the call's."""
        return self._stops.tracer.next_seq()

    def chain(self) -> tuple[Any, ...]:
        """The step, and the functions with their iterations."""
        stack = self._frame.stack if self._frame is not None else ()
        entered = [Entered(f.function, f.node, f.part, f.nth, f.iteration, f.serial) for f in stack]
        return (Step(self._stops.tracer.step() or 0), *entered)

    def module(self) -> str:
        """Modules of TensorFlow are known in the recording alone."""
        return ""

    def graph(self) -> str:
        """The function that it is in; "" for what runs at once."""
        return self._frame.function if self._frame is not None else ""

    @cached_property
    def _told(self) -> tuple[str, tuple[Any, ...]]:
        function = None if self._frame is None else self._stops.tracer.function(self._frame.function)
        phase, lines = (None, ()) if function is None else function.told.get(self.also, (None, ()))
        return ("forward" if phase is None else str(phase.value)), lines

    def phase(self) -> str:
        """Of a function's operation the phase that is declared; what runs at once is said to be forward."""
        return self._told[0]

    def step(self) -> int | None:
        """The training step."""
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
        return self._inputs

    def outputs(self) -> Sequence[Any]:
        """Its tensors out."""
        return self.made

    def usable(self, tensor: Any) -> Any:
        """The same."""
        return tensor

    def describe(self, tensor: Any) -> dict[str, Any] | None:
        """Shape, type, device and numbers."""
        tensor = _value_of(tensor)
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
        tensor = _value_of(tensor)
        if tensor is None or not readable(tensor):
            raise ValueError("it holds no numbers that can be read")
        array = tensor._numpy_internal()
        if array.nbytes > LARGEST:
            raise ValueError(f"it has more than {LARGEST >> 20} MiB: look at a part, as x[0]")
        return {"shape": list(array.shape), "dtype": tensor.dtype.name}, bytes_of(array)

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """What conditions may call."""
        return _FUNCTIONS

    def is_uninitialised(self) -> bool:
        """Whether it makes memory that nobody has written."""
        return self.name == "Empty"

    def is_birth(self) -> bool:
        """Whether it made a NaN of inputs without, or an infinity of finite ones."""
        if self.name in _MAKES_ANY:
            return False
        made, read = ([self.describe(one) or {} for one in some] for some in (self.made, self._inputs))
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
        if which == "in":
            raise ValueError("TensorFlow has read its inputs: replace the output of what makes this one")
        made = self.made[index]
        given = compat.tf.convert_to_tensor(value, dtype=made.dtype)
        try:
            self.made[index] = compat.tf.broadcast_to(given, made.shape)
        except compat.tf.errors.InvalidArgumentError as error:
            raise ValueError(f"{list(given.shape)} does not fit {list(made.shape)}") from error

    def quiet(self) -> contextlib.AbstractContextManager[Any]:
        """Nothing that a condition computes is recorded."""
        return self._stops.tracer.unrecorded()

    @contextlib.contextmanager
    def sheltered(self) -> Iterator[None]:
        """What is evaluated is not recorded, draws no random number of the script's, and is on no tape."""
        eager = compat.context.context()._rng
        pythons, numpys, eagers = random.getstate(), np.random.get_state(), eager.getstate()
        try:
            with self._stops.tracer.unrecorded(), compat.untaped():
                yield
        finally:
            random.setstate(pythons)
            np.random.set_state(numpys)
            eager.setstate(eagers)


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
        gate, operation = self._gate, Operation(self, name, "", None, _tensors(given))
        self._pass(gate.before, operation)
        result = run(*args)
        if gate.wants_result(operation):
            operation.made = _tensors(result)
            before = list(operation.made)
            self._pass(gate.after, operation)
            if any(one is not other for one, other in zip(before, operation.made, strict=True)):
                made = iter(operation.made)
                result = next(made) if not isinstance(result, (list, tuple)) else type(result)(made)
        return result

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
        return Way.WHOLE if moment.enters and self._gate.passes(operation) else Way.ENTER

    def after(self, moment: Moment, outputs: Tensors) -> Tensors:
        """It has run."""
        operation = self._open.pop(id(moment), None)
        if operation is None or not self._gate.wants_result(operation):
            return outputs
        operation.made = list(outputs)
        self._pass(self._gate.after, operation)
        return operation.made

    def failed(self, moment: Moment, error: BaseException) -> None:
        """It raised."""
        self._open.pop(id(moment), None)


def _around(name: str, come_by: Callable[..., Any]) -> Callable[[], None]:
    """Let an entry of the runtime's be passed first; gives what undoes it."""
    entry = getattr(compat.pywrap_tfe, name)

    def around(*args: Any) -> Any:
        try:
            return come_by(entry, args)
        except BaseException as error:
            compat.leave_out(error)
            raise

    def undo() -> None:
        if getattr(compat.pywrap_tfe, name) is around:
            setattr(compat.pywrap_tfe, name, entry)

    setattr(compat.pywrap_tfe, name, around)
    return undo


def _tensors(given: Any) -> list[Any]:
    """The eager tensors among what an operation is given, or gives."""
    if isinstance(given, (list, tuple)):
        return [tensor for one in given for tensor in _tensors(one)]
    return [given] if compat.is_eager_tensor(given) else []


def _value_of(thing: Any) -> Any:
    """An eager tensor, or that of a variable; None for anything else."""
    if compat.is_eager_tensor(thing):
        return thing
    value = thing.value() if isinstance(thing, compat.tf.Variable) else getattr(thing, "value", None)
    return value if compat.is_eager_tensor(value) else None


def _number(measure: Callable[[Any], float]) -> Callable[[Any], float]:
    def number(tensor: Any) -> float:
        value = _value_of(tensor)
        if value is None or not readable(value) or not int(value._numpy_internal().size):
            return float("nan")
        return measure(value)

    return number


def _reals(tensor: Any) -> Any:
    array = tensor._numpy_internal()
    return np.abs(array).astype(np.float64) if array.dtype.kind == "c" else array.astype(np.float64)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "nan": lambda tensor: _number(lambda x: float(np.isnan(_reals(x)).any()))(tensor) == 1,
    "inf": lambda tensor: _number(lambda x: float(np.isinf(_reals(x)).any()))(tensor) == 1,
    "absmax": _number(lambda x: float(np.abs(_reals(x)).max())),
    "amin": _number(lambda x: range_of(x)[0]),
    "amax": _number(lambda x: range_of(x)[1]),
    "norm": _number(lambda x: float(np.linalg.norm(_reals(x)))),
    "shape": lambda tensor: tuple(tensor.shape),
    "dtype": lambda tensor: str(tensor.dtype.name),
}
