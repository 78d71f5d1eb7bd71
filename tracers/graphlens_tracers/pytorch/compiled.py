"""torch.compile: said where it is asked for, and each compiled graph as one operation where it is left on.

By default the environment keeps TorchDynamo off, so that the operations inside are seen. Otherwise
every graph that it compiles is a region: what goes in, what comes out, and how long it took. Its
operations never reach a dispatch mode as they are, so they are counted, not recorded.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, wraps
from threading import get_ident
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import torch

from graphlens_tracers.api import SET_BY_US
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import Tensors, collect
from graphlens_tracers.pytorch.record import Before, results_of
from graphlens_tracers.pytorch.turns import Turn

if TYPE_CHECKING:  # they hold what is made here
    from graphlens_tracers.pytorch.dispatch import Dispatch
    from graphlens_tracers.pytorch.strand import Strand

_BACKWARD = "CompiledFunctionBackward"


class Region:
    """A compiled graph, in the place of an operator: "compiled.Net.forward".

    Attributes:
        inside: How many operations it holds; 0: not known.
        backward: Its derivative; None for one that is a derivative itself.
    """

    def __init__(
        self, name: str, inside: int, held: Sequence[torch.Tensor] = (), backward: Region | None = None
    ) -> None:
        """`held`: tensors that it reads or writes and is not given, as a compiled optimizer its state."""
        self.name = name
        self.inside = inside
        self.backward = backward
        self._held = [weakref.ref(tensor) for tensor in held]

    def held(self) -> list[torch.Tensor]:
        """Tensors that it reads or writes and is not given: its last arguments."""
        return [tensor for ref in self._held if (tensor := ref()) is not None]

    def __str__(self) -> str:
        return self.name


class _Run:
    """A run of a region that is under way."""

    __slots__ = ("args", "before", "began", "region", "versions")

    def __init__(self, region: Region, args: tuple[Any, ...]) -> None:
        self.region = region
        self.args = args
        self.before: Before | None = None
        self.versions = [_version(arg) for arg in args]
        self.began = perf_counter_ns()


def _version(given: Any) -> int | None:
    try:
        return int(given._version) if isinstance(given, torch.Tensor) else None
    except RuntimeError:
        return None  # made in inference mode: it has none


class Regions:
    """Runs the compiled regions of one strand, each as one operation."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._backwards: list[_Run] = []

    def run(self, region: Region, inner: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """What `inner` gives for these arguments."""
        if not self._seen(region):
            return inner(*args)
        run = self._begin(region, (*args, *region.held()))
        try:
            result = inner(*args)
        except BaseException as error:
            self._resume()
            if run.before is not None:
                self._dispatch._raised(region, run.args, {}, run.began, error)
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
            raise
        self._end(run, result)
        self._watch(region, result)
        return result

    def abandon(self) -> None:
        """The backward is over: one that raised has not come to its end."""
        if self._backwards:
            self._backwards.clear()
            self._resume()

    def _seen(self, region: Region) -> bool:
        dispatch = self._dispatch
        if get_ident() == dispatch.quick_thread:
            return True
        # Recording may begin here.
        return dispatch.idle and not self._backwards and dispatch._turn(region) is Turn.ALONE

    def _begin(self, region: Region, args: tuple[Any, ...]) -> _Run:
        dispatch, run = self._dispatch, _Run(region, args)
        try:
            with compat.without_modes():
                if dispatch._ready(region):
                    run.before = dispatch._look_around(region, args, {})
        except Exception as error:
            dispatch.could_not(region, error)
            run.before = None
        dispatch.idle = True  # what the region dispatches is inside of it
        run.began = perf_counter_ns()
        return run

    def _resume(self) -> None:
        self._dispatch.idle = self._dispatch.failed

    def _end(self, run: _Run, result: Any) -> None:
        took = perf_counter_ns() - run.began
        self._resume()
        dispatch, region, before = self._dispatch, run.region, run.before
        if before is None:
            return
        try:
            with torch.no_grad(), compat.without_modes():
                changed = [k for k, version in enumerate(run.versions) if version != _version(run.args[k])]
                before.info.writes = tuple(changed)
                before = replace(before, written=[run.args[k] for k in changed])
                results = results_of(result, before.written)
                place = dispatch._place(before, results, run.began, took)
            dispatch.recorder.await_autograd(results, before.written, place)
            words = (
                "operations inside of compiled regions" if region.inside else "backwards of compiled regions"
            )
            dispatch.sink.gap("compiled", words, region.inside or 1)
        except Exception as error:
            dispatch.could_not(region, error)

    # ── backward ─────────────────────────────────────────────────────────────────────────────

    def _watch(self, region: Region, result: Any) -> None:
        """Make the region's own autograd node tell when its backward begins and ends."""
        if region.backward is None or compat.compiled_autograd():
            return
        found: Tensors = []
        collect(result, found)
        nodes = [compat.node_of(tensor) for tensor in found]
        for node in {
            id(node): node for node in nodes if node is not None and node.name() == _BACKWARD
        }.values():
            node.register_prehook(partial(self._backward_begins, region.backward))
            node.register_hook(self._backward_ended)

    def _backward_begins(self, region: Region, grads: tuple[Any, ...]) -> None:
        if self._seen(region):
            self._backwards.append(self._begin(region, tuple(grads)))

    def _backward_ended(self, results: tuple[Any, ...], _grads: tuple[Any, ...]) -> None:
        if self._backwards:
            self._end(self._backwards.pop(), results)


# ── where torch.compile is asked for ─────────────────────────────────────────────────────────


def unless_compiling(hook: Callable[..., Any]) -> Callable[..., Any]:
    """The hook, for TorchDynamo to trace through: it does nothing while a graph is being compiled."""

    def quiet(*args: Any) -> Any:
        return None if torch.compiler.is_compiling() else hook(*args)

    compat.leave_uncompiled(quiet, callees=True)
    return quiet


@contextmanager
def _enabled() -> Iterator[None]:
    """Without what we have set so that the script's own regions run uncompiled."""
    held = os.environ.pop("TORCHDYNAMO_DISABLE", None)
    try:
        yield
    finally:
        if held is not None:
            os.environ["TORCHDYNAMO_DISABLE"] = held


def wrap(here: Callable[[], Strand | None], gap: Callable[[str, str], None]) -> list[Callable[[], object]]:
    """Put ourselves where regions are made; gives what undoes it.

    Args:
        here: The strand of this thread.
        gap: Said, as (kind, what), for every region that is not compiled.
    """
    original = torch.compile
    undo: list[Callable[[], object]] = [partial(setattr, torch, "compile", original)]
    if "TORCHDYNAMO_DISABLE" in os.environ.get(SET_BY_US, "").split():
        undo.append(compat.let_operators_compile(_enabled))
    graphs: list[Any] = []

    @wraps(original)
    def around_compile(*args: Any, **kwargs: Any) -> Any:
        given = args[0] if args else kwargs.get("model")  # None: a decorator is asked for, which comes again
        if given is not None and os.environ.get("TORCHDYNAMO_DISABLE") == "1":
            what = "regions given to torch.compile run uncompiled, so that their operations are seen"
            gap("compiled", what)
        try:
            made = original(*args, **kwargs)
        except BaseException as error:
            # Without our frame, as in `Dispatch`.
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
            raise
        if not graphs and (graph := compat.compiled_graph()) is not None:
            graphs.append(graph)
            undo.append(_wrap_backends(graph, here))
        return made

    torch.compile = around_compile
    return undo


def _attribute(module: Any, path: str) -> Any:
    for part in path.split("."):
        module = getattr(module, part, None)
    return module


def _wrap_backends(graph: Any, here: Callable[[], Strand | None]) -> Callable[[], object]:
    """From now on what a backend makes of a graph is run as a region."""
    original = graph.call_user_compiler
    on = [True]

    @wraps(original)
    def around_backend(self: Any, module: Any, *rest: Any) -> Any:
        nodes = list(module.graph.nodes)
        held = [_attribute(module, node.target) for node in nodes if node.op == "get_attr"]
        made = original(self, module, *rest)
        if not on or isinstance(getattr(made, "__self__", made), torch.fx.GraphModule):
            return made  # not compiled: its operations are seen as they run
        name = f"compiled.{compat.compiled_name(self)}"
        inside = sum(node.op.startswith("call_") for node in nodes)
        tensors = [one for one in held if isinstance(one, torch.Tensor)]
        region = Region(name, max(inside, 1), tensors, Region(f"{name}.backward", 0))

        def around_region(*args: Any) -> Any:
            strand = here() if on else None
            if strand is None or strand.sink is None or not strand.seen:
                return made(*args)
            return strand.regions.run(region, made, args)

        return around_region

    graph.call_user_compiler = around_backend

    def undo() -> None:
        on.clear()
        graph.call_user_compiler = original

    return undo
