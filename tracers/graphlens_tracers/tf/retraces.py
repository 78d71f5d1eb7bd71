"""Why TensorFlow traced a Python function once more: which of its arguments is not as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from graphlens_tracers.tf import compat

Which = int | Callable[[], object]
"""Of an argument that is told by more than words: its hash, or a weak reference to it."""
Signature = dict[str, tuple[str, Which]]
"""By argument, or part of one: what it is."""
NEW = "the same arguments, but another tf.function, device or strategy"
_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_NUMBERED = re.compile(
    r"^((?:__(?:inference|forward|backward)_+)*)(.*?)(?:_\d+)*(?:_rewritten)?(_grad)?(?:_\d+)*$"
)
_LONGEST = 60
"""Characters of a Python value that are said."""


def family_of(name: str) -> str:
    """The Python function's name, by the runtime's; a gradient's says that it is one."""
    match = _NUMBERED.match(name)
    if match is None or not match[2]:
        return name
    return match[2] + (match[3] or "") + (".backward" if "backward" in match[1] else "")


class Traces:
    """The signatures of all traces, by the name of their Python function. Nothing of the script's is held."""

    def __init__(self) -> None:
        self._known: dict[str, list[Signature]] = {}

    def because(self, function: str, made: Any) -> str:
        """What of a new trace's arguments is not as in any before; "" for the first of its function.

        Args:
            made: What was traced; its `function_type` says of which arguments.
        """
        signature = dict(signature_of(made.function_type))
        known = self._known.setdefault(function, [])
        # Another function may have the same name: then its arguments most likely have others.
        before = [one for one in known if roots(one) & roots(signature) or not one or not signature]
        known.append(signature)
        if not before:
            return ""
        return min((differences(signature, one) for one in reversed(before)), key=len)[0]


def roots(signature: Signature) -> set[str]:
    """The names of arguments."""
    return {name.partition("[")[0].partition(".")[0] for name in signature}


def differences(new: Signature, old: Signature) -> list[str]:
    """In words, every argument that differs."""
    found = []
    for name in [*new, *(name for name in old if name not in new)]:
        (said, which), (was, whose) = new.get(name, ("", 0)), old.get(name, ("", 0))
        if said != was:
            found.append(f"{name}: {said or 'not given'}, was {was or 'not given'}")
        elif not _is_same(which, whose):
            found.append(f"{name}: another {said}")
    return found or [NEW]


def _is_same(one: Which, other: Which) -> bool:
    if callable(one) and callable(other):
        return one() is not None and one() is other()
    return one == other


def signature_of(function_type: Any) -> Iterator[tuple[str, tuple[str, Which]]]:
    """Each part of each argument of a traced function."""
    for parameter in function_type.parameters.values():
        yield from _parts(parameter.name, parameter.type_constraint)


def _parts(name: str, kind: Any) -> Iterator[tuple[str, tuple[str, Which]]]:
    match type(kind).__name__:
        case "Literal":
            value = kind.value
            plain = repr(value) if isinstance(value, _PLAIN) else type(value).__name__
            yield name, (plain[:_LONGEST], 0 if isinstance(value, _PLAIN) else hash(kind))
        case "Weakref":
            yield name, (type(kind._ref()).__name__, kind._ref)
        case "Dict":
            yield name, (f"dict of {len(kind.mapping)}", 0)
            for key, inner in kind.mapping.items():
                yield from _parts(f"{name}[{key!r}]" if isinstance(key, _PLAIN) else name, inner)
        case "Tuple" | "List":
            inside = kind.components if hasattr(kind, "components") else kind.components_tuple.components
            yield name, (f"{type(kind).__name__.lower()} of {len(inside)}", 0)
            for at, inner in enumerate(inside):
                yield from _parts(f"{name}[{at}]", inner)
        case "NamedTuple" | "Attrs":
            named = getattr(kind, "named_attributes", kind)
            yield name, (named.type_name, 0)
            for key, inner in zip(named.attribute_names, named.attributes.components, strict=True):
                yield from _parts(f"{name}.{key}", inner)
        case "TensorSpec":
            yield name, (compat.described(kind), 0)
        case other:
            shape = compat.described(kind) if hasattr(kind, "dtype") and hasattr(kind, "shape") else ""
            yield name, (f"{other} {shape}".strip(), 0)
