"""Views of a tensor by expression: `x[0].flip(1)`, `torch.fft.rfft(x).abs()`, `np.isnan(x).sum(0)`.

A small language: a Python expression over one array, of which only what stands here is known.
Nothing of a run is executed, no attribute is looked up on any object, and no result grows beyond a bound.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graphlens_tracers.errors import Usage

Array = npt.NDArray[Any]  # Any: whatever kind of number
MOST_ELEMENTS = 1 << 26
"""Elements of a result."""
LONGEST = 1000
"""Characters of an expression."""

_MODULES = ("torch", "np", "numpy", "tf", "F", "torch.nn.functional", "tf.math", "tf.signal", "tf.nn", "math")
_PLACES = (*_MODULES, "torch.fft", "np.fft", "numpy.fft", "torch.linalg", "np.linalg", "tf.linalg")
_CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None}


def evaluate(text: str, x: Array) -> Array:
    """The value of an expression in which `x` is an array.

    Raises:
        Usage: It is no expression of this language, or cannot be computed; says why.
    """
    if len(text) > LONGEST:
        raise Usage(f"an expression has {LONGEST:,} characters at most")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Usage(f"{text!r} is no expression: {getattr(error, 'msg', error)}") from error
    try:
        with np.errstate(all="ignore"):
            found = _Evaluation(x).of(tree)
            return np.asarray(found)
    except Usage:
        raise
    except (TypeError, ValueError, IndexError, KeyError, OverflowError, RecursionError, MemoryError) as error:
        raise Usage(f"{text!r} cannot be computed: {error}") from error


class _Evaluation:
    def __init__(self, x: Array) -> None:
        self._x = x

    def of(self, node: ast.AST) -> Any:  # Any: an array, a number, or what indexes one
        """The value of a part of the expression."""
        match node:
            case ast.Name(id="x"):
                return self._x
            case ast.Constant(value=value) if (
                value is None or value is ... or isinstance(value, (bool, int, float))
            ):
                return value
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return _UNARY[type(op)](self.of(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _operation(_BINARY[type(op)], self.of(left), self.of(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARED:
                return _operation(_COMPARED[type(op)], self.of(left), self.of(right))
            case ast.Subscript(value=value, slice=index):
                return _bounded(np.asarray(self.of(value))[self.of(index)])
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(*(None if part is None else self.of(part) for part in (lower, upper, step)))
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return tuple(self.of(part) for part in parts)
            case ast.Call(func=ast.Attribute(value=value, attr=name), args=args, keywords=keywords):
                holder = _dotted(value)
                given = [] if holder in _PLACES else [self.of(value)]
                return self._call(name, holder if holder in _PLACES else "", given, args, keywords)
            case ast.Attribute(value=value, attr=name):
                if _dotted(value) in _PLACES and name in _CONSTANTS:
                    return _CONSTANTS[name]
                if name in _ATTRIBUTES:
                    return _ATTRIBUTES[name](np.asarray(self.of(value)))
        raise Usage(f"{ast.unparse(node)!r} is not known here; {_KNOWN}")

    def _call(
        self,
        name: str,
        place: str,
        given: list[Any],
        args: Sequence[ast.expr],
        keywords: Sequence[ast.keyword],
    ) -> Any:  # Any: as `of`
        function = _FUNCTIONS.get(name)
        if function is None or any(word.arg is None for word in keywords):
            raise Usage(f"there is no {name!r}; {_KNOWN}")
        words = {_WORDS.get(str(word.arg), str(word.arg)): self.of(word.value) for word in keywords}
        if name in ("std", "var") and not place.startswith("torch") and place:
            words.setdefault("correction", 0)  # as NumPy and TensorFlow have it
        return _bounded(function(*given, *map(self.of, args), **words))


def _dotted(node: ast.AST) -> str:
    """ "torch.fft"; "" for what is no chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _bounded(value: Any) -> Any:  # Any: as `of`
    if isinstance(value, np.ndarray) and value.size > MOST_ELEMENTS:
        raise Usage(f"the result has more than {MOST_ELEMENTS:,} elements")
    return value


