"""Runs a case by itself, without graphlens, and says where numbers that are not finite were made.

Functions run eagerly, so every operation is seen, one after the other, with the stack that called it; a
graph of TensorFlow 1 is run with all that it computes fetched as well. `python observed_tensorflow.py CASE…`
prints what was seen.
"""

from __future__ import annotations

import ast
import contextlib
import io
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.optimizers.base_optimizer import BaseOptimizer
from tensorflow.python import pywrap_tfe
from tensorflow.python.client.session import BaseSession
from tensorflow.python.data.ops import debug_mode
from tensorflow.python.eager import backprop, execute, record
from tensorflow.python.framework import op_callbacks
from tensorflow.python.ops import gen_resource_variable_ops, script_ops, while_loop

OUTSIDE = {"IteratorGetNext", "StringToNumber"}
"""What brings numbers in from outside."""
CARRIERS = {"ReadVariableOp", "ResourceGather", "OptionalGetValue", "TensorListStack", "TensorListGetItem"}
"""What gives out numbers that were put somewhere before."""

WRITERS = ("Assign", "ResourceApply", "ResourceScatter", "ResourceSparseApply")


@dataclass(slots=True)
class Seen:
    """One operation that gave out (or wrote) a number that is not finite.

    Attributes:
        made: Whether it made one: NaN out of none, or infinity out of finite inputs.
        steps: Which steps it may belong to: updates so far, and rounds of the loops around.
        phases: Which phases it may belong to.
        iterations: Rounds of the loops around, innermost first.
        forward: What it differentiates; empty where it is none of backward.
    """

    number: int
    line: int
    op: str
    kind: str
    made: bool
    steps: set[int]
    phases: set[str]
    module: str
    iterations: list[int]
    forward: str


@dataclass(slots=True)
class Observed:
    """What running a case showed.

    Attributes:
        harms: (how many operations were seen before, kind) of each harm, in time.
        raised: The exception that ended the case.
        bad: Parameters and last losses that are not finite at the end.
    """

    seen: list[Seen] = field(default_factory=list)
    harms: list[tuple[int, str]] = field(default_factory=list)
    raised: BaseException | None = None
    bad: list[str] = field(default_factory=list)
    printed: str = ""


@dataclass(slots=True)
class _Forward:
    """An operation that may be differentiated later."""

    op: str
    ids: frozenset[int]
    shapes: list[Any]
    line: int
    module: str
    iterations: list[int]
    used: bool = False


FINE = (False, False)


def finite(value: Any) -> tuple[bool, bool]:
    """Whether a NaN is in it, and whether an infinity."""
    array = np.asarray(value)
    if array.dtype.kind not in "fcV" or array.dtype.names:
        return FINE
    if array.dtype.kind == "V":
        array = array.astype(np.float32)
    if np.isfinite(array).all():
        return FINE
    return bool(np.isnan(array).any()), bool(np.isinf(array).any())


def _any(found: Iterable[tuple[bool, bool]]) -> tuple[bool, bool]:
    each = list(found)
    return any(nan for nan, _ in each), any(inf for _, inf in each)


def _bad(tensors: Sequence[Any]) -> bool:
    return any(any(finite(t.numpy())) for t in tensors)


class _Loops(ast.NodeTransformer):
    """Lets every loop say when it begins and when a round of it begins."""

    def _loop(self, node: ast.For | ast.While) -> list[ast.stmt]:
        self.generic_visit(node)
        node.body.insert(0, self._say("__round__", node.lineno, node.body[0]))
        return [self._say("__loop__", node.lineno, node), node]

    visit_For = visit_While = _loop

    def _say(self, name: str, line: int, at: ast.stmt) -> ast.stmt:
        call = ast.Expr(ast.Call(ast.Name(name, ast.Load()), [ast.Constant(line)], []))
        return ast.fix_missing_locations(ast.copy_location(call, at))


