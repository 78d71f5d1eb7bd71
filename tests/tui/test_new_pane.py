"""A new pane is one file: it is found, shown beside the graph, told what is selected, and has help."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import graphlens_tui.panes
from screens import saved, showing

COUNTING = '''
"""How many operations there are up to the selected one."""

from rich.segment import Segment

from graphlens_tui.palette import style
from graphlens_tui.panes import TextPane


class CountingPane(TextPane):
    """One line."""

    TITLE, SLOT, ORDER = "counting", "side", 9
    HELP = "It counts operations."

    def show(self, at, call=None):
        look = style(self.palette.bright, self.palette.ground)
        self.set_lines([[Segment("none" if at is None else f"{at + 1} operations up to here", look)]])


PANE = CountingPane
'''


async def test_a_pane_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the file: no other one names it."""
    (tmp_path / "counting.py").write_text(COUNTING)
    monkeypatch.setattr(graphlens_tui.panes, "__path__", [*graphlens_tui.panes.__path__, str(tmp_path)])
    try:
        async with showing(saved(tmp_path), (160, 50)) as screen:
            assert "─ counting ─" in screen.text()
            await screen.press("g", "j", "j", "j")
            seq = screen.app.at
            assert seq is not None and f"{seq + 1} operations up to here" in screen.text()
            for _ in screen.app.panes:
                await screen.press("tab")
                if screen.app.pane().TITLE == "counting":
                    break
            assert screen.app.pane().TITLE == "counting"
            await screen.press("?")
            for _ in range(60):
                if "It counts operations." in screen.text():
                    return
                await screen.press("ctrl+d")
            raise AssertionError("the help does not have it")
    finally:
        sys.modules.pop("graphlens_tui.panes.counting", None)