def _operation(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    """An operator on arrays and numbers: never on large integers of Python, which have no end."""
    one, other = np.asarray(left), np.asarray(right)
    if function is operator.matmul:
        rows = (one.size // max(1, one.shape[-1] if one.ndim else 1)) * (
            other.size // max(1, other.shape[0] if other.ndim else 1)
        )
        _room(rows)
    else:
        _room(math.prod(np.broadcast_shapes(one.shape, other.shape)))
    if function is operator.pow and one.dtype.kind in "iu" and other.dtype.kind in "iu":
        one = one.astype(np.float64)  # whole numbers to a negative power
    return function(one, other)


def _room(size: int) -> None:
    if size > MOST_ELEMENTS:
        raise Usage(f"the result would have {size:,} elements, more than {MOST_ELEMENTS:,}")


_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: np.invert, ast.Not: np.logical_not,
}  # fmt: skip
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}  # fmt: skip
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_ATTRIBUTES: dict[str, Callable[[Array], Any]] = {
    "T": lambda x: x.T, "mT": lambda x: np.swapaxes(x, -1, -2), "real": np.real, "imag": np.imag,
}  # fmt: skip
_WORDS = {"dim": "axis", "dims": "axis", "axes": "axis", "keepdim": "keepdims", "n": "n"}


# ── functions ────────────────────────────────────────────────────────────────────────────────


def _axes(axis: Any) -> Any:  # Any: an axis, several, or None
    return tuple(map(operator.index, axis)) if isinstance(axis, (tuple, list)) else axis


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    """`x.sum(0)`, `x.sum((0, 1), keepdim=True)`."""
    return lambda x, axis=None, keepdims=False: function(
        np.asarray(x), axis=_axes(axis), keepdims=bool(keepdims)
    )


