"""Runs functions operation by operation, as the run itself: what an operation does, it does once.

Operations run by the eager runtime, in an order in which each comes behind those that it needs, effects
included. TensorFlow itself may run some at the same time, and rewrites functions unless it is told not to.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.alone import OURS, register
from graphlens_tracers.tf.bodies import CALLS, LOOPS
from graphlens_tracers.tf.moments import Frame, Listener, Moment, Run, Tensors, Way
from graphlens_tracers.tf.obstacles import obstacle_of
from graphlens_tracers.tf.routines import How, Op, Routine, routine_of
from graphlens_tracers.tf.running import Place, Running
from graphlens_tracers.tf.sums import begun
from graphlens_tracers.tf.tokens import Tokens

_OF_ONE = re.compile(rf"^{{{{function_node (?:__wrapped__|{OURS})[^}}]*}}}} ?| \[Op:[^\]]*\](?: name: .*)?$")
"""What the runtime says of one operation that it ran for us, before and behind the words of its error."""
_NODE = re.compile(r"\n\t \[\[(?=\{\{node )")
"""Where such words begin to say which node it is, where it is in no function inside."""
_calls = itertools.count()


class Misfit(ValueError):
    """What should replace a tensor is of another type or shape."""


class Interpreter:
    """Runs functions.

    Attributes:
        listener: Who hears of each operation; None: nobody, and what an operation enters runs as a whole.
    """

    def __init__(
        self, listener: Listener | None = None, execute: Callable[..., Any] = compat.pywrap_tfe.TFE_Py_Execute
    ) -> None:
        """Args: execute: The runtime's own entry for one operation or function."""
        self.listener = listener
        self._execute = execute
        self._originals: dict[str, str] = {}
        self._routines: dict[str, Routine] = {}
        self._places: dict[str, Place] = {}
        self._obstacles: dict[str, str | None] = {}

    def watched(self, originals: Mapping[str, str]) -> None:
        """Show some functions under other names; and nothing of the operations that only those have."""
        self._originals.update(originals)

    def knows(self, function: str) -> bool:
        """Whether it has run or was asked about, and is not gone."""
        return function in self._obstacles

    def forget(self, function: str) -> None:
        """A function is gone."""
        for known in (self._originals, self._routines, self._obstacles):
            known.pop(function, None)
        place = self._places.pop(function, None)
        ahead = [] if place is None else [place]
        while ahead:
            one = ahead.pop()
            ahead += one.inside.values()
            for name in one.alone.values():
                compat.remove(name)

    def why_not(self, function: str) -> str | None:
        """Why a function cannot be run operation by operation, in words; None where it can."""
        if function not in self._obstacles:
            self._obstacles[function] = obstacle_of(function)
        return self._obstacles[function]

    def remembers(self, function: str) -> bool:
        """Whether it goes on where it was the last time: run natively in between, it would begin anew."""
        return self.why_not(function) is None and self._routine(function).remembers

    def run(self, function: str, inputs: Sequence[Any]) -> list[Any]:
        """Run a function as Python calls it; gives its results.

        Raises:
            tf.errors.OpError: What an operation of it raises, in words as for the function.
        """
        place = self._places.get(function)
        if place is None:
            place = self._places[function] = Place(self._routine(function), True)
        frame = Frame(place.routine.shown, run=Run(next(_calls)))
        try:
            return [self._anew(one) for one in self._run(Running(place, frame, list(inputs)))]
        except compat.tf.errors.OpError as error:
            compat.say(error, f"{{{{function_node {function}}}}} {compat.message(error)} [Op:{function}]")
            raise

    def _anew(self, tensor: Any) -> Any:
        """The same tensor as another object: of what a function gives, a tape knows each by itself."""
        return self._kernel("Identity", [tensor], ("T", tensor._datatype_enum()), 1, tensor.device)[0]

    # ── one function ─────────────────────────────────────────────────────────────────────────

    def _routine(self, function: str, around: tuple[str, ...] = ()) -> Routine:
        """A function, ready to be run. `around`: those that it is in."""
        routine = self._routines.get(function)
        if routine is None:
            routine = routine_of(function, self._originals)
            path = (*around, function)
            inside = {one for op in routine.ops for names in op.enters.values() for one in names} - set(path)
            routine.remembers = routine.remembers or any(
                self.why_not(one) is None and self._routine(one, path).remembers for one in inside
            )
            self._routines[function] = routine
        return routine

    def _run(self, running: Running) -> list[Any]:
        """The results of a function; `running` begins with its arguments."""
        routine, values = running.place.routine, running.values
        if routine.flows:
            if running.frame is not None:
                running.frame.run.rows = None  # they run in an order of their own
            return Tokens(routine, running.frame, partial(self._flowing, running)).results(values)
        values += [None] * (routine.values - len(values))
        for k in routine.drops:
            values[k] = None
        for op in routine.ops:
            running.op = op
            inputs = [values[k] for k in op.inputs]
            made = self._maybe_heard(running, op, inputs)
            for k, one in zip(op.outputs, made, strict=True):
                values[k] = one
            del inputs, made
            for k in op.drops:
                values[k] = None
        return [values[k] for k in routine.results]

    def _flowing(self, running: Running, op: Op, inputs: list[Any], frame: Frame | None) -> list[Any]:
        """What an operation makes in a function with loops and branches of TensorFlow 1."""
        return self._maybe_heard(replace(running, frame=frame, op=op), op, inputs)

    def _maybe_heard(self, running: Running, op: Op, inputs: list[Any]) -> list[Any]:
        listener, frame = self.listener, running.frame
        if listener is None or frame is None or op.is_ours:
            if frame is not None and not op.is_ours:
                frame.run.rows = None  # nobody counts what runs meanwhile
            return self._made(running, op, inputs, Way.WHOLE)
        return self._heard(listener, running, frame, op, inputs)

    def _heard(
        self, listener: Listener, running: Running, frame: Frame, op: Op, inputs: list[Any]
    ) -> list[Any]:
        """What an operation makes, or what the listener has made of it."""
        enters = {
            part: tuple(self._originals.get(one, one) for one in names) for part, names in op.enters.items()
        }
        moment = Moment(frame, op.name, op.kind, inputs[: len(inputs) - op.given], enters)
        moment.way = listener.before(moment)
        try:
            made = self._made(running, op, self._given(running, op, inputs, moment), moment.way)
        except BaseException as error:
            if self.listener is listener:
                listener.failed(moment, error)
            raise
        if self.listener is not listener:
            frame.run.rows = None
            return made
        shown = made[: len(made) - op.told]
        moment.told = made[len(shown) :]
        wanted = _checked(op, shown, listener.after(moment, shown))
        if frame.run.rows is not None:
            frame.run.rows += 1
        pairs = zip(op.outputs, shown, wanted, strict=False)  # the last outputs may be ours
        running.changed.update(k for k, one, other in pairs if one is not other)
        return [*wanted, *made[len(shown) :]]

    def _given(self, running: Running, op: Op, inputs: list[Any], moment: Moment) -> list[Any]:
        """What an operation reads, or what the listener has put into its place."""
        given = moment.inputs
        if all(one is other for one, other in zip(given, inputs, strict=False)):
            return inputs
        pairs = zip(op.inputs, inputs, given, strict=False)  # the last inputs may be ours
        running.changed.update(k for k, one, other in pairs if one is not other)
        return [*_checked(op, inputs[: len(given)], given, "inputs"), *inputs[len(given) :]]

    # ── one operation ────────────────────────────────────────────────────────────────────────

    def _made(self, running: Running, op: Op, inputs: list[Any], way: Way) -> list[Any]:
        """What an operation makes."""
        if op.how is How.NOTHING:
            return []
        if op.how is How.CONSTANT:
            if op.constant is None:
                op.constant = compat.constant(op.node.attr["value"].tensor)
            return [op.constant]
        if op.how is How.ENTERS and self._may_enter(op):
            if way is Way.ENTER:
                return self._entered(running, op, inputs, running.frame)
            if any(self.remembers(one) for names in op.enters.values() for one in names):
                return self._entered(running, op, inputs, None)
        try:
            return self._by_kernel(running, op, inputs)
        except compat.tf.errors.OpError as error:
            compat.say(error, _of_function(compat.message(error), op, running.place))
            raise

    def _by_kernel(self, running: Running, op: Op, inputs: list[Any]) -> list[Any]:
        if op.partner is not None:
            made = self._beside(running, op, op.partner, inputs)
            if made is not None:
                return made
        if op.how is How.PLAIN:
            if op.kind == "AddN" and len(inputs) > 2:
                inputs = begun(running, op, inputs)
            try:
                return self._kernel(op.kind, inputs, op.attributes, len(op.outputs), op.node.device)
            except (TypeError, ValueError):  # it takes an attribute otherwise; nothing has run
                op.how = How.ALONE
        return self._alone(running, (op,), dict(zip(op.inputs, inputs, strict=True)))

    def _beside(self, running: Running, op: Op, partner: Op, inputs: list[Any]) -> list[Any] | None:
        """What an operation makes with the one beside it; None where it reads what that has not made."""
        given = {k: running.values[k] for k in partner.inputs}
        for k, one in zip(op.inputs, inputs, strict=True):
            if k in partner.outputs:
                if k in running.changed:
                    return None
            elif one is not given.setdefault(k, one):
                return None
        return self._alone(running, (partner, op), given)

    def _alone(self, running: Running, ops: tuple[Op, ...], given: dict[int, Any]) -> list[Any]:
        """What the last of some operations makes, in a function of their own."""
        alone, name = running.place.alone, "+".join(op.name for op in ops)
        if name not in alone:
            alone[name] = register(ops, {k: one._datatype_enum() for k, one in given.items()})
        return self._kernel(alone[name], list(given.values()), (), len(ops[-1].outputs))

    def _kernel(
        self, kind: str, inputs: list[Any], attributes: Sequence[Any], count: int, device: str = ""
    ) -> list[Any]:
        there = compat.context.context()
        made = self._execute(there._handle, device or there.device_name, kind, inputs, attributes, count)
        return list(made)

    # ── what is inside of one ────────────────────────────────────────────────────────────────

    def _may_enter(self, op: Op) -> bool:
        if "_XlaMustCompile" in op.node.attr and op.node.attr["_XlaMustCompile"].b:
            return False
        return all(self.why_not(one) is None for names in op.enters.values() for one in names)

    def _entered(self, running: Running, op: Op, inputs: list[Any], frame: Frame | None) -> list[Any]:
        """What an operation makes that enters functions. `frame`: what it is in; None: nobody hears of it."""
        if op.kind in CALLS:
            return self._inside(running, op, "f", 0, list(inputs), frame)
        if op.kind in LOOPS:
            values = list(inputs)
            for k in itertools.count():
                (more,) = self._inside(running, op, "cond", 0, list(values), frame, k)
                if not _is_true(more):
                    break
                values = self._inside(running, op, "body", 0, values, frame, k)
            return values
        if "branches" in op.enters:
            count, which = len(op.enters["branches"]), int(inputs[0].numpy())
            which = which if 0 <= which < count else count - 1
            return self._inside(running, op, "branches", which, inputs[1:], frame)
        part = "then_branch" if _is_true(inputs[0]) else "else_branch"
        return self._inside(running, op, part, 0, inputs[1:], frame)

    def _inside(
        self, running: Running, op: Op, part: str, nth: int, given: list[Any], frame: Frame | None,
        iteration: int | None = None,
    ) -> list[Any]:  # fmt: skip
        """The results of a function inside, which takes over the list that it is given."""
        at = op.name, part, nth
        inner = running.place.inside.get(at)
        if inner is None:
            inner = running.place.inside[at] = Place(self._routine(op.enters[part][nth]))
        if frame is not None:
            frame = Frame(inner.routine.shown, frame, op.name, part, nth, iteration, frame.run)
        return self._run(Running(inner, frame, given, running, part, iteration))


