"""The Step screen on a stop that is made up, at an operation of a recorded run."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from graphlens.debugger import Debugger, Stop
from graphlens.prompt import Prompt
from graphlens_tracers.control import Way
from graphlens_tracers.errors import NotLive
from graphlens_tui.boxes import Box
from graphlens_tui.source import coloured
from graphlens_tui.stacking import Fill
from graphlens_tui.step_saying import reason
from screens import Screen, same_as_golden, saved, showing


def tensor(*shape: int, low: float = -1.0, high: float = 2.0, **more: Any) -> dict[str, Any]:
    """As the gate describes one."""
    numbers = {"nan": 0, "pos_inf": 0, "neg_inf": 0, "where": []}
    return {
        "shape": list(shape), "dtype": "float32", "device": "cpu", "size": 40, "min": low, "max": high,
        **numbers, **more,
    }  # fmt: skip


def frame(function: str, line: int, code: str) -> dict[str, Any]:
    """A frame of the stack."""
    return {"file": "train.py", "line": line, "function": function, "code": code, "columns": None}


def said(screen: Screen, seq: int, **more: Any) -> dict[str, Any]:
    """What the gate says at an operation of the process that is shown."""
    shown = screen.app.model.shown
    assert shown is not None
    return {
        "pid": shown.process.pid, "thread": "MainThread", "why": "breakpoint 2", "when": "before", "seq": seq,
        "op": "aten.log.default", "phase": "forward", "step": 1, "module": "Net.loss", "graph": "",
        "modules": ["Net", "Net.loss"],
        "stack": [frame("loss_fn", 12, "return -p.log().mean()"), frame("<module>", 30, "train()")],
        "inputs": [tensor(4, 10, low=0.0, high=1.0, name="Net.p"), None],
        "outputs": [], "hits": {}, "gone": [], "forward": None, **more,
    }  # fmt: skip


SOURCE = "".join(f"line_{number} = {number}\n" if number != 12 else "    return -p.log().mean()\n"
                 for number in range(1, 41))  # fmt: skip


async def hold(screen: Screen, tmp_path: Path, facts: dict[str, Any]) -> Debugger:
    """Put the app where a script would be held."""
    (tmp_path / "pages").mkdir(exist_ok=True)
    debugger = Debugger(tmp_path / "pages")
    debugger.add("aten._softmax")
    debugger.add("train.py:12")
    debugger.watch("absmax>1e4")
    debugger.enable(debugger.watch("nan").number, False)
    debugger.breakpoints[1].hits = 3
    ours, _theirs = socket.socketpair()
    held = screen.app.step.held
    held.prompt = Prompt(debugger)
    held.take(Stop(debugger, ours, facts))
    held.locals = {"p": "<torch.Tensor torch.float32 [4, 10]>", "target": "[3, 1, 4]"}
    screen.app.step._files._there = lambda file, box: coloured(SOURCE, box.palette)  # type: ignore[method-assign]
    await screen.press("2")
    screen.app._show_bars()
    await screen.rest()
    return debugger


@pytest.mark.parametrize("size", [(200, 60), (120, 40), (80, 24)])
async def test_the_screen_of_a_stop(tmp_path: Path, size: tuple[int, int]) -> None:
    async with showing(saved(tmp_path), size) as screen:
        end = screen.app.model.shown.timeline.end  # type: ignore[union-attr]  # it was recorded
        debugger = await hold(screen, tmp_path, said(screen, end))
        same_as_golden(screen.text(), f"step_{size[0]}x{size[1]}")
        debugger.close()


async def test_after_the_operation_with_infinities(tmp_path: Path) -> None:
    """What came out is said, with where it is not finite."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        end = screen.app.model.shown.timeline.end  # type: ignore[union-attr]  # it was recorded
        out = tensor(4, 10, low=-3.0, high=0.0, neg_inf=36, where=[[0, 0], [0, 1], [0, 3], [0, 4]])
        facts = said(screen, end - 1, when="after", outputs=[out], why="breakpoint 3", step=None)
        debugger = await hold(screen, tmp_path, facts)
        text = screen.text()
        assert "-∞×36" in text and "at [0,0] [0,1] [0,3] [0,4] …32 more" in text
        assert "as of this call" in text and "about to run" not in text
        debugger.close()


async def test_tab_goes_round_and_the_stack_has_frames(tmp_path: Path) -> None:
    """In a narrow terminal each frame has its turn below the source."""
    async with showing(saved(tmp_path), (80, 24)) as screen:
        end = screen.app.model.shown.timeline.end  # type: ignore[union-attr]  # it was recorded
        debugger = await hold(screen, tmp_path, said(screen, end))
        for expected in ("[execution]", "[tensors]", "[stack]"):
            await screen.press("tab")
            assert expected in screen.text()
        assert "target = [3, 1, 4]" in screen.text()
        await screen.press("j")
        assert screen.app.step.held.frame == 1
        assert screen.app.step.current() == ("train.py", 30, False)
        await screen.press("tab")
        assert "HIT 3" in screen.text() and "nan(out)" in screen.text() and "off" in screen.text()
        debugger.close()


