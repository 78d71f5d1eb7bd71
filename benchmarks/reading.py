"""What opening and looking at a run of a million operations costs. CPU seconds, and the memory of it all."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from factories import write_run
from graphlens.scopes import outline
from graphlens.store import Run
from graphlens_tracers.events import GraphId, Seq


def measured(name: str, work: Callable[[], object], repeat: int = 1) -> None:
    """Print what one time costs, on average."""
    began = time.process_time()
    for _ in range(repeat):
        work()
    print(f"{name:56} {(time.process_time() - began) / repeat * 1000:9.2f} ms")


def main() -> None:
    """A line each."""
    with tempfile.TemporaryDirectory() as directory:
        path = write_run(Path(directory) / "large.glens", nodes=1000, steps=1027, nan_from=500)
        runs: list[Run] = []
        measured("open, with every checksum", lambda: runs.append(Run(path)))
        process = runs[0].main
        end = process.end
        print(
            f"{'':30}{process.op_count:,} ops, {sum(f.stat().st_size for f in path.iterdir()) / 1e6:.1f} MB"
        )
        measured("first screen", lambda: (process.rows(end - 60, end), process.ranges(end - 60, end)))

        def screen() -> None:
            process.rows(5000, 5060)
            process.ranges(5000, 5060)

        measured("another screen", screen, 200)
        measured("the graph of a step, with networkx", lambda: process.graph(GraphId(1)))
        measured("one operation in full", lambda: process.op(Seq(end - 1)), 200)
        measured("which operations are ill, looking at all of them", process.bad_rows)
        measured("all rows", lambda: process.rows(0, end))
        measured("all ranges", lambda: process.ranges(0, end))
        measured("its modules", lambda: outline(process.order(GraphId(1)), process))
        measured("all calls", process.calls)
        measured("a look when nothing has changed", runs[0].refresh, 200)
        print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f} MB")


if __name__ == "__main__":
    main()
