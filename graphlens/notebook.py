"""Runs as Python objects that show themselves: `graphlens.load` and `graphlens.record`.

Everything that the command line does with a recorded run can be done with these alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Generic, TypeVar

from graphlens import host, runs, session
from graphlens.exporters import Options, PhaseChoice, check, exporter_for
from graphlens.exporters._writing import check_output, save
from graphlens.ir import Graph
from graphlens.session import Process, Run
from graphlens_tracers import inprocess
from graphlens_tracers.api import LEVELS, Keep
from graphlens_tracers.api import Options as Looks
from graphlens_tracers.errors import Usage

__all__ = ["Call", "Options", "PhaseChoice", "Process", "Recorded", "load", "record"]

Result = TypeVar("Result")


class Recorded(Run):
    """A run that is there to be looked at. A notebook shows it as a picture."""

    @property
    def graph(self) -> Graph:
        """The graph that a picture shows by default: of the training step that ran most, else the largest.

        `graph.nx` is its networkx multigraph; `main.graphs()` lists all graphs of the process that trains.

        Raises:
            UnknownName: No operation was recorded.
        """
        from graphlens.exporters._chosen import chosen  # numpy

        picked = chosen(self, Options())
        return picked.process.graph(picked.seen.graph)

    def export(
        self,
        path: str | PathLike[str],
        options: Options | None = None,
        *,
        format: str | None = None,
        force: bool = False,
    ) -> Path:
        """Write a picture, a page or a data file, whole or not at all; the path it was written to.

        Args:
            path: Its suffix says the format: .svg .html .png .pdf .dot .json .graphml .mmd .parquet .csv
                .explorer.json .trace.json; for format="parquet" also a folder, which ends in "/".
            options: Which graph, and how it is drawn.
            format: A format by its name, where the suffix does not say it.
            force: Replace a file that is there.

        Raises:
            UnknownName, UnknownOp: There is no such format, graph, step, module or operation.
            Usage: The options contradict each other.
            NotInstalled: The format needs a package that is not installed; the message says which.
            FileExists, CannotWrite: The file is there already, or cannot be made.
        """
        target = fspath(path)
        exporter = exporter_for(target, format)
        options = options or Options()
        check(exporter, options)
        check_output(exporter, target, force=force)
        self.refresh()
        save(exporter, self, target, options, force=force)
        return Path(target)

    def _repr_svg_(self) -> str | None:
        """The picture, for a notebook; None where nothing was recorded."""
        from graphlens.exporters._chosen import subject_for  # numpy
        from graphlens.exporters.svg import picture

        if not any(process.graphs() for process in self.processes()):
            return None
        return picture(subject_for(self, Options()), Options())


class Call(Recorded, Generic[Result]):
    """A function that was recorded.

    Attributes:
        result: What it returned.
    """

    def __init__(self, path: Path, result: Result) -> None:
        super().__init__(path)
        self.result = result


def load(run: str | PathLike[str]) -> Recorded:
    """A recorded run.

    Args:
        run: A path, a name as `graphlens runs` prints it, or "last".

    Raises:
        UnknownRun: There is none.
        BadRunFile: It is damaged, of a newer format, or not a run.
    """
    return Recorded(session.path_of(run))


def record(
    function: Callable[..., Result], *args: Any, level: str = "health", keep: str = "bad", **more: Any
) -> Call[Result]:
    """Call a function and record what PyTorch or TensorFlow compute in it.

    The framework is imported already, and the function runs here and now, on this thread: its results,
    the random state and its exceptions are what they would be without. The run is kept where those of
    `graphlens record` are, named after the function.

    Args:
        function: What to call, with `args` and `more`; not called `level` or `keep`, which are ours.
        level: "health", or "structure": what was computed, and no number of it.
        keep: Whose elements are kept: "none", "bad", "all" or "step:A:B".

    Raises:
        CannotStart: No framework is imported, or this process is being recorded already.
        BaseException: Whatever the function raises; the run is there: `graphlens.load("last")`.
    """
    if level not in LEVELS:
        raise Usage(f"level {level!r} is none of {', '.join(LEVELS)}")
    try:
        looks = Looks(level=level, keep=Keep.of(keep))
    except ValueError as error:
        raise Usage(f"keep: {error}") from None
    inprocess.ready()
    name = getattr(function, "__name__", type(function).__name__)
    path = runs.create(name if name.isidentifier() else type(function).__name__)
    launch = host.Launch(words=(name,), module=True, level=level, keep=keep)
    recording = host.Recording(launch, path, pty=False)
    recording.begin_here()
    code = 1
    try:
        result = inprocess.recorded(function, args, more, str(path), str(recording.pages), looks)
        code = 0
    finally:
        recording.finish(host.Ended(code=code))
        if recording.trouble:
            print(f"graphlens: {recording.trouble}", file=sys.stderr)
    return Call(path, result)
