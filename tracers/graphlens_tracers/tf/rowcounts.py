"""How many rows there are of what runs inside of an operation that runs as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.bodies import LOOPS, Body, Ran
from graphlens_tracers.tf.moments import Frame, Moment

if TYPE_CHECKING:
    from graphlens_tracers.tf.tracer import TensorFlowTracer
    from graphlens_tracers.tf.watched import Watched


def rows_inside(tracer: TensorFlowTracer, moment: Moment) -> int | None:
    """Those of the functions that it has entered, by what the watched copy told; None: nobody knows."""
    watched = tracer.watched(moment.frame.stack[0].function)
    body = None if watched is None else _body(watched, moment.frame)
    inner = [] if body is None else [one for one in body.inside if one.node == moment.node]
    if watched is None or not moment.told or not inner:
        return None
    if moment.kind not in LOOPS:
        ran, _ = watched.read(moment.told[0].numpy(), 0)
        return _rows(tracer, ran)
    with tracer.unrecorded(), compat.untaped():
        vector = _joined(moment.told[0])
    cond, _again = inner
    rows, at, condition = 0, 0, _least(tracer, cond)
    while at < len(vector):
        if cond.told:
            ran, at = watched.read(vector, at)
            condition = _rows(tracer, ran)
        rows += condition
        ran, at = watched.read(vector, at)
        rows += _rows(tracer, ran)
    return rows + condition  # which ends it: nobody tells more of that one


def _body(watched: Watched, frame: Frame) -> Body | None:
    """What a frame is in a watched function."""
    body = watched.bodies[0]
    for one in frame.stack[1:]:
        place = one.node, one.part, one.nth
        found = [inner for inner in body.inside if (inner.node, inner.attribute, inner.nth) == place]
        if not found:
            return None
        body = found[0]
    return body


def _rows(tracer: TensorFlowTracer, ran: Ran) -> int:
    return _own(tracer, ran.body) + sum(_rows(tracer, inner) for inner in ran.inside)


def _least(tracer: TensorFlowTracer, body: Body) -> int:
    """Those of a body of which nothing is told."""
    calls: list[Any] = [inner for inner in body.inside if inner.attribute == "f"]
    return _own(tracer, body) + sum(_least(tracer, inner) for inner in calls)


def _own(tracer: TensorFlowTracer, body: Body) -> int:
    function = tracer.function(body.function)
    return 0 if function is None else len(function.live)


def _joined(vectors: Any) -> Any:
    """A list of vectors that a loop has collected, as one of NumPy's."""
    return compat.tf.raw_ops.TensorListConcatV2(
        input_handle=vectors, element_shape=[-1], leading_dims=compat.tf.constant([], compat.tf.int64),
        element_dtype=compat.tf.float32,
    )[0].numpy()  # fmt: skip