def _is_true(tensor: Any) -> bool:
    """What a branch or a loop makes of a tensor: of several numbers, whether there are any."""
    array = tensor.numpy()
    if tensor.shape.rank:
        return bool(tensor.shape.num_elements())
    return bool(len(array)) if isinstance(array, bytes) else bool(array)


def misfit(tensor: Any, wanted: Any) -> str | None:
    """Why a tensor cannot stand for another one, in words; None where it can."""
    if not isinstance(wanted, compat.ops.EagerTensor):
        return f"{type(wanted).__name__} is no tensor"
    if wanted.dtype != tensor.dtype:
        return f"{wanted.dtype.name} is not {tensor.dtype.name}"
    if wanted.shape != tensor.shape:
        return f"shape {tuple(wanted.shape)} is not {tuple(tensor.shape)}"
    return None


def _checked(op: Op, made: Tensors, wanted: Tensors, what: str = "outputs") -> Tensors:
    """What the listener gives.

    Raises:
        Misfit: It is of another type or shape.
    """
    if wanted is made:
        return made
    if len(wanted) != len(made):
        raise Misfit(f"{op.name} has {len(made)} {what}, not {len(wanted)}")
    for k, (one, other) in enumerate(zip(made, wanted, strict=True)):
        why = None if other is one else misfit(one, other)
        if why is not None:
            raise Misfit(f"{op.name}:{k}: {why}")
    return wanted


def _of_function(words: str, op: Op, place: Place) -> str:
    """The words of an error as they are of a node in a function."""
    words = _OF_ONE.sub("", words)
    inner = "" if place.is_outermost else f"{{{{function_node {place.routine.name}}}}}"
    if "{{node " not in words:
        return f"{words}\n\t [[{inner}{{{{node {op.name}}}}}]]"
    return _NODE.sub(f"\n\t [[{inner}", words)
