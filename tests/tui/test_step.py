"""The Step mode: on a stop that is made up, and on a real script that is held in a process of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from graphlens.live import Live
from graphlens.session import RunState
from graphlens_tracers.control import Breakpoint, breakpoint_of
from graphlens_tui.model import Mode
from host_processes import RECORD, record_of, script, until
from screens import Screen, showing

STEPS = """
import torch
net = torch.nn.Linear(2, 2)
def loss_of(x):
    y = net(x)
    return y.exp().mean()
for k in range(3):
    loss = loss_of(torch.ones(3, 2))
    loss.backward()
    print("step", k, flush=True)
print("weight", net.weight.grad.sum().item() == net.weight.grad.sum().item(), flush=True)
"""


@contextlib.contextmanager
def held(where: Path, text: str, breakpoints: Sequence[Breakpoint] = ()) -> Iterator[Live]:
    """A session on a script that is held at its first operation, or at the first of the breakpoints."""
    run = where / "run.glens"
    command = [*RECORD, "--pty", "--hold", "--size=24x80", "--quiet", f"--output={run}"]
    host = subprocess.Popen(
        [*command, str(script(where, text))], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        assert host.stdout is not None
        assert json.loads(host.stdout.readline())["run"] == str(run)
        session = Live(run)
        session.attach(breakpoints=breakpoints, at_start=not breakpoints)
        yield session
        session.close()
    finally:
        host.kill()
        host.communicate()


async def at(screen: Screen, op: str, when: str = "before") -> dict[str, Any]:
    """Wait until the script is held at an operation; what was said of it."""
    step = screen.app.step

    def there() -> bool:
        said = step.held.said
        return said is not None and not step.held.stop.over and (said["op"], said["when"]) == (op, when)  # type: ignore[union-attr]

    await screen.wait(there, 60)
    await screen.rest()
    said = step.held.said
    assert said is not None
    return dict(said)


async def typed(screen: Screen, text: str) -> None:
    """Type a line into the dialog that is open."""
    from textual.widgets import Input

    screen.app.screen.query_one(Input).value = text
    await screen.press("enter")


async def test_forward_the_loss_backward_and_the_next_step(tmp_path: Path) -> None:
    """One script through everything: steps, breakpoints, evaluation, changes, looking back."""
    with held(tmp_path, STEPS, [breakpoint_of("addmm", 1)]) as session:
        async with showing(session, (160, 50)) as screen:
            said = await at(screen, "aten.addmm.default")
            app = screen.app
            assert app.mode is Mode.STEP and session.state is RunState.HELD
            assert "■ held" in screen.text() and "breakpoint 1: addmm" in screen.status()
            assert "y = net(x)" in screen.text() and "about to run" in screen.text()
            assert said["module"] == "Linear"
            await screen.wait(lambda: "x = <torch.Tensor torch.float32 [3, 2]>" in screen.text())

            await screen.press("S", "S")
            back = app.step.held.back
            assert back == said["seq"] - 2 and f"looking back at op {back}" in screen.status().replace(
                "  ", " "
            )
            assert f"held at {said['seq']}" in screen.status()
            await screen.press("s")
            assert app.step.held.back is None and app.step.held.said is not None
            assert app.step.held.said["seq"] == said["seq"]

            await screen.press("e")
            await typed(screen, "x.sum() + 1")
            await screen.wait(lambda: "7." in "".join(text for text, _ in app.step.held.answers))
            await screen.press("e")
            await typed(screen, "nobody")
            await screen.wait(lambda: "NameError" in screen.text())

            await screen.press("u")
            await at(screen, "aten.exp.default")
            await screen.press("I")
            await typed(screen, "out0 = x * 0 + 2")
            after = await at(screen, "aten.exp.default", "after")
            assert (after["outputs"][0]["min"], after["outputs"][0]["max"]) == (2.0, 2.0)
            await screen.wait(lambda: "changed #" in screen.text())
            await screen.press("s")  # autograd keeps what exp made
            await at(screen, "aten.detach.default")
            await screen.press("s")
            await at(screen, "aten.mean.default")

            await screen.press("P")
            await screen.wait(
                lambda: app.step.held.said is not None and app.step.held.said["phase"] == "backward"
            )
            await screen.rest()
            await screen.press("n", "n")
            await screen.wait(lambda: (app.step.held.said or {}).get("forward") is not None, 30)
            await screen.rest()
            assert "of the forward operation" in screen.text() and "y.exp().mean()" in screen.text()
            await screen.press("c")
            again = await at(screen, "aten.addmm.default")
            assert again["seq"] > said["seq"] and "step 0" in screen.text()
            while app.step.held.section != "breakpoints":
                await screen.press("tab")
            await screen.press("enter")  # somewhere else
            await typed(screen, "exp if absmax(in0) < 1e9")
            await screen.wait(lambda: "exp if absmax(in0)" in screen.text())
            await screen.press("c")
            await at(screen, "aten.exp.default")
            session.kill()
            await screen.wait(lambda: "killed" in screen.status(), 10)


async def test_inspecting_a_live_tensor(tmp_path: Path) -> None:
    """`i` fetches the elements of the held operation's input, and expressions work on them."""
    with held(tmp_path, STEPS, [breakpoint_of("exp", 1)]) as session:
        async with showing(session, (160, 50)) as screen:
            await at(screen, "aten.exp.default")
            await screen.press("i")
            await screen.wait(lambda: screen.app.tensor.tensor is not None, 20)
            tensor = screen.app.tensor.tensor
            assert tensor is not None and tensor.view.array.shape == (3, 2)
            assert screen.app.home.SLOT == "tensor"
            await screen.press("e")
            await typed(screen, "x[:, 0] * 0 + 5")
            await screen.wait(lambda: screen.app.tensor.expression != "", 20)
            assert screen.app.tensor.tensor is not None
            assert screen.app.tensor.tensor.view.array.tolist() == [5.0, 5.0, 5.0]
            await screen.press("backspace")
            await screen.wait(lambda: screen.app.home.SLOT == "step")
            session.kill()


