"""Large operations on lists of tensors, run a few tensors at a time.

Each operation of an optimizer passes over all parameters, which no cache holds, and to look at what
it has written would be one more pass over memory. On a CPU such an operation is a loop over its
lists: run in parts, what a part has written is looked at while it still is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import torch

from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import PLAIN, Tensors
from graphlens_tracers.pytorch.looks import Looks
from graphlens_tracers.pytorch.numerics import Ranges
from graphlens_tracers.pytorch.plan import Place

PART = 4 << 20
"""Bytes from which on a part is looked at: about what a core has of its cache for itself."""
LARGE = 2 * PART
"""Bytes of all outputs from which on it pays."""


class Parts:
    """The parts of one place's operation; `of` says whether it has some."""

    def __init__(self, looks: Looks, place: Place, results: Tensors) -> None:
        self._looks = looks
        self._node = node = place.node
        self._whole = [(slice(None), node.ranged)]
        self._parts: list[tuple[slice, Ranges]] = []
        first = size = 0
        for nth, tensor in enumerate(results, 1):
            size += tensor.nbytes
            if size >= PART or nth == len(results):
                looked = tuple(one for one in node.ranged if first <= one[0] < nth)
                self._parts.append((slice(first, nth), looked))
                first, size = nth, 0

    @classmethod
    def of(
        cls, looks: Looks, place: Place, args: tuple[Any, ...], kwargs: dict[str, Any], results: Tensors
    ) -> Parts | None:
        """None where an operation is not a loop over lists, or what it makes fits into the cache."""
        info = place.node.info
        if not info.name.startswith("aten._foreach_") or info.writes not in ((), (0,)):
            return None
        if not place.node.ranged or sum(tensor.nbytes for tensor in results) < LARGE:
            return None
        lists = [arg for arg in args if isinstance(arg, (list, tuple))]
        others = [arg for arg in (*args, *kwargs.values()) if isinstance(arg, torch.Tensor)]
        every = [tensor for given in lists for tensor in given if isinstance(tensor, torch.Tensor)]
        fits = (
            all(len(given) == len(results) for given in lists)
            and not any(isinstance(arg, (list, tuple)) for arg in kwargs.values())
            and not any(tensor.ndim for tensor in others)  # of more, each belongs to one of the list
            and all(type(t) in PLAIN and t.layout is torch.strided and t.is_cpu for t in (*every, *results))
            # No part writes what was looked at after an earlier one.
            and len({tensor.untyped_storage() for tensor in results}) == len(results)
        )
        return cls(looks, place, results) if fits else None

    def cuts(self) -> list[tuple[slice, Ranges]]:
        """Which tensors run together, and their ranges: all of them where a mode of the script's looks on."""
        seen_on = compat.mode_stack is None or bool(compat.mode_stack())
        return self._whole if seen_on else self._parts

    def run(
        self, run: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, int, Exception | None]:
        """What the operation returns, for how many nanoseconds it ran, and why a look failed."""
        looks, node = self._looks, self._node
        before = looks.mark()
        took, made, failure = 0, None, None
        try:
            for part, ranged in self.cuts():
                given = [arg[part] if isinstance(arg, (list, tuple)) else arg for arg in args]
                began = perf_counter_ns()
                more = run(*given, **kwargs)
                took += perf_counter_ns() - began
                if more is not None:
                    made = more if made is None else made + more
                if failure is None:
                    try:
                        looks.look(node, args[0] if made is None else made, given, kwargs, ranged)
                    except Exception as error:
                        failure = error
        except BaseException as error:
            looks.undo(node, before)
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
            raise
        return made, took, failure
