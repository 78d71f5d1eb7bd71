"""The epoch that a script is in is what its loop counts with, and looking at it changes nothing."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from graphlens_tracers.epochs import epoch_at
from graphlens_tracers.sites import Place


def now() -> int | None:
    """The epoch that whoever calls this is in."""
    at: FrameType | None = sys._getframe(1)
    stack: list[Place] = []
    while at is not None:
        stack.append((at.f_code, at.f_lasti))
        at = at.f_back
    return epoch_at(stack, sys._getframe())


def plain(epochs: int) -> list[int | None]:
    found = []
    for epoch in range(epochs):  # noqa: B007  # it is read from outside
        for _ in range(2):
            found.append(now())
    return found


def from_one(epochs: int) -> list[int | None]:
    found = []
    for epoch_number, _ in zip(range(1, epochs + 1), "abc", strict=False):  # noqa: B007  # as above
        found.append(now())
    found.append(now())
    return found


def called(epochs: int) -> list[int | None]:
    def step() -> int | None:
        return now()

    found = []
    for index, (Epoch, _) in enumerate(zip(range(epochs), range(9), strict=False)):  # noqa: B007  # as above
        found += [step() for _ in range(index + 1)]
    return found


def yields(epochs: int) -> Iterator[int | None]:
    """An epoch of a generator is one only for what the generator calls."""
    for epoch in range(epochs):  # noqa: B007  # as above
        yield now()


def captured(epochs: int) -> list[int | None]:
    found = []
    for epoch in range(epochs):
        found.append((lambda: now() if epoch >= 0 else None)())
    return found


def shown(epochs: int) -> list[int | None]:
    """It may show the copy of its names that we would have to clear."""
    found = []
    for epoch in range(epochs):  # noqa: B007  # as above
        found.append(now() if "epoch" in locals() else None)
    return found


def other(epochs: int) -> list[int | None]:
    found = []
    for k in range(epochs):
        found.append(now() if k >= 0 else 0)
    for epoch_name in ("first", "second")[:epochs]:
        found.append(now() if epoch_name else 0)
    return found


def long(epochs: int) -> list[int | None]:
    """A loop that is longer than one byte of a jump can say."""
    names: dict[str, Any] = {"now": now, "found": [], "epochs": epochs}
    exec("for epoch in range(epochs):\n    found.append(now())\n" + "    more = found\n" * 400, names)
    found: list[int | None] = names["found"]
    return found


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        (plain, [0, 0, 1, 1]),
        (from_one, [1, 2, None]),
        (called, [0, 1, 1]),
        (lambda epochs: list(yields(epochs)), [0, 1]),
        (captured, [0, 1]),
        (other, [None] * 4),
        (long, [0, 1]),
        (shown, [0, 1] if sys.version_info >= (3, 13) else [None, None]),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_the_innermost_loop_that_is_called_so(loop: Any, expected: list[int | None]) -> None:
    assert loop(2) == expected


def test_a_script_and_its_global_names() -> None:
    """At its top, and in a function that counts with a global name."""
    names: dict[str, Any] = {"now": now, "found": []}
    exec(
        "for epoch in range(2):\n    found.append(now())\n"
        "def run():\n    global epoch\n    for epoch in range(5, 7):\n        found.append(now())\n"
        "run()\n",
        names,
    )

    assert names["found"] == [0, 1, 5, 6]


def test_nothing_is_kept_alive() -> None:
    """The frame's copy of its names holds nothing afterwards."""

    class Thing:
        """Something whose end can be noticed."""

    for epoch in range(1):
        thing = Thing()
        seen = weakref.ref(thing)
        assert now() == epoch
        del thing
        assert seen() is None