def _spread(function: Callable[..., Any]) -> Callable[..., Any]:
    def spread(
        x: Any, axis: Any = None, correction: int = 1, unbiased: bool = True, keepdims: bool = False
    ) -> Any:
        ddof = correction if unbiased else 0
        return function(np.asarray(x), axis=_axes(axis), ddof=ddof, keepdims=bool(keepdims))

    return spread


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one array alone."""
    return lambda x: function(np.asarray(x))


def _along(function: Callable[..., Any], default: int | None) -> Callable[..., Any]:
    return lambda x, axis=default: function(np.asarray(x), axis=axis)


def _flip(x: Any, *axes: Any, axis: Any = None) -> Any:
    chosen = axes[0] if len(axes) == 1 else axes or axis
    return np.flip(np.asarray(x), _axes(chosen))


def _permute(x: Any, *axes: Any, axis: Any = None) -> Any:
    chosen = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple) else axes or axis
    return np.transpose(np.asarray(x), _axes(chosen) or None)


def _transpose(x: Any, *axes: Any, axis: Any = None) -> Any:
    if len(axes) == 2 and np.ndim(x) != 2:
        return np.swapaxes(np.asarray(x), *axes)  # as PyTorch has it
    return _permute(x, *axes, axis=axis)


def _reshape(x: Any, *shape: Any) -> Any:
    return np.asarray(x).reshape(shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape)


def _flatten(x: Any, first: int = 0, last: int = -1) -> Any:
    x = np.asarray(x)
    start, stop = first % max(1, x.ndim), last % max(1, x.ndim)
    return x.reshape(*x.shape[:start], -1, *x.shape[stop + 1 :])


def _softmax(x: Any, axis: int = -1) -> Any:
    exponents = np.exp(np.asarray(x) - np.max(x, axis=axis, keepdims=True))
    return exponents / exponents.sum(axis=axis, keepdims=True)


def _logsumexp(x: Any, axis: int = -1, keepdims: bool = False) -> Any:
    found = np.logaddexp.reduce(np.asarray(x), axis=axis, keepdims=True)
    return found if keepdims else np.squeeze(found, axis)


def _log_softmax(x: Any, axis: int = -1) -> Any:
    return np.asarray(x) - _logsumexp(x, axis, True)


def _norm(x: Any, ord: Any = 2, axis: Any = None, keepdims: bool = False) -> Any:
    return np.linalg.norm(
        np.abs(np.asarray(x)).reshape(-1) if axis is None else np.asarray(x), ord, axis, keepdims
    )


def _clip(x: Any, min: Any = None, max: Any = None) -> Any:
    return np.clip(np.asarray(x), min, max)


def _where(condition: Any, one: Any, other: Any) -> Any:
    _room(math.prod(np.broadcast_shapes(*(np.shape(part) for part in (condition, one, other)))))
    return np.where(condition, one, other)


def _sorted(x: Any, axis: int = -1, descending: bool = False) -> Any:
    found = np.sort(np.asarray(x), axis=axis)
    return np.flip(found, axis) if descending else found


def _fourier(name: str) -> Callable[..., Any]:
    function = getattr(np.fft, name)

    def transform(x: Any, n: int | None = None, axis: int = -1) -> Any:
        _room(0 if n is None else abs(n) * np.size(x))
        return function(np.asarray(x), n, axis)

    return transform


def _cast(kind: str) -> Callable[..., Any]:
    return lambda x: np.asarray(x).astype(kind)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _reduced(getattr(np, name)) for name in ("sum", "mean", "prod", "all", "any", "median")},
    **{name: _reduced(getattr(np, f"nan{name[3:]}")) for name in ("nansum", "nanmean", "nanmedian")},
    **{name: _reduced(np.max) for name in ("max", "amax", "reduce_max")},
    **{name: _reduced(np.min) for name in ("min", "amin", "reduce_min")},
    "reduce_sum": _reduced(np.sum), "reduce_mean": _reduced(np.mean),
    "count_nonzero": _reduced(np.count_nonzero),
    "nanmax": _reduced(np.nanmax), "nanmin": _reduced(np.nanmin),
    "std": _spread(np.std), "var": _spread(np.var), "reduce_std": _reduced(np.std),
    "reduce_variance": _reduced(np.var),
    "argmax": _along(np.argmax, None), "argmin": _along(np.argmin, None), "argsort": _along(np.argsort, -1),
    "cumsum": _along(np.cumsum, None), "cumprod": _along(np.cumprod, None),
    "diff": lambda x, n=1, axis=-1: np.diff(x, n, axis),
    "sort": _sorted, "softmax": _softmax, "log_softmax": _log_softmax, "logsumexp": _logsumexp, "norm": _norm,
    "flip": _flip, "reverse": _flip, "permute": _permute, "transpose": _transpose, "t": _plain(np.transpose),
    "swapaxes": lambda x, one, other: np.swapaxes(np.asarray(x), one, other),
    "reshape": _reshape, "view": _reshape, "flatten": _flatten, "ravel": _plain(np.ravel),
    "squeeze": lambda x, axis=None: np.squeeze(np.asarray(x), _axes(axis)),
    "unsqueeze": lambda x, axis: np.expand_dims(np.asarray(x), axis),
    "expand_dims": lambda x, axis: np.expand_dims(np.asarray(x), axis),
    "diagonal": _plain(np.diagonal), "diag": _plain(np.diagonal),
    "triu": lambda x, k=0: np.triu(np.asarray(x), k), "tril": lambda x, k=0: np.tril(np.asarray(x), k),
    "roll": lambda x, shift, axis=None: np.roll(np.asarray(x), shift, _axes(axis)),
    "unique": _plain(np.unique),
    "abs": _plain(np.abs), "exp": _plain(np.exp), "expm1": _plain(np.expm1), "log": _plain(np.log),
    "log1p": _plain(np.log1p), "log2": _plain(np.log2), "log10": _plain(np.log10), "sqrt": _plain(np.sqrt),
    "rsqrt": lambda x: 1 / np.sqrt(np.asarray(x)), "square": _plain(np.square),
    "reciprocal": lambda x: 1 / np.asarray(x),
    "sin": _plain(np.sin), "cos": _plain(np.cos), "tan": _plain(np.tan), "tanh": _plain(np.tanh),
    "acos": _plain(np.arccos), "asin": _plain(np.arcsin), "atan": _plain(np.arctan),
    "sigmoid": lambda x: 1 / (1 + np.exp(-np.asarray(x))), "relu": lambda x: np.maximum(x, 0),
    "sign": _plain(np.sign), "round": _plain(np.round), "floor": _plain(np.floor), "ceil": _plain(np.ceil),
    "isnan": _plain(np.isnan), "isinf": _plain(np.isinf), "isfinite": _plain(np.isfinite),
    "nan_to_num": _plain(np.nan_to_num), "conj": _plain(np.conj), "angle": _plain(np.angle),
    "real": _plain(np.real), "imag": _plain(np.imag), "logical_not": _plain(np.logical_not),
    "clamp": _clip, "clip": _clip, "clip_by_value": _clip, "where": _where,
    "maximum": lambda x, y: _operation(np.maximum, x, y),
    "minimum": lambda x, y: _operation(np.minimum, x, y),
    "pow": lambda x, y: _operation(operator.pow, x, y),
    "matmul": lambda x, y: _operation(operator.matmul, x, y),
    **{name: _fourier(name) for name in ("fft", "ifft", "rfft", "irfft")},
    "fftshift": _plain(np.fft.fftshift), "ifftshift": _plain(np.fft.ifftshift),
    "fft2": _plain(np.fft.fft2), "ifft2": _plain(np.fft.ifft2),
    "float": _cast("float32"), "double": _cast("float64"), "half": _cast("float16"), "int": _cast("int32"),
    "long": _cast("int64"), "bool": _cast("bool"),
    **{name: _plain(lambda x: x) for name in ("detach", "cpu", "numpy", "contiguous", "clone")},
}  # fmt: skip
_KNOWN = (
    f"an expression has x, numbers, operators, indices, and these functions: {', '.join(sorted(_FUNCTIONS))}"
)
