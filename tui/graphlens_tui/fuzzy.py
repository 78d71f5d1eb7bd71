"""How well a few letters fit a name, or what is said of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Thing = TypeVar("Thing")
MOST = 200
"""Of what fits, the best so many."""


def score(asked: str, name: str, about: str = "") -> float | None:
    """None where a word does not fit; else the less the better.

    A word fits by being in the name, by its letters standing in the name in that order, or by being in
    what is said about it.
    """
    name, about = name.casefold(), about.casefold()
    total = 0.0
    for word in asked.casefold().split():
        at = name.find(word)
        if at >= 0:
            total += (0 if at == 0 or not name[at - 1].isalnum() else 4) + at * 0.02
        elif word in about:
            total += 8 if f" {word}" in f" {about}" else 10
        else:
            gaps = _gaps(word, name)
            if gaps is None:
                return None
            total += 12 + gaps
    return total + len(name) * 0.01


def _gaps(word: str, name: str) -> int | None:
    """How many letters stand between those of a word; None where they are not in it in that order."""
    at, gaps = -1, 0
    for letter in word:
        found = name.find(letter, at + 1)
        if found < 0:
            return None
        gaps += found - at - 1 if at >= 0 else 0
        at = found
    return gaps


def best(asked: str, things: Iterable[tuple[str, str, Thing]]) -> list[Thing]:
    """Of (name, what is said about it, thing) the things that fit, the best first."""
    scores = ((score(asked, name, about), k, thing) for k, (name, about, thing) in enumerate(things))
    fitting = [(fits, k, thing) for fits, k, thing in scores if fits is not None]
    fitting.sort(key=lambda one: one[:2])
    return [thing for _, _, thing in fitting[:MOST]]