async def test_moving_in_the_execution_looks_back(tmp_path: Path) -> None:
    """And down again to where it is held."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        end = screen.app.model.shown.timeline.end  # type: ignore[union-attr]  # it was recorded
        debugger = await hold(screen, tmp_path, said(screen, end))
        await screen.press("tab", "k", "k")
        assert screen.app.step.held.back == end - 2
        assert f"the script is held at {end}" in screen.status()
        await screen.press("j", "j")
        assert screen.app.step.held.back is None
        await screen.press("N", "U", "C")
        assert screen.app.step.held.back is not None
        debugger.close()


async def test_a_breakpoint_at_the_cursor_and_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`b` in the source is about the line, in the execution about the operation."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        end = screen.app.model.shown.timeline.end  # type: ignore[union-attr]  # it was recorded
        debugger = await hold(screen, tmp_path, said(screen, end))
        obeyed: list[str] = []
        monkeypatch.setattr(screen.app, "_is_debugger", lambda: True)
        monkeypatch.setattr(screen.app.stepper, "obey", lambda line, **_: obeyed.append(line))
        await screen.press("b", "j", "b", "tab", "b")
        assert obeyed == ["delete 2", "break train.py:13", "break op:aten.log.default"]
        debugger.close()


async def test_a_script_that_was_killed_is_said_to_be_gone(tmp_path: Path) -> None:
    async with showing(saved(tmp_path), (120, 40)) as screen:
        end = screen.app.model.shown.timeline.end  # type: ignore[union-attr]  # it was recorded
        debugger = await hold(screen, tmp_path, said(screen, end))
        stop = screen.app.step.held.stop
        assert stop is not None
        screen.app._look_at_held()  # the other end of its socket was dropped: nobody holds it
        await screen.rest()
        assert screen.app.step.held.stop is None and "killed" in screen.status()
        with pytest.raises(NotLive):
            stop.go(Way.STEP)
        debugger.close()


async def test_a_run_that_is_over_is_gone_through(tmp_path: Path) -> None:
    """The same keys, both ways, without a script; what needs one says so."""
    async with showing(saved(tmp_path), (120, 40)) as screen:
        await screen.press("G", "2")
        step = screen.app.step
        last = screen.app.model.shown.timeline.end - 1  # type: ignore[union-attr]  # it was recorded
        assert step.at() == last
        await screen.press("S", "S", "s")
        assert step.at() == last - 1
        await screen.press("C")
        assert step.at() == 0
        await screen.press("]n")
        assert step.at() == screen.app.model.ill.after(-1)
        for key in ("p", "e", "I", "b", "R"):
            await screen.press(key)
            assert len(screen.app.screen_stack) == 1, key
        await screen.press("1", "g", "j", "j", "2")  # from where the cursor in the graph is
        assert step.at() == screen.app.at == 1


def test_every_reason_has_words() -> None:
    assert reason("training-step", []) == "the next training step"
    assert reason("breakpoint 9", []) == "breakpoint 9"
    assert reason("not replaced: no", []) == "not replaced: no"


async def test_only_what_changed_is_painted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is new no line is; new variables are lines of the stack, and make no other frame anew."""
    async with showing(saved(tmp_path), (160, 50)) as screen:
        end = screen.app.model.shown.timeline.end  # type: ignore[union-attr]  # it was recorded
        step = screen.app.step
        debugger = await hold(screen, tmp_path, said(screen, end))
        painted: list[int] = []
        filled: list[str] = []
        monkeypatch.setattr(step, "refresh", lambda *regions: painted.extend(one.y for one in regions))
        for name in ("_source", "_execution", "_tensors", "_stack", "_breakpoints", "_output"):
            fill = getattr(step, name)

            def noted(box: Box, height: int, name: str = name, fill: Fill = fill) -> None:
                filled.append(name)
                fill(box, height)

            monkeypatch.setattr(step, name, noted)
        step.changed()
        await screen.rest()
        assert painted == [] and len(filled) == 6

        filled.clear()
        step.held.locals = {"p": "<torch.Tensor torch.float32 [4, 10]>", "target": "[8, 8, 8]"}
        step.changed("stack")
        await screen.rest()
        (row,) = painted
        assert filled == ["_stack"] and "target = [8, 8, 8]" in step.render_line(row).text
        debugger.close()
