"""What autograd does, found without the tracer: by Node hooks and stamps under a bare dispatch mode.

A program takes a `Marker`. It is run twice: here, where every autograd node is stamped with the
operation that made it and tells by hooks when its formula begins and ends; and recorded, where the
marker does nothing.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

STAMP = "made by operation"


def stamps(node: Any) -> dict[str, int]:
    """What is written on an autograd node: typed as a method by torch, and a dictionary."""
    return node.metadata  # type: ignore[no-any-return]  # see above


class Marker:
    """Given to a program: does nothing, as when it is recorded."""

    def made(self, tensor: torch.Tensor, back: int = 1) -> torch.Tensor:
        """The operation `back` operations ago made this tensor."""
        return tensor

    def watch(self, *roots: torch.Tensor) -> None:
        """These are about to be differentiated."""


@dataclass
class Seen:
    """One operation.

    Attributes:
        node: Name of the autograd node that the engine is at; "" outside of a backward.
        maker: The operation that made the node; None when nobody stamped it.
        inside: Whether the node's formula runs, not the engine.
    """

    op: str
    node: str = ""
    maker: int | None = None
    inside: bool = False


@dataclass
class Truth(Marker):
    """Stamps nodes and hooks them."""

    seen: list[Seen] = field(default_factory=list)
    inside: bool = False
    handles: list[Any] = field(default_factory=list)

    def made(self, tensor: torch.Tensor, back: int = 1) -> torch.Tensor:
        if tensor.grad_fn is not None:
            stamps(tensor.grad_fn)[STAMP] = len(self.seen) - back
        return tensor

    def watch(self, *roots: torch.Tensor) -> None:
        for handle in self.handles:
            handle.remove()
        waiting = [root.grad_fn for root in roots if root.grad_fn is not None]
        known = set(waiting)
        while waiting:
            node = waiting.pop()
            self.handles += [
                node.register_prehook(lambda grads: self._at(True)),
                node.register_hook(lambda inputs, outputs: self._at(False)),
            ]
            for target, _ in node.next_functions:
                if target is not None and target not in known:
                    known.add(target)
                    waiting.append(target)

    def _at(self, inside: bool) -> None:
        self.inside = inside


class Bare(TorchDispatchMode):
    """Notes every operation; stamps the nodes of one when the next one comes."""

    def __init__(self, truth: Truth) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is not typed
        self.truth = truth
        self.last: list[tuple[weakref.ref[torch.Tensor], bool]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        seen = self.truth.seen
        for ref, written in self.last:
            tensor = ref()
            if tensor is None:
                continue
            if written and tensor._is_view():
                tensor = tensor._base  # asking the view would make it a new node
            if tensor is not None and tensor.grad_fn is not None:
                stamps(tensor.grad_fn).setdefault(STAMP, len(seen) - 1)
        node = torch._C._current_autograd_node()
        if node is None:
            seen.append(Seen(str(func)))
        else:
            seen.append(Seen(str(func), node.name(), stamps(node).get(STAMP), self.truth.inside))
        result = func(*args, **(kwargs or {}))
        found = [result] if isinstance(result, torch.Tensor) else list(result or ())
        given = [arg for arg in args if isinstance(arg, torch.Tensor)]
        self.last = [
            (weakref.ref(tensor), any(tensor is arg for arg in given))
            for tensor in found
            if isinstance(tensor, torch.Tensor) and torch.is_grad_enabled()
        ]
        return result


def truth_of(program: Callable[[Marker], object]) -> list[Seen]:
    """What happens in a program, operation by operation."""
    truth = Truth()
    with Bare(truth):
        program(truth)
    return truth.seen