class Observer:
    """Watches one case."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.result = Observed()
        self._tree = ast.parse(path.read_text(encoding="utf-8"), self.path)
        self._spans = [
            (loop.lineno, loop.end_lineno or loop.lineno)
            for loop in ast.walk(self._tree)
            if isinstance(loop, ast.For | ast.While)
        ]
        self._loops: dict[int, list[int]] = {}
        self._rounds: dict[int, int] = defaultdict(int)
        self._since: dict[int, int] = defaultdict(int)
        self._layers: list[str] = []
        self._whiles: list[int] = []
        self._forwards: dict[tuple[str, int], list[_Forward]] = defaultdict(list)
        self._differentiates: list[_Forward | None] = []
        self._updates: dict[int, list[Any]] = {}
        self._applying = self._differentiating = self._number = 0
        self._busy = self._after = self._in_data = False
        self._parameters: dict[int, Any] = {}
        self._losses: list[Any] = []
        self._bad_handles: set[int] = set()
        self._shown: set[int] = set()
        self._flags: dict[int, tuple[bool, bool]] = {}
        self._harms: list[tuple[int, str | int]] = []
        self._reads: dict[Any, Any] = {}

    # ── where we are ─────────────────────────────────────────────────────────────────────────

    def _frames(self) -> list[FrameType]:
        frame: FrameType | None = sys._getframe(1)
        found = []
        while frame is not None:
            if frame.f_code.co_filename == self.path:
                found.append(frame)
            frame = frame.f_back
        return found

    def _around(self, line: int) -> list[int]:
        """The loops around a line, innermost first."""
        if line not in self._loops:
            around = [first for first, last in self._spans if first < line <= last]
            self._loops[line] = sorted(around, reverse=True)
        return self._loops[line]

    def _steps(self, frames: list[FrameType]) -> set[int]:
        steps = {self._rounds[loop] - 1 for frame in frames for loop in self._around(frame.f_lineno)}
        if self._updates:
            steps.add(min(count for _, count in self._updates.values()))
        return steps or {0}

    def _iterations(self, frames: list[FrameType]) -> list[int]:
        loops = [loop for frame in frames for loop in self._around(frame.f_lineno)]
        return self._whiles[::-1] + [self._since[loop] - 1 for loop in loops]

    def _phases(self, op: str) -> set[str]:
        if self._in_data or op in OUTSIDE:
            return {"data"}
        if self._applying:
            return {"optimizer"}
        if self._differentiating:
            return {"backward"}
        return {"optimizer", "other", "forward"} if self._after else {"forward", "other"}

    # ── what runs ────────────────────────────────────────────────────────────────────────────

    def ran(
        self, op: Any, inputs: Any, attrs: Any, outputs: Any, op_name: Any = None, graph: Any = None
    ) -> None:
        """An operation ran eagerly."""
        if graph is not None or self._busy:
            return
        op = op.decode() if isinstance(op, bytes) else op
        self._busy = True
        try:
            self._ran(op, list(inputs), list(outputs or ()))
        finally:
            self._busy = False

    def _ran(self, op: str, inputs: list[Any], outputs: list[Any]) -> None:
        self._number += 1
        frames = self._frames()
        forward = self._differentiates[-1] if self._differentiates else None
        line = forward.line if forward else frames[0].f_lineno if frames else 0
        module = forward.module if forward else ".".join(self._layers)
        iterations = forward.iterations if forward else self._iterations(frames)
        if record.could_possibly_record():
            ids = frozenset(t._id for t in [*inputs, *outputs])
            ran = _Forward(op, ids, [t.shape for t in outputs], line, module, iterations)
            for key in [*ids, 0]:
                self._forwards[op, key].append(ran)
        nan_in, inf_in = _any(self._known(t) for t in inputs)
        nan, inf = _any(self._known(t) for t in outputs)
        writes = op.startswith(WRITERS)
        was_bad = False
        if writes:
            handle = inputs[0]
            was_bad = handle._id in self._bad_handles
            value = gen_resource_variable_ops.read_variable_op(handle, inputs[-1].dtype)
            nan, inf = finite(value.numpy())
            (self._bad_handles.add if nan or inf else self._bad_handles.discard)(handle._id)
        if not (nan or inf):
            return
        made = (
            not was_bad and op not in CARRIERS and ((nan and not nan_in) or (inf and not (nan_in or inf_in)))
        )
        self._saw(op, line, nan, made, self._steps(frames), self._phases(op), module, iterations, forward)
        if writes and inputs[0]._id not in self._shown:
            self._harm(inputs[0]._id)

    def _known(self, tensor: Any) -> tuple[bool, bool]:
        """Whether a NaN is in it, and whether an infinity; looked at once."""
        found = self._flags.get(tensor._id)
        if found is None:
            floats = tensor.dtype.is_floating or tensor.dtype.is_complex
            found = self._flags[tensor._id] = finite(tensor.numpy()) if floats else FINE
        return found

    def _saw(self, op: str, line: int, nan: bool, made: bool, steps: set[int], phases: set[str], module: str,
             iterations: list[int], forward: _Forward | None) -> None:  # fmt: skip
        kind = "nan" if nan else "inf"
        of = forward.op if forward else ""
        self.result.seen.append(
            Seen(self._number, line, op, kind, made, steps, phases, module, iterations, of)
        )

    def _harm(self, what: str | int) -> None:
        """A loss or a gradient is bad, or the variable of this handle."""
        self._harms.append((self._number, what))

    # ── backward ─────────────────────────────────────────────────────────────────────────────

    def _forward_of(self, op: str, inputs: Any, outputs: Any, gradients: Any) -> _Forward | None:
        known = {t._id for t in [*(inputs or ()), *(outputs or ())] if hasattr(t, "_id")}
        shapes = [g.shape for g in gradients if hasattr(g, "shape")]
        if known:
            touched = [forward for key in known for forward in self._forwards[op, key]]
            return max(touched, key=lambda forward: len(known & forward.ids), default=None)
        for forward in reversed(self._forwards[op, 0]):
            if not forward.used and forward.shapes[: len(shapes)] == shapes:
                forward.used = True
                return forward
        return None

    def differentiated(self, op: str, attrs: Any, n: Any, inputs: Any, outputs: Any, *more: Any) -> Any:
        """TensorFlow's tape asks for the gradient of an operation."""
        self._differentiates.append(self._forward_of(op, inputs, outputs, more[0]))
        try:
            return _gradient_function(op, attrs, n, inputs, outputs, *more)
        finally:
            self._differentiates.pop()

    def _nested(self, tape: Any) -> bool:
        """Whether another tape records: this gradient is then a part of what that one differentiates."""
        if tape._recording:
            with tape.stop_recording():
                return bool(record.could_possibly_record())
        return bool(record.could_possibly_record())

    def gradient(self, original: Any) -> Any:
        """Wraps GradientTape.gradient."""

        def wrapped(tape: Any, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
            targets = [t for t in tf.nest.flatten(target) if hasattr(t, "numpy")]
            used = not self._differentiating and not self._nested(tape)
            if used and _bad(targets):
                self._harm("loss")
            self._differentiating += 1
            try:
                result = original(tape, target, sources, *args, **kwargs)
            finally:
                self._differentiating -= 1
            if not used:
                return result
            for source in tf.nest.flatten(sources):
                handle = getattr(getattr(source, "value", source), "handle", None)
                handle = getattr(source, "handle", handle)
                if handle is not None:
                    self._parameters[handle._id] = source
            self._losses = targets
            self._after = True
            found = [getattr(g, "values", g) for g in tf.nest.flatten(result) if g is not None]
            if _bad(found):
                self._harm("gradient")
            return result

        return wrapped

    # ── Keras, loops, data ───────────────────────────────────────────────────────────────────

    def layer(self, original: Any) -> Any:
        """Wraps Layer.__call__."""

        def wrapped(layer: Any, *args: Any, **kwargs: Any) -> Any:
            self._layers.append(layer.name)
            try:
                return original(layer, *args, **kwargs)
            finally:
                self._layers.pop()

        return wrapped

    def metric(self, original: Any) -> Any:
        """Wraps Metric.add_variable: what a metric holds is shown, and used by nothing."""

        def wrapped(metric: Any, *args: Any, **kwargs: Any) -> Any:
            variable = original(metric, *args, **kwargs)
            self._shown.add(variable.value.handle._id)
            return variable

        return wrapped

    def constructed(self, original: Any) -> Any:
        """Wraps the making of an optimizer."""

        def wrapped(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            original(optimizer, *args, **kwargs)
            self._updates.setdefault(id(optimizer), [optimizer, 0])
            inner = getattr(optimizer, "inner_optimizer", None)
            if inner is not None:
                self._updates.pop(id(inner), None)

        return wrapped

    def apply(self, original: Any) -> Any:
        """Wraps Optimizer.apply."""

        def wrapped(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            self._applying += 1
            layers, self._layers = self._layers, []
            try:
                result = original(optimizer, *args, **kwargs)
            finally:
                self._applying -= 1
                self._layers = layers
            if not self._applying:
                self._after = False
                if id(optimizer) in self._updates:
                    self._updates[id(optimizer)][1] += 1
            return result

        return wrapped

    def loop(self, original: Any) -> Any:
        """Wraps tf.while_loop."""

        def wrapped(cond: Any, body: Any, *args: Any, **kwargs: Any) -> Any:
            if not tf.executing_eagerly():
                return original(cond, body, *args, **kwargs)
            self._whiles.append(-1)

            def counted(*values: Any) -> Any:
                self._whiles[-1] += 1
                return body(*values)

            try:
                return original(cond, counted, *args, **kwargs)
            finally:
                self._whiles.pop()

        return wrapped

    def called_by_data(self, original: Any) -> Any:
        """Wraps what runs Python inside of an operation, in a thread of TensorFlow's."""

        def wrapped(function: Any, *args: Any, **kwargs: Any) -> Any:
            op_callbacks.add_op_callback(self.ran)
            before, self._in_data = self._in_data, True
            try:
                return original(function, *args, **kwargs)
            finally:
                self._in_data = before
                op_callbacks.remove_op_callback(self.ran)
                execute.execute = execute.execute_with_callbacks  # the line before undoes it for all threads

        return wrapped

    # ── graphs of TensorFlow 1 ───────────────────────────────────────────────────────────────

    def run(self, original: Any) -> Any:
        """Wraps Session.run."""

        def wrapped(session: Any, fetches: Any, feed_dict: Any = None, *args: Any, **kwargs: Any) -> Any:
            graph = session.graph
            fed = {getattr(t, "name", t): value for t, value in (feed_dict or {}).items()}
            needed = _needed(graph, fetches, set(fed))
            tensors = [t for op in needed for t in op.outputs if t.name not in fed and _fetchable(graph, t)]
            result, values = original(session, (fetches, tensors), feed_dict, *args, **kwargs)
            known = {**fed, **{t.name: value for t, value in zip(tensors, values, strict=True)}}
            frames = self._frames()
            for op in sorted(needed, key=lambda op: op._id):
                self._ran_in_session(session, original, op, known, frames)
            return result

        return wrapped

    def _ran_in_session(self, session: Any, run: Any, op: Any, known: dict[str, Any], frames: Any) -> None:
        self._number += 1
        outputs = [known[t.name] for t in op.outputs if t.name in known]
        inputs = [finite(known[t.name]) for t in op.inputs if t.name in known]
        nan, inf = any(finite(o)[0] for o in outputs), any(finite(o)[1] for o in outputs)
        writes = op.type.startswith(WRITERS)
        was_bad = False
        if writes:
            handle = op.inputs[0]
            if handle not in self._reads:
                with session.graph.as_default():
                    dtype = op.get_attr("T" if "Apply" in op.type else "dtype")
                    self._reads[handle] = gen_resource_variable_ops.read_variable_op(handle, dtype)
            value = run(session, self._reads[handle])
            nan, inf = finite(value)
            was_bad = handle.name in self._bad_handles
            (self._bad_handles.add if nan or inf else self._bad_handles.discard)(handle.name)
            if "Apply" in op.type:
                self._parameters[handle.name] = _Fetched(handle.name, value)
        forward = op._original_op
        base = op if forward is None else forward
        if op.type == "Placeholder" or not (nan or inf):
            return
        lines = [f.lineno for f in base.traceback if f.filename == self.path]
        nan_in, inf_in = any(n for n, _ in inputs), any(i for _, i in inputs)
        made = (nan and not nan_in) or (inf and not (nan_in or inf_in))
        made = made and not was_bad and op.type not in CARRIERS
        optimizes = writes or any(f.name in {"apply_gradients", "clip_by_global_norm"} for f in op.traceback)
        phase = "optimizer" if optimizes else "backward" if forward is not None else "forward"
        link = None if forward is None else _Forward(forward.type, frozenset(), [], 0, "", [])
        self._saw(op.type, lines[-1] if lines else 0, nan, made, self._steps(frames), {phase}, "", [], link)
        if writes:
            self._harm("parameter" if "Apply" in op.type else "state")
        elif phase == "forward" and all(np.ndim(o) == 0 for o in outputs):
            self._harm("loss")
        elif phase == "backward":
            self._harm("gradient")

    # ── the whole ────────────────────────────────────────────────────────────────────────────

    def observe(self) -> Observed:
        """Run the case."""
        tree = ast.fix_missing_locations(_Loops().visit(self._tree))
        space: dict[str, Any] = {"__name__": "__main__", "__file__": self.path}
        space |= {"__round__": self._round, "__loop__": self._begin}
        printed = io.StringIO()
        with self._watching(), contextlib.redirect_stdout(printed):
            try:
                exec(compile(tree, self.path, "exec"), space)
            except (Exception, SystemExit) as error:
                self.result.raised = error
        self.result.printed = printed.getvalue()
        for number, what in self._harms:
            # What a script changes that differentiates nothing is what it trains.
            trained = not self._parameters or what in self._parameters
            named = what if isinstance(what, str) else "parameter" if trained else "state"
            self.result.harms.append((number, named))
        for source in self._parameters.values():
            if any(finite(source.numpy())):
                self.result.bad.append(str(getattr(source, "name", "parameter")))
        if _bad(self._losses):
            self.result.bad.append("loss")
        return self.result

    def _round(self, line: int) -> None:
        self._rounds[line] += 1
        self._since[line] += 1

    def _begin(self, line: int) -> None:
        self._since[line] = 0

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        places: list[tuple[Any, str, Callable[[Any], Any]]] = [
            (backprop.GradientTape, "gradient", self.gradient),
            (keras.Layer, "__call__", self.layer),
            (BaseOptimizer, "__init__", self.constructed),
            (keras.optimizers.LossScaleOptimizer, "__init__", self.constructed),
            (BaseOptimizer, "apply", self.apply),
            (keras.optimizers.LossScaleOptimizer, "apply", self.apply),
            (while_loop, "while_loop", self.loop),
            (keras.Metric, "add_variable", self.metric),
            (script_ops.EagerFunc, "_call", self.called_by_data),
            (BaseSession, "run", self.run),
        ]
        before = [(place, name, getattr(place, name)) for place, name, _ in places]
        _fresh()
        tf.config.run_functions_eagerly(True)
        debug_mode.toggle_debug_mode(True)  # the functions of tf.data, too
        for place, name, wrap in places:
            setattr(place, name, wrap(getattr(place, name)))
        pywrap_tfe.TFE_Py_RegisterGradientFunction(self.differentiated)
        op_callbacks.add_op_callback(self.ran)
        try:
            yield
        finally:
            op_callbacks.remove_op_callback(self.ran)
            pywrap_tfe.TFE_Py_RegisterGradientFunction(_gradient_function)
            for place, name, original in before:
                setattr(place, name, original)
            debug_mode.toggle_debug_mode(False)
            tf.config.run_functions_eagerly(False)


@dataclass(slots=True)
class _Fetched:
    """A variable of a session, as it was last."""

    name: str
    value: Any

    def numpy(self) -> Any:
        return self.value


_gradient_function = backprop._gradient_function


def _fresh() -> None:
    """Forget what the case before left in the process."""
    keras.backend.clear_session(free_memory=False)
    keras.mixed_precision.set_global_policy("float32")
    keras.backend.set_floatx("float32")
    keras.utils.set_random_seed(0)


def _fetchable(graph: Any, tensor: Any) -> bool:
    kind = tensor.dtype.base_dtype
    return bool(graph.is_fetchable(tensor) and (kind.is_floating or kind.is_complex))


def _needed(graph: Any, fetches: Any, fed: set[str]) -> list[Any]:
    """The operations that these fetches need."""
    found: dict[str, Any] = {}
    to_do = [graph.as_graph_element(f) for f in tf.nest.flatten(fetches)]
    to_do = [getattr(f, "op", f) for f in to_do]
    while to_do:
        op = to_do.pop()
        if op.name not in found:
            found[op.name] = op
            to_do += [t.op for t in op.inputs if t.name not in fed] + list(op.control_inputs)
    return list(found.values())


def main(paths: list[str]) -> None:
    """Print what each case showed, as comments to compare with those in it."""
    for path in paths:
        result = Observer(Path(path).resolve()).observe()
        print(f"{Path(path).name}: raised={result.raised!r} bad={result.bad} harms={result.harms[:5]}")
        for seen in result.seen:
            carries = "" if seen.made else "(carries) "
            print(f"   {seen.number}: {carries}line {seen.line} op={seen.op} kind={seen.kind}", end=" ")
            print(f"phase={'|'.join(sorted(seen.phases))} step={seen.steps} module={seen.module}", end=" ")
            print(f"forward={seen.forward} iteration={seen.iterations}")


if __name__ == "__main__":
    main(sys.argv[1:])
