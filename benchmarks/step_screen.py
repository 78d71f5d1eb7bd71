"""What a step of the debugger costs in the terminal: from the key to the screen that shows the next stop.

Milliseconds on the clock, and CPU milliseconds of the UI's process for everything that a stop sets off. The
script is a real one, held at its first operations.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from textual.pilot import Pilot

import graphlens_tui.app
from graphlens.live import Live
from graphlens_tui.app import GraphlensApp
from graphlens_tui.listing import Opened
from graphlens_tui.stepper import Stopped

ROOT = Path(__file__).parent.parent
STEPS = 200
SETTLED = 0.15
"""Seconds after a stop in which all that it sets off is done."""
NAMES = ("from the key to the screen", "from the stop to the screen", "CPU of the UI in all")
SIZES = ((80, 24), (200, 60))


@contextmanager
def held(folder: Path) -> Iterator[Live]:
    """A session on a training script that waits at its first operation."""
    run = folder / "held.glens"
    command = [
        sys.executable,
        "-P",
        "-m",
        "graphlens",
        "record",
        "--pty",
        "--hold",
        "--size=24x80",
        "--quiet",
    ]
    host = subprocess.Popen(
        [*command, f"--output={run}", str(ROOT / "examples" / "digits.py")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert host.stdout is not None
        host.stdout.readline()
        session = Live(run)
        session.attach(breakpoints=[], at_start=True)
        yield session
        session.close()
    finally:
        host.kill()
        host.communicate()


class Watched(GraphlensApp):
    """The app, which notes when a frame with the newest stop has left for the terminal."""

    CSS_PATH = str(Path(graphlens_tui.app.__file__).with_name("app.tcss"))
    drawn: tuple[int, float] = (-1, 0.0)
    came: float = 0.0

    def on_stopped(self, event: Stopped) -> None:
        self.came = time.perf_counter()
        super().on_stopped(event)

    def _display(self, screen: object, renderable: object) -> None:
        super()._display(screen, renderable)  # type: ignore[arg-type]  # as Textual calls it
        said = self.step.held.said
        if said is not None and said["seq"] != self.drawn[0] and self.step._strips is not None:
            self.drawn = (said["seq"], time.perf_counter())


async def step(pilot: Pilot[Opened], app: Watched) -> tuple[float, float, float]:
    """One step, in milliseconds; see NAMES."""
    before = app.drawn[0]
    began, cpu = time.perf_counter(), time.process_time()
    app.do_step_into()
    while app.drawn[0] == before:
        await asyncio.sleep(0.0005)
    took, drawing = app.drawn[1] - began, app.drawn[1] - app.came
    await asyncio.sleep(SETTLED)
    return took * 1000, drawing * 1000, (time.process_time() - cpu) * 1000


async def stepping(size: tuple[int, int]) -> None:
    """Steps at one size of the terminal."""
    with tempfile.TemporaryDirectory() as folder, held(Path(folder)) as session:
        app = Watched(session)
        async with app.run_test(size=size) as pilot:
            while app.drawn[0] < 0:
                await pilot.pause(0.1)
            for _ in range(20):
                await step(pilot, app)
            found = [await step(pilot, app) for _ in range(STEPS)]
            print(f"{size[0]}x{size[1]}")
            for name, costs in zip(NAMES, zip(*found, strict=True), strict=True):
                slowest = statistics.quantiles(costs, n=100)[-1]
                print(f"  {name:34} median {statistics.median(costs):6.2f} ms", end="")
                print(f"   99 of 100 below {slowest:6.2f} ms")
            session.kill()


if __name__ == "__main__":
    print("a step of the debugger")
    for one in SIZES:
        asyncio.run(stepping(one))
