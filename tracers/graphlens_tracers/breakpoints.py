"""Which breakpoints an operation meets: its name, where it stands, and what is true of its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from graphlens_tracers.control import Breakpoint
from graphlens_tracers.operation import Chain, Operation


class Last(NamedTuple):
    """Where the operation before was, as far as a breakpoint asks for it.

    Attributes:
        frames: (code, instruction) of the user's frames, innermost first.
    """

    chain: Chain = ()
    phase: str = ""
    step: int | None = None
    frames: tuple[tuple[CodeType, int], ...] = ()


NOWHERE = Last()


class Breakpoints:
    """Those of one process, and what has to be remembered from one operation to the next."""

    def __init__(self) -> None:
        self.all: list[Breakpoint] = []
        self._last: dict[object, Last] = {}
        """By strand."""
        self._seen: dict[int, bytes] = {}
        """By breakpoint, the elements that it last compared with."""
        self._waiting: dict[object, set[int]] = {}
        """By strand, those whose place the operation is at, and whose condition is about what it makes."""
        self._met: dict[object, bool] = {}
        """By strand, whether the operation is at the place of any of them."""

    @property
    def wanted(self) -> bool:
        """Whether any of them may stop the script."""
        return any(one.enabled for one in self.all)

    def take(self, wanted: Sequence[Mapping[str, Any]]) -> None:
        """From now on these; those that are known keep their hits. Raises TypeError."""
        known = {one.number: one for one in self.all}
        self.all = [Breakpoint(**one) for one in wanted]
        for one in self.all:
            if one.number in known:
                one.hits = known[one.number].hits

    def before(self, operation: Operation) -> str:
        """Why to stop before this operation; "" for no reason."""
        why, met = "", False
        waiting = self._waiting[operation.strand] = set()
        last = self._last.get(operation.strand, NOWHERE)
        for one in self.all:
            if not one.enabled or not _is_at(operation, one, last):
                continue
            met = True
            if needs_result(one):
                if not (one.kind == "any" and operation.is_uninitialised()):
                    waiting.add(one.number)
            else:
                why = self._hit(operation, one) or why
        self.note(operation)
        self._met[operation.strand] = met
        return why

    def passed(self, operation: Operation) -> Last | None:
        """Where this operation is, if none of them can ever be met at its place in the program; else None.

        To be asked right after `before`.
        """
        if self._met.get(operation.strand, True):
            return None
        for one in self.all:
            if one.enabled and (one.kind == "any" or (one.kind == "at" and one.line >= operation.seq())):
                return None
        return self._last.get(operation.strand, NOWHERE)

    def went(self, strand: object, last: Last) -> None:
        """The operation before was one that `passed` had given this for, in the same call."""
        self._last[strand] = last

    def wants_result(self, operation: Operation) -> bool:
        """Whether one of them is about what this operation makes."""
        return bool(self._waiting.get(operation.strand))

    def after(self, operation: Operation) -> str:
        """Why to stop after this operation; "" for no reason."""
        why, waiting = "", self._waiting.pop(operation.strand, ())
        for one in self.all:
            if one.enabled and one.number in waiting:
                why = self._hit(operation, one) or why
        return why

    def note(self, operation: Operation) -> None:
        """Remember where this operation was, for the next one, as far as a breakpoint asks for it."""
        kinds = {one.kind for one in self.all if one.enabled}
        if not kinds - {"op", "any", "at"}:
            return
        self._last[operation.strand] = Last(
            operation.chain() if kinds & {"module", "name", "graph", "line"} else (),
            operation.phase() if "phase" in kinds else "",
            operation.step() if "step" in kinds else None,
            _places(operation) if "line" in kinds else (),
        )

    def _hit(self, operation: Operation, one: Breakpoint) -> str:
        """Why to stop at a breakpoint whose place this is; "" when its condition is not true."""
        if one.condition:
            frame = next(iter(operation.frames()), None)
            names = {**names_of(operation), "hits": one.hits}
            names["changed"] = lambda tensor: self._changed(operation, one.number, tensor)
            try:
                with operation.quiet():
                    known = {**frame.f_globals, **frame.f_locals} if frame is not None else {}
                    true = bool(eval(_code(one.condition), {**known, **names}))
            except Exception as error:
                one.enabled = False
                return f"the condition of breakpoint {one.number} failed: {type(error).__name__}: {error}"
            if not true:
                return ""
        one.hits += 1
        if one.hits <= one.ignore:
            return ""
        if one.temporary:
            one.enabled = False
        return f"breakpoint {one.number}"

    def _changed(self, operation: Operation, number: int, tensor: Any) -> bool:
        """Whether a tensor holds something else than when this breakpoint last looked."""
        _, data = operation.elements(tensor)
        before, self._seen[number] = self._seen.get(number), data
        return before is not None and before != data


def _is_at(operation: Operation, one: Breakpoint, last: Last) -> bool:
    """Whether an operation is where a breakpoint is; `last`: where the one before it was."""
    kind = one.kind
    if kind == "any":
        return True
    named = is_called(operation.name, one.pattern) or fnmatchcase(operation.also, one.pattern)
    if kind in ("op", "name") and named:
        return True
    if kind in ("module", "name"):
        return _enters(operation, one.pattern, last.chain)
    if kind == "line":
        return _reaches(operation, one.pattern, one.line, last)
    if kind == "at":
        return operation.seq() == one.line
    if kind == "graph":
        return last.chain != operation.chain() and fnmatchcase(operation.graph(), one.pattern)
    if kind == "phase":
        return operation.phase() == one.pattern != last.phase
    return kind == "step" and operation.step() == one.line != last.step


def _enters(operation: Operation, pattern: str, before: Chain) -> bool:
    """Whether it is the first operation of a call of a module with such a path."""
    if not operation.module():
        return False
    chain = operation.chain()
    known = 0
    while known < min(len(before), len(chain)) and before[known] == chain[known]:
        known += 1
    paths = [one.path for one in chain[known:] if hasattr(one, "path")]
    return any(is_module(path, pattern) for path in paths)


def _places(operation: Operation) -> tuple[tuple[CodeType, int], ...]:
    return tuple((frame.f_code, frame.f_lasti) for frame in operation.frames())


def _reaches(operation: Operation, file: str, line: int, last: Last) -> bool:
    """Whether the line itself runs it, or it is the first of what runs below a call on that line."""
    stands = operation.line()
    if stands is not None and stands[1] == line and is_file(stands[0], file):
        return True
    for depth, frame in enumerate(operation.frames()):
        if frame.f_lineno != line or not is_file(frame.f_code.co_filename, file):
            continue
        around = _places(operation)[depth:]
        goes_on = last.chain[:1] == operation.chain()[:1] and last.frames[-len(around) :] == around
        if depth == 0 or not goes_on:
            return True
    return False


def names_of(operation: Operation) -> dict[str, Any]:
    """What conditions and expressions may say about an operation."""
    inputs, outputs = (list(map(operation.usable, some())) for some in (operation.inputs, operation.outputs))
    names: dict[str, Any] = {f"in{k}": tensor for k, tensor in enumerate(inputs)}
    names |= {f"out{k}": tensor for k, tensor in enumerate(outputs)}
    names |= {"ins": inputs, "outs": outputs, "op": operation.name}
    names |= {"out": outputs[0]} if outputs else {}
    return {**operation.functions(), **names, "step": operation.step()}


@lru_cache(4096)
def is_called(name: str, pattern: str) -> bool:
    """Whether an operation is called so: `aten.log.default` by `log`, `aten.log`, `aten.*`, `*log*`."""
    parts = name.split(".")
    names = [name, ".".join(parts[:2]), parts[1] if len(parts) > 1 else name]
    return any(fnmatchcase(one, pattern) for one in names)


@lru_cache(4096)
def is_module(path: str, pattern: str) -> bool:
    """Whether a module has this path, with or without the name of the root: `Net.layers.0` by `layers.*`."""
    return fnmatchcase(path, pattern) or fnmatchcase(path.partition(".")[2], pattern)


@lru_cache(4096)
def is_file(path: str, name: str) -> bool:
    """Whether a file is meant by a name, or by the end of its path."""
    return path == name or path.endswith("/" + name.removeprefix("./"))


@lru_cache(256)
def _code(condition: str) -> CodeType:
    code: CodeType = compile(condition, "<condition>", "eval")
    return code


@lru_cache(256)
def _names_in(condition: str) -> frozenset[str]:
    return frozenset(_code(condition).co_names) if condition else frozenset()


def needs_result(one: Breakpoint) -> bool:
    """Whether its condition is about what the operation makes."""
    return any(name.startswith("out") for name in _names_in(one.condition))
