"""What a frame of the terminal UI costs, whatever the size of the run. CPU milliseconds, in a terminal
that throws away what is drawn; the time to the first screen of a run of a million operations."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from textual.pilot import Pilot

from factories import write_run
from graphlens.session import Saved
from graphlens_tui.app import GraphlensApp
from graphlens_tui.listing import Opened

FRAMES = 60
SIZES = ((80, 24), (200, 60))


async def quiet(pilot: Pilot[Opened]) -> None:
    """Let everything that is under way come to its end."""
    await pilot.pause(0.3)
    await pilot.pause()


async def frames(pilot: Pilot[Opened], app: GraphlensApp, name: str, lines: int) -> None:
    """Print what a frame costs when the cursor moves by so many lines."""
    costs = []
    for _ in range(FRAMES):
        began = time.process_time()
        app.graph.move(lines)
        await pilot.pause()
        costs.append((time.process_time() - began) * 1000)
    await quiet(pilot)
    slowest = statistics.quantiles(costs, n=20)[-1]
    print(f"  {name:34} median {statistics.median(costs):6.2f} ms   19 of 20 below {slowest:6.2f} ms")


async def scrolling(path: Path, size: tuple[int, int]) -> None:
    """Frames at one size of the terminal."""
    session = Saved(path)
    app = GraphlensApp(session)
    async with app.run_test(size=size) as pilot:
        await quiet(pilot)
        print(f"{session.run.main.op_count:,} ops, {size[0]}x{size[1]}")
        app.graph.move(50_000)
        await quiet(pilot)
        await frames(pilot, app, "a line, the cursor at the bottom", 1)
        await frames(pilot, app, "a line, the cursor in the middle", -1)
        await frames(pilot, app, "a page", app.graph.rows)
        await frames(pilot, app, "far away", -777)
    session.close()


async def first_screen(path: Path, size: tuple[int, int]) -> None:
    """From opening the files to the first operation on the screen."""
    wall, cpu = time.perf_counter(), time.process_time()
    session = Saved(path)
    app = GraphlensApp(session)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        drawn = "".join(segment.text for segment in app.graph.render_line(3))
        assert "●" in drawn or "○" in drawn, drawn
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{session.run.main.op_count:,} ops, {size[0]}x{size[1]}")
        print(f"  {'first screen':34} {cpu * 1000:6.0f} ms CPU, {wall * 1000:.0f} ms on the clock")
        await quiet(pilot)
    session.close()


def main() -> None:
    """Two runs, two sizes."""
    with tempfile.TemporaryDirectory() as folder:
        large = write_run(Path(folder) / "large.glens", nodes=1000, steps=103, nan_from=50)
        for size in SIZES:
            asyncio.run(scrolling(large, size))
        huge = write_run(Path(folder) / "huge.glens", nodes=1000, steps=1027, nan_from=500)
        for size in SIZES:
            asyncio.run(first_screen(huge, size))


if __name__ == "__main__":
    main()
