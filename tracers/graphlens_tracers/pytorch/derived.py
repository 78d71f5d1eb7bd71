"""Ranges that need not be looked at: a monotone operation takes the extremes of its input to its own.

The range of `x * 0.9` is that of `x` times 0.9, rounded as the operation rounds: float32 numbers are
combined in float64 and rounded once, which for these operations gives what float32 arithmetic gives.
It only holds where the input's range is known for sure: it was looked at when the input was made, and
nothing has been written since. Anything that is not finite then is looked at after all.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

_SINGLE = struct.Struct("<f")


class Rule(NamedTuple):
    """`value` in terms of x, an extreme of the input, and k, the number that is the second argument."""

    value: str
    when: str = ""  # a condition on s, (value, low, high) of the input, and on k
    turns: bool = False  # the larger input may give the smaller result


_NUMBER = {
    "mul": Rule("{x} * k", turns=True),
    "div": Rule("{x} / k", when="k != 0", turns=True),
    "add": Rule("{x} + k"),
    "sub": Rule("{x} - k"),
}
RULES: dict[str, Rule] = {
    **{f"aten.{name}{place}.Tensor": rule for name, rule in _NUMBER.items() for place in ("", "_")},
    **{f"aten.sqrt{place}.default": Rule("root({x})", when="s[1] >= 0.0") for place in ("", "_")},
    **{f"aten.neg{place}.default": Rule("-{x}", turns=True) for place in ("", "_")},
    **{f"aten.relu{place}.default": Rule("{x} if {x} > 0.0 else 0.0") for place in ("", "_")},
    "aten.clone.default": Rule("{x}"),
}
"""By operation. Other arguments than an input and a number are not provided for."""


def rule_for(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Rule | None:
    """The rule for a call of this operation; None when it has to be looked at."""
    rule = RULES.get(name)
    if rule is None:
        return None
    numbers = args[1:]
    if name == "aten.clone.default":
        return rule if not numbers else None
    if kwargs or len(numbers) != ("k" in rule.value) or not all(type(n) in (int, float) for n in numbers):
        return None
    return rule


def single(number: float) -> float | None:
    """The number as float32 arithmetic sees it; None when it is too large for that."""
    try:
        found: float = _SINGLE.unpack(_SINGLE.pack(number))[0]
    except OverflowError:
        return None
    return found
