"""Why an operation made something that is not finite, in words, and what is done about it."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphlens.analyses.births import Bad, short
from graphlens.analyses.flow import Flow, Made
from graphlens.elements import Array, Elements
from graphlens_tracers.events import NodeSeen, Numerics, Spec

LARGEST = {
    "float16": 65504.0, "half": 65504.0, "bfloat16": 3.3895314e38, "float32": 3.4028235e38,
    "float64": 1.7976931348623157e308,
}  # fmt: skip
"""The largest finite number of a type."""

FROM_RANK = "what it read was made by a collective: it came from another rank, or its sum overflowed"


@dataclass(frozen=True, slots=True)
class Input:
    """What an operation read: how people call it, and how its numbers were.

    Attributes:
        nan, pos_inf, neg_inf, zeros: How many; None when they were not counted.
        low, high: Of those that are finite, where they were counted; None where nothing is known.
        elements: None when they were not kept.
    """

    value: int | None
    name: str
    spec: Spec | None
    low: float | None = None
    high: float | None = None
    nan: int | None = None
    pos_inf: int | None = None
    neg_inf: int | None = None
    zeros: int | None = None
    elements: Elements | None = None

    @property
    def array(self) -> Array | None:
        """All its elements, where they are kept and can be compared."""
        kept = self.elements
        known = kept is not None and kept.whole and kept.array.dtype.kind in "fiub"
        return kept.array if kept is not None and known else None

    def where(self, test: Callable[[Array], Array]) -> str:
        """Of how many elements something is true: " at 3 of 40 places"; "" where they are not kept."""
        array = self.array
        return "" if array is None else self.count(int(np.count_nonzero(test(array))))

    @property
    def size(self) -> int | None:
        """How many elements it has."""
        shape = None if self.spec is None else self.spec.shape
        return None if shape is None or None in shape else math.prod(n for n in shape if n is not None)

    @property
    def has_zero(self) -> bool:
        """Whether an element is exactly zero, as far as is known."""
        if self.zeros is not None:
            return self.zeros > 0
        return self.low == 0 or self.high == 0

    @property
    def infinite(self) -> bool:
        """Whether an element is infinite, as far as is known."""
        ends = [end for end in (self.low, self.high) if end is not None]
        return bool(self.pos_inf or self.neg_inf or any(math.isinf(end) for end in ends))

    def count(self, some: int | None) -> str:
        """How often something is the case: "at 3 of 40 places"."""
        size = self.size
        if size == 1:
            return ""
        return " somewhere" if some is None or size is None else f" at {some:,} of {size:,} places"


def inputs_of(
    flow: Flow, bad: Bad, code: str = "", kept: Mapping[int, Elements] | None = None
) -> list[Input]:
    """The inputs of an operation, in order.

    Args:
        code: Its expression in the source, for their names.
        kept: Their elements, by position.
    """
    names = named(bad.node.op, code)
    values, sources = flow.values(bad.seq), flow.sources(bad.seq)
    again = flow.inputs_seen(bad.seq)
    found = []
    for k, value in enumerate(values):
        name = names[k] if k < len(names) else ""
        if not name and value is not None:
            leaf = flow.process.leaves.get(value)
            name = leaf.name if leaf is not None else ""
        spec = None if value is None else flow.spec(value)
        looked = again[k] if k < len(again) else None
        source = sources[k] if k < len(sources) else None
        one = _input(flow, value, name, spec, looked, source if isinstance(source, Made) else None)
        found.append(replace(one, elements=(kept or {}).get(k)))
    return found


def _input(
    flow: Flow, value: int | None, name: str, spec: Spec | None, looked: Numerics | None, source: Made | None
) -> Input:
    if looked is not None:
        counts = looked.nan, looked.pos_inf, looked.neg_inf, looked.zeros
        return Input(value, name, spec, looked.low, looked.high, *counts)
    numbers = None if source is None else flow.range(source)
    if numbers is None:
        return Input(value, name, spec)
    if numbers.nan or numbers.inf:
        fact = None if source is None else flow.fact(source)
        counted = None if fact is None else fact.numerics
        if counted is not None:
            counts = counted.nan, counted.pos_inf, counted.neg_inf, counted.zeros
            return Input(value, name, spec, counted.low, counted.high, *counts)
        return Input(value, name, spec, numbers.low, numbers.high)
    return Input(value, name, spec, numbers.low, numbers.high, 0, 0, 0)


# ── names ────────────────────────────────────────────────────────────────────────────────────


def named(op: str, code: str) -> list[str]:
    """What the inputs of an operation are called in its expression; empty where that is not plain."""
    try:
        tree = ast.parse(code.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return []
    if isinstance(tree, ast.BinOp):
        return [ast.unparse(tree.left), ast.unparse(tree.right)]
    if isinstance(tree, ast.UnaryOp):
        return [ast.unparse(tree.operand)]
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute):
        holder = ast.unparse(tree.func.value)
        given = [ast.unparse(one) for one in tree.args if not isinstance(one, (ast.Starred, ast.Constant))]
        if short(op) != tree.func.attr.strip("_"):
            return []
        is_module = re.fullmatch(r"(torch|tf|F|nn|np|keras|math)(\.\w+)*", holder) is not None
        return given if is_module else [holder, *given]
    return []


# ── words ────────────────────────────────────────────────────────────────────────────────────


def cause_of(bad: Bad, inputs: Sequence[Input], outputs: Sequence[Spec]) -> str:
    """Why, in one sentence; empty where nobody knows."""
    spec = outputs[bad.slots[0]] if bad.slots and bad.slots[0] < len(outputs) else None
    dtype = "" if spec is None else spec.dtype
    if bad.birth == "uninitialised":
        return "this memory was never written: it holds whatever was there before"
    if bad.birth == "outside":
        return _from_outside(inputs) if bad.collective is None else FROM_RANK
    if bad.birth == "declared":
        return "it was given an infinity or a NaN as a number"
    name = short(bad.node.op)
    told = _RULES[name](bad, inputs, dtype) if name in _RULES else ""
    return told or _infinite_inputs(bad, inputs) or _overflow(bad, inputs, dtype)


def _called(one: Input, k: int = 0) -> str:
    return one.name or ("its input" if k == 0 else f"input {k}")


def _from_outside(inputs: Sequence[Input]) -> str:
    for k, one in enumerate(inputs):
        parts = [
            f"{count:,} {what}"
            for count, what in ((one.nan, "NaN"), (one.pos_inf, "+inf"), (one.neg_inf, "-inf"))
            if count
        ]
        if parts:
            return f"{_called(one, k)} came in with {', '.join(parts)}"
    return "it came in from outside"


def _log(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    one = inputs[0] if inputs else None
    if one is None or one.low is None:
        return ""
    at = -1.0 if short(bad.node.op) == "log1p" else 0.0
    if bad.kind == "nan" and one.low < at:
        below = one.where(lambda array: array < at)
        return f"{_called(one)} is below {at:g}{below}: its minimum is {one.low:.4g}"
    if at == 0 and one.has_zero:
        return f"{_called(one)} is exactly 0{one.count(one.zeros)}"
    return f"{_called(one)} is exactly -1 somewhere" if at else ""


def _div(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    if len(inputs) < 2:
        return _by_number(bad, inputs, dtype) or _reciprocal(bad, inputs, dtype)
    above, below = inputs[-2], inputs[-1]  # addcdiv adds to what comes before them
    if below.has_zero:
        k = len(inputs) - 1
        if bad.kind == "nan" and above.has_zero:
            both = _both(above, below, lambda one: one == 0, lambda other: other == 0)
            return f"{_called(above, k - 1)} and {_called(below, k)} are both exactly 0{both}: 0/0"
        return f"{_called(below, k)} is exactly 0{below.count(below.zeros)}"
    return ""


def _by_number(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    """Of what is divided by a number of Python; it may be another one than in the form."""
    if short(bad.node.op) != "div" or not inputs:
        return ""
    one = inputs[0]
    if one.low is None or one.high is None or one.nan or one.infinite:
        return ""
    small = max(abs(one.low), abs(one.high)) < LARGEST.get(dtype, 0.0) / 1e6
    return f"{_called(one)} is divided by 0, or by next to nothing" if small else ""


def _reciprocal(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    one = inputs[0] if inputs else None
    if one is not None and one.has_zero:
        return f"{_called(one)} is exactly 0{one.count(one.zeros)}"
    return _below(one) if bad.kind == "nan" else ""


def _below(one: Input | None) -> str:
    if one is None or one.low is None or one.low >= 0:
        return ""
    return f"{_called(one)} is below 0{one.where(lambda array: array < 0)}: its minimum is {one.low:.4g}"


def _pow(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    one = inputs[0] if inputs else None
    if one is None or one.low is None:
        return ""
    if bad.kind == "nan" and one.low < 0:
        return f"{_below(one)}, and the exponent is not whole"
    if one.has_zero and (bad.node.twin is not None or re.search(r'"?-\d', bad.node.form)):
        return f"{_called(one)} is exactly 0{one.count(one.zeros)}, and the exponent is negative"
    return _overflow(bad, inputs, dtype)


def _sqrt(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    return _below(inputs[0] if inputs else None)


def _bounded(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    one = inputs[0] if inputs else None
    if one is None or one.low is None or one.high is None:
        return ""
    if one.low < -1 or one.high > 1:
        beyond = one.where(lambda array: abs(array) > 1)
        return f"{_called(one)} leaves -1 … 1{beyond}: it is {one.low:.8g} … {one.high:.8g}"
    return f"{_called(one)} is exactly at ±1" if one.low == -1 or one.high == 1 else ""


def _exp(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    one = inputs[0] if inputs else None
    largest = LARGEST.get(dtype)
    if one is None or one.high is None or largest is None:
        return ""
    most = math.log(largest)
    beyond = one.where(lambda array: array > most)
    reaches = f"reaches {one.high:.5g}{f', and is too large{beyond}' if beyond else ''}"
    return f"{_called(one)} {reaches}: exp of more than {most:.4g} overflows {dtype}"


def _softmax(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    one = inputs[0] if inputs else None
    if one is None or one.nan or one.pos_inf or one.high == math.inf:
        return ""
    array, axis = one.array, _axis(bad)
    if array is None or axis is None or not -array.ndim <= axis < array.ndim:
        return f"a whole row of {_called(one)} is -inf: every place is masked"
    rows = np.isneginf(array).all(axis=axis)
    if rows.size == 1:
        return f"all of {_called(one)} is -inf: every place is masked"
    masked = int(rows.sum())
    is_ = "is" if masked == 1 else "are"
    first = ", ".join(str(n) for n in np.argwhere(rows)[0]) if masked else ""
    return (
        f"{masked:,} of {rows.size:,} rows of {_called(one)} {is_} -inf throughout, the first at [{first}]: "
        "every place is masked"
    )


def _axis(bad: Bad) -> int | None:
    """The axis that an operation of PyTorch was given after its input."""
    arguments = json.loads(bad.node.form or "[[]]")[0]
    axis = arguments[1] if isinstance(arguments, list) and len(arguments) > 1 else None
    return axis if type(axis) is int else None


def _spread(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    one = inputs[0] if inputs else None
    if one is None or bad.kind != "nan" or one.nan or one.infinite:
        return ""
    return f"the spread of a single number is 0/0: {_called(one)} has one along this axis"


def _mean(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    one = inputs[0] if inputs else None
    return f"{_called(one)} is empty: the mean of nothing is 0/0" if one is not None and one.size == 0 else ""


def _nll(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    if any(one.nan or one.infinite for one in inputs):
        return ""
    return "no target counts (all are ignored): the mean of nothing is 0/0"


def _normalised(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    one, arguments = inputs[0] if inputs else None, json.loads(bad.node.form or "[[]]")[0]
    if one is None or one.nan or one.infinite or not arguments or arguments[-1] != 0:
        return ""
    return f"where {_called(one)} has no spread along the axes that are normalised it is 0/0: eps is 0"


def _ctc(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    if any(one.nan or one.infinite for one in inputs):
        return ""
    return "a target is longer than its input allows (twice the same in turn needs a blank between)"


def _infinite_inputs(bad: Bad, inputs: Sequence[Input]) -> str:
    """NaN out of infinities."""
    infinite = [one for one in inputs if one.infinite]
    if bad.kind != "nan" or not infinite:
        return ""
    name = short(bad.node.op)
    if name == "mul" and len(inputs) == 2:
        for k, one in enumerate(inputs):
            other = inputs[1 - k]
            at = _both(one, other, np.isinf, lambda array: array == 0)
            if one.infinite and at:
                return f"{_called(one, k)} is infinite and {_called(other, 1 - k)} 0{at}: infinity times 0"
    if name in ("mul", "mm", "bmm", "addmm", "matmul"):
        return f"infinity times 0, or infinities of both signs: {_called(infinite[0])} is infinite"
    if name in ("sub", "add", "sum", "mean"):
        return f"infinity minus infinity: {_called(infinite[0])} is infinite"
    return f"{_called(infinite[0])} is infinite"


def _both(one: Input, other: Input, is_so: Callable[[Array], Array], is_too: Callable[[Array], Array]) -> str:
    """At how many places something is true of both; "" where they are not kept, or it is nowhere."""
    if one.array is None or other.array is None:
        return ""
    try:
        places = np.logical_and(is_so(one.array), is_too(other.array))
    except ValueError:  # shapes that have nothing to do with each other
        return ""
    count = int(np.count_nonzero(places))
    return f" at {count:,} of {places.size:,} places" if count and places.size > 1 else ""


def _overflow(bad: Bad, inputs: Sequence[Input], dtype: str) -> str:
    largest = LARGEST.get(dtype)
    ends = [abs(end) for one in inputs for end in (one.low, one.high) if end is not None]
    sizes = [end for end in ends if math.isfinite(end)]
    if bad.kind != "inf" or largest is None or not sizes:
        return ""
    return f"the result is larger than {dtype} can hold ({largest:.5g}); its inputs reach {max(sizes):.5g}"


_Rule = Callable[[Bad, Sequence[Input], str], str]
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(("log", "log2", "log10", "log1p"), _log),
    **dict.fromkeys(("div", "floor_divide", "remainder", "addcdiv", "xdivy"), _div),
    **dict.fromkeys(("reciprocal", "rsqrt"), _reciprocal),
    **dict.fromkeys(("pow", "square"), _pow),
    **dict.fromkeys(("sqrt",), _sqrt),
    **dict.fromkeys(("acos", "asin", "atanh", "erfinv"), _bounded),
    **dict.fromkeys(("exp", "expm1", "exp2"), _exp),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    **dict.fromkeys(("std", "var", "std_mean", "var_mean"), _spread),
    "mean": _mean,
    "nll_loss": _nll,
    "ctc_loss": _ctc,
    "native_layer_norm": _normalised,
}


# ── advice ───────────────────────────────────────────────────────────────────────────────────


def advice_for(bad: Bad, forward: NodeSeen | None, cause: str) -> list[str]:
    """Well-known remedies that fit.

    Args:
        forward: For a backward operation, what it differentiates.
    """
    if bad.collective is not None:
        return ["look at what the other ranks gave it: their own logs, or loss scaling where it is a sum"]
    if bad.birth == "outside":
        return ["check what is loaded, and leave out or fill in what is not finite"]
    if bad.birth == "uninitialised":
        return ["torch.zeros instead of torch.empty, or an initialiser for this parameter"]
    name = short((forward or bad.node).op)
    found = [words for names, words in (_BACKWARD if forward is not None else _FORWARD) if name in names]
    if "overflows" in cause or "larger than" in cause:
        found.append(
            "compute this part in float32, or scale it down first"
            if any(half in cause for half in ("float16", "bfloat16", "half"))
            else "a smaller learning rate, gradient clipping, or values that are normalised first"
        )
    return found


_FORWARD = (
    (("log", "log2", "log10"), "add a small eps inside the log, or use log_softmax, logsigmoid or xlogy"),
    (("log1p", "logit", "atanh", "erfinv"), "clamp what goes in a little inside of its bounds"),
    (("div", "reciprocal", "rsqrt", "floor_divide"), "add an eps to the denominator, or clamp it from below"),
    (("sqrt",), "clamp what goes in at 0, and put the eps inside of the root"),
    (("acos", "asin"), "clamp what goes in to ±(1 - eps)"),
    (("exp", "expm1"), "clamp what goes in, or stay in log space (logsumexp)"),
    (("softmax", "log_softmax"), "leave one place of each row unmasked, or mask with a large finite number"),
    (("std", "var"), "unbiased=False, or leave out batches of one"),
    (("native_layer_norm",), "an eps above 0"),
    (("ctc_loss",), "zero_infinity=True, or leave out what is too short for its target"),
    (("mean", "nll_loss"), "skip batches in which nothing counts"),
    (("addcdiv",), "a larger eps: in half precision a small one is 0"),
)  # fmt: skip
_BACKWARD = (
    (("sqrt", "norm", "linalg_vector_norm", "cdist", "pow"), "put an eps inside of the root: its slope at 0 "
     "is infinite"),
    (("log", "div", "reciprocal", "log1p"), "choose safe numbers before the operation, too (a double where): "
     "what where leaves out still has a gradient, and 0 times infinity is NaN"),
    (("acos", "asin", "acosh"), "clamp what goes in to ±(1 - eps): the slope at ±1 is infinite"),
    (("atan2",), "leave out the origin: the slope there is 0/0"),
    (("_linalg_svd", "linalg_svd", "_linalg_eigh", "linalg_eigh", "svd", "selfadjointeigv2"), "equal "
     "singular values have no gradient: add a little noise, or differentiate only what needs no order"),
    (("logsumexp",), "leave one place of each row above -inf"),
)  # fmt: skip
