"""Record a function with a tracer in this very process, and read what was recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import graphlens
from factories import new_run
from graphlens.store import Process, Run
from graphlens_tracers.api import Keep, Level, Options, Tracer
from graphlens_tracers.events import Seq
from graphlens_tracers.sink import LogSink

BAD = Keep()
"""What is kept by default."""


def pytorch() -> Tracer:
    """The PyTorch tracer."""
    from graphlens_tracers.pytorch.tracer import PyTorchTracer  # late: tests of TensorFlow need no torch

    return PyTorchTracer()


def tensorflow() -> Tracer:
    """The TensorFlow tracer."""
    from graphlens_tracers.tf.tracer import TensorFlowTracer  # late: it takes seconds

    return TensorFlowTracer()


@contextlib.contextmanager
def recording(
    path: Path,
    level: Level = "health",
    steps: tuple[int, int | None] = (0, None),
    of: Callable[[], Tracer] = pytorch,
    keep: Keep = BAD,
) -> Iterator[Tracer]:
    """Everything in the block is recorded into the run directory `path`, which is made."""
    new_run(path)
    for log in path.glob("*.log"):
        log.unlink()
    pages = path.parent / f"{path.name}-pages"
    pages.mkdir()
    sink = LogSink(str(path), str(pages), ["test"])
    tracer = of()
    tracer.start(sink, Options(level, steps, keep=keep))
    try:
        yield tracer
    finally:
        tracer.stop()
        sink.close()


def recorded(
    program: Callable[[], object], path: Path, level: Level = "health", of: Callable[[], Tracer] = pytorch
) -> Process:
    """What one process recorded while `program` ran; every graph is valid."""
    with recording(path, level, of=of):
        program()
    run: Run = graphlens.load(path)
    process = run.main
    for graph in process.graphs():
        process.graph(graph.graph).check()
    return process


def ops(process: Process) -> list[str]:
    """The names of all operations, in the order in which they ran."""
    return [process.nodes[node].op for node in process.rows(Seq(0), Seq(process.op_count)).node.tolist()]
