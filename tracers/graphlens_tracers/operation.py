"""An operation as the gate asks about it, whatever framework runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, Protocol, runtime_checkable

Chain = tuple[Any, ...]
"""What an operation is in, outermost first: the call, then module calls, functions, iterations."""


class Operation(Protocol):
    """An operation that is about to run, or has run, as the framework's tracer knows it."""

    name: str

    @property
    def strand(self) -> object:
        """Which thread's order it belongs to: steps are taken within one."""
        ...

    @property
    def also(self) -> str:
        """Another name of it, as its graph's; "" for none."""
        ...

    def seq(self) -> int:
        """Its number."""
        ...

    def chain(self) -> Chain:
        """What it is in."""
        ...

    def module(self) -> str:
        """The dotted path of the module that it runs in; ""."""
        ...

    def graph(self) -> str:
        """The name of the graph that it is part of; "" where that is the step's own."""
        ...

    def phase(self) -> str:
        """Its phase."""
        ...

    def step(self) -> int | None:
        """The training step that it is part of."""
        ...

    def line(self) -> tuple[str, int] | None:
        """File and line that it stands in, where that is not the innermost frame: of a graph's operation."""
        ...

    def frames(self) -> list[FrameType]:
        """The user's Python frames, innermost first."""
        ...

    def about(self) -> dict[str, Any]:
        """What there is to say of it: where in the source, of which forward operation, ..."""
        ...

    def inputs(self) -> Sequence[Any]:
        """Its tensors in."""
        ...

    def outputs(self) -> Sequence[Any]:
        """Its tensors out; none before it has run."""
        ...

    def usable(self, tensor: Any) -> Any:
        """One of them as expressions may use it."""
        ...

    def describe(self, tensor: Any) -> dict[str, Any] | None:
        """Shape, type and numbers of a tensor; None when it is none."""
        ...

    def elements(self, tensor: Any) -> tuple[dict[str, Any], bytes]:
        """How its elements are to be read, and they. Raises ValueError when they cannot be."""
        ...

    def functions(self) -> Mapping[str, Callable[..., Any]]:
        """What conditions may call: nan, inf, absmax, amin, amax, norm, shape, dtype."""
        ...

    def is_uninitialised(self) -> bool:
        """Whether what it makes is memory that nobody has written yet: no rule is about that."""
        ...

    def is_birth(self) -> bool:
        """Whether it has made a NaN or an infinity out of finite inputs."""
        ...

    def replace(self, which: str, index: int, value: Any) -> None:
        """Go on with another tensor: for "in" as its input, for "out" as its output.

        Raises:
            ValueError, TypeError: It does not fit.
        """

    def quiet(self) -> AbstractContextManager[Any]:
        """While a condition is asked for: nothing that it computes is recorded, or stopped at."""
        ...

    def sheltered(self) -> AbstractContextManager[Any]:
        """While something is evaluated: random state and modes are the script's again afterwards."""
        ...


@runtime_checkable
class Notes(Protocol):
    """An operation that writes down what was changed by hand."""

    def changed(self, which: str, index: int, text: str) -> None:
        """A tensor was replaced by what an expression gave; as in `replace`."""