async def test_ctrl_c_in_the_output_while_it_is_held(tmp_path: Path) -> None:
    """The script gets it, as if it had come between two operations."""
    with held(tmp_path, STEPS) as session:
        async with showing(session, (120, 40)) as screen:
            await screen.wait(lambda: screen.app.step.held.stop is not None, 60)
            await screen.press("o", "ctrl+c")
            await screen.wait(lambda: screen.app.step.held.stop is None, 20)
            await screen.wait(lambda: session.state is RunState.FINISHED, 20)
            await screen.wait(lambda: "KeyboardInterrupt" in screen.text(), 20)


async def test_the_scripts_own_debugger(tmp_path: Path) -> None:
    """`:pdb` gives the output the keys until pdb is left; then it is held as before."""
    with held(tmp_path, STEPS, [breakpoint_of("exp", 1)]) as session:
        async with showing(session, (120, 40)) as screen:
            await at(screen, "aten.exp.default")
            await screen.press(":")
            await typed(screen, "pdb")
            await screen.wait(lambda: "(Pdb)" in screen.text(), 30)
            assert "keys go to the script" in screen.text()
            await screen.press("p", "space", "k", "enter")
            await screen.wait(lambda: "(Pdb) p k" in screen.text(), 20)
            await screen.press("c", "enter")
            await screen.wait(
                lambda: screen.app.mode is Mode.STEP and not screen.app.pane().keys_wanted(), 20
            )
            said = await at(screen, "aten.exp.default")
            assert said["when"] == "before"
            session.kill()


def test_the_script_goes_on_when_the_debugger_is_killed(tmp_path: Path) -> None:
    """The held thread sees that nobody is there; it is not held again, and ends as it would have."""
    run = tmp_path / "run.glens"
    command = [*RECORD, "--pty", "--hold", "--size=24x80", "--quiet", f"--output={run}"]
    host = subprocess.Popen([*command, str(script(tmp_path, STEPS))], stdout=subprocess.PIPE)
    try:
        assert host.stdout is not None
        host.stdout.readline()
        code = (
            "import time\nfrom graphlens.live import Live\n"
            "from graphlens_tracers.control import breakpoint_of\n"
            f"live = Live(__import__('pathlib').Path({str(run)!r}))\n"
            "debugger = live.attach(breakpoints=[breakpoint_of('addmm', 1)], at_start=False)\n"
            "print(debugger.wait(60).said['op'], flush=True)\ntime.sleep(600)\n"
        )
        ui = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert ui.stdout is not None
        assert ui.stdout.readline().strip() == "aten.addmm.default"
        ui.kill()
        ui.communicate()
        until(lambda: record_of(run)["state"] == "finished")
        assert record_of(run)["exit_code"] == 0
    finally:
        host.kill()
        host.communicate()


async def test_pausing_a_script_that_runs(tmp_path: Path) -> None:
    """`p` stops it at its next operation, and leaving lets it go on."""
    endless = "import torch, time\nx = torch.ones(3)\nwhile True:\n    x = x * 1\n    time.sleep(0.01)\n"
    run = tmp_path / "run.glens"
    command = [*RECORD, "--pty", "--size=24x80", "--quiet", f"--output={run}", str(script(tmp_path, endless))]
    host = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert host.stdout is not None
        host.stdout.readline()
        session = Live(run)
        async with showing(session, (80, 24)) as screen:
            await screen.wait(lambda: screen.app.model.shown is not None, 60)
            await screen.press("p")
            said = await at(screen, "aten.mul.Tensor")
            assert said["why"] == "pause" and "paused" in screen.status()
            await screen.press("q", "l")
        before = session.run.main.end
        session.detach()
        until(lambda: session.run.refresh() is not None and session.run.main.end > before)
        session.kill()
        session.close()
    finally:
        host.kill()
        host.communicate()
