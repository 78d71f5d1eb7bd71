"""The Tensor mode on the screen: gone to, waited for, and read back as numbers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np

import graphlens
from graphlens.session import Saved
from graphlens_tracers.events import Seq
from graphlens_tui.tensors import Tensor
from recorded import ops
from screens import Screen, showing

Truth = dict[str, list[np.ndarray[Any, Any]]]


@contextlib.asynccontextmanager
async def tensor(
    run: Path, op: str, nth: int = 0, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Screen]:
    """The mode on the n-th operation of a name, gone to from the graph."""
    names = ops(graphlens.load(run).main)
    seq = [k for k, name in enumerate(names) if name == op][nth]
    async with showing(Saved(run), size) as screen:
        screen.app.go_to(Seq(seq))
        await screen.rest()
        await screen.press("3")
        await known(screen)
        yield screen


async def known(screen: Screen) -> Tensor:
    """Until the tensor was measured."""

    def measured() -> bool:
        pane = screen.app.tensor
        return pane.tensor is not None and pane.tensor.statistics is not None

    await screen.wait(measured)
    await screen.rest()
    found = screen.app.tensor.tensor
    assert found is not None
    return found


def frame(screen: Screen, title: str) -> list[str]:
    """The lines inside of the frame whose title begins so."""
    lines = screen.text().splitlines()
    top = next(k for k, line in enumerate(lines) if f"─ {title}" in line)
    left = lines[top].index(f"─ {title}") - 1
    right = min(at for at in (lines[top].find("╮", left),) if at > 0)
    found: list[str] = []
    for line in lines[top + 1 :]:
        if line[left] == "╰":
            return found
        found.append(line[left + 1 : right].rstrip())
    raise AssertionError(f"{title} has no end")


def cells(screen: Screen, title: str = "values") -> list[list[str]]:
    """The numbers in a frame, a list a row, without labels, and without the cursor's mark."""
    return [line.replace("▶", " ").split()[1:] for line in frame(screen, title)[1:] if line.strip()]


def header(screen: Screen) -> str:
    """What stands above the frames."""
    return " ".join(screen.text().splitlines()[1:3])


async def ask(screen: Screen, key: str, words: str) -> None:
    """Type a line after a key; what stands there is typed over."""
    from textual.widgets import Input

    await screen.press(key)
    screen.app.screen.query_one(Input).value = words
    await screen.press("enter")
    await screen.rest(0.1)
