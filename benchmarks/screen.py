"""What a frame of the terminal UI costs, whatever the size of the run, in a terminal that throws it away.

Frames are CPU milliseconds of the thread that draws. The first screen of a run of a million operations is
measured in a process of its own, from its first line to the first frame with operations, with its memory.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from textual.pilot import Pilot

import graphlens_tui.app
from factories import write_run
from graphlens.session import Saved
from graphlens_tracers.events import Seq
from graphlens_tui.app import GraphlensApp
from graphlens_tui.listing import Opened

FRAMES = 60
SIZES = ((80, 24), (200, 60))
IDLE = 10.0
"""Seconds in which nobody does anything."""
DIGITS = Path(__file__).parent.parent / "examples" / "digits.py"


async def quiet(pilot: Pilot[Opened]) -> None:
    """Let everything that is under way come to its end."""
    await pilot.pause(0.6)
    await pilot.pause()


async def frames(pilot: Pilot[Opened], name: str, work: Callable[[], object], many: int = FRAMES) -> None:
    """Print what it costs to do something, and to draw what comes of it."""
    costs = []
    for _ in range(many):
        began = time.thread_time()
        work()
        await pilot.pause()
        costs.append((time.thread_time() - began) * 1000)
    await quiet(pilot)
    text = f"  {name:40} median {statistics.median(costs):6.2f} ms"
    slowest = statistics.quantiles(costs, n=20)[-1] if many >= 20 else max(costs)
    print(f"{text}   {'19 of 20 below' if many >= 20 else 'the slowest'} {slowest:6.2f} ms")


@asynccontextmanager
async def opened(path: Path, size: tuple[int, int]) -> AsyncIterator[tuple[Pilot[Opened], GraphlensApp]]:
    """The app on a run, once it is quiet."""
    session = Saved(path)
    app = GraphlensApp(session)
    async with app.run_test(size=size) as pilot:
        await quiet(pilot)
        print(f"{session.run.main.op_count:,} ops, {size[0]}x{size[1]}")
        yield pilot, app
    session.close()


async def scrolling(path: Path, size: tuple[int, int]) -> None:
    """Lanes and boxes, jumps and searches."""
    async with opened(path, size) as (pilot, app):
        app.graph.move(50_000)
        await quiet(pilot)
        await frames(pilot, "a line, the cursor at the bottom", lambda: app.graph.move(1))
        await frames(pilot, "a line, the cursor in the middle", lambda: app.graph.move(-1))
        await frames(pilot, "a page", lambda: app.graph.move(app.graph.rows))
        await frames(pilot, "far away", lambda: app.graph.move(-777))
        ends = iter([False, True] * 10)
        await frames(pilot, "to the end, or to the beginning", lambda: app.graph.move_to(end=next(ends)), 20)
        for asked in ("softmax", "re:(mm|bmm)$ phase:back", ">1e4", "nan"):
            app.graph.move_to(end=False)
            await quiet(pilot)
            await frames(pilot, f"search {asked}", partial(app.search_for, asked), 1)
        app.go_to(Seq(50_500))
        await quiet(pilot)
        await frames(pilot, "boxes, for the first time", app.do_boxes, 1)
        await frames(pilot, "boxes, the next one", app.do_down)
        await frames(pilot, "boxes, a screen down", app.do_page_down, 20)


async def tensor(path: Path, size: tuple[int, int]) -> None:
    """The elements of a tensor with infinities."""
    async with opened(path, size) as (pilot, app):
        app.do_first_ill()
        await quiet(pilot)
        app.do_tensor_mode()
        await quiet(pilot)
        assert app.tensor.tensor is not None, "its elements were kept"
        await frames(pilot, "tensor, an element down", app.do_down, 30)
        await frames(pilot, "tensor, an element to the right", app.do_right, 9)
        modes = iter([app.do_graph_mode, app.do_health_mode] * 10)
        await frames(pilot, "to the graph, or to health", lambda: next(modes)(), 20)


async def idle(path: Path, size: tuple[int, int]) -> None:
    """Nothing happens."""
    async with opened(path, size):
        await asyncio.sleep(3)
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(IDLE)
        share = (time.process_time() - cpu) / (time.perf_counter() - began)
        print(f"  {'idle':40} {share * 100:.2f} % of a core")


class Watched(GraphlensApp):
    """The app, which ends once the first frame with operations has left for the terminal."""

    CSS_PATH = str(Path(graphlens_tui.app.__file__).with_name("app.tcss"))
    drawn = False

    def _display(self, screen: object, renderable: object) -> None:
        super()._display(screen, renderable)  # type: ignore[arg-type]  # as Textual calls it
        self.drawn = self.drawn or (self.model.shown is not None and bool(self.graph._strips))


async def first_screen(path: Path, size: tuple[int, int]) -> None:
    """Print the time to the first operation on the screen, and the memory once all is quiet."""
    wall, cpu = time.perf_counter(), time.process_time()
    session = Saved(path)
    app = Watched(session)
    async with app.run_test(size=size) as pilot:
        while not app.drawn:
            await asyncio.sleep(0.001)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{session.run.main.op_count:,} ops, {size[0]}x{size[1]}")
        print(f"  {'first screen':40} {cpu * 1000:6.0f} ms CPU, {wall * 1000:.0f} ms on the clock")
        await quiet(pilot)
        app.graph.move_to(end=True)
        await quiet(pilot)
        app.do_health_mode()
        await pilot.pause(3)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  {'memory, with the verdict':40} {memory:6.0f} MiB")
    session.close()


def main() -> None:
    """Two runs, two sizes, and a tensor."""
    if sys.argv[1:2] == ["first"]:
        asyncio.run(first_screen(Path(sys.argv[2]), (int(sys.argv[3]), int(sys.argv[4]))))
        return
    with tempfile.TemporaryDirectory() as folder:
        large = write_run(Path(folder) / "large.glens", nodes=1000, steps=103, nan_from=50)
        for size in SIZES:
            asyncio.run(scrolling(large, size))
        digits = Path(folder) / "digits.glens"
        record = [sys.executable, "-P", "-m", "graphlens", "record", "--quiet", f"--output={digits}"]
        subprocess.run(
            [*record, str(DIGITS), "--nan", "--steps", "195"], check=True, stdout=subprocess.DEVNULL
        )
        for size in SIZES:
            asyncio.run(tensor(digits, size))
        asyncio.run(idle(large, SIZES[1]))
        huge = write_run(Path(folder) / "huge.glens", nodes=1000, steps=1027, nan_from=500)
        for size in SIZES:
            subprocess.run([sys.executable, __file__, "first", str(huge), *map(str, size)], check=True)


if __name__ == "__main__":
    main()
