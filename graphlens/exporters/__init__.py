"""One format a file: each module exports `EXPORTER`. Same run, same options, same bytes.

Nothing heavy is imported here, or by a module of this folder when it is found: only by `export`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol, runtime_checkable

from graphlens_tracers.errors import NotInstalled, UnknownName, Usage

if TYPE_CHECKING:
    from graphlens.store import Run

PhaseChoice = Literal["auto", "forward", "backward", "both"]
PLACED = ("svg", "png", "pdf")
"""Formats in which boxes have a place: in others a reader's program gives them one."""
Engine = Literal["auto", "builtin", "dot"]


@dataclass(frozen=True, slots=True)
class Options:
    """What to write of a run.

    Attributes:
        graph: A graph's number or name; None: the training step that ran most, else the largest graph.
        step: The training step whose graph and health is shown.
        phase: Which half of a training step is drawn; "auto": both where they are readable.
        depth: Levels of modules to open; None: as many as are readable.
        full: Open everything, fold and hide as little as possible.
        unlimited: With `full`, also beyond 2,000 boxes.
        theme: Colours of a picture; "auto" follows the reader's.
        process: A process by its number or name; None: the one that trains.
        module: Draw this module only, "transformer.h.3".
        around: Draw what is near the operation of this number, N or PROCESS:N; `hops` operations far.
        health: Show where numbers are not finite.
        engine: What places the boxes of a picture: our own layout, the same everywhere; Graphviz' `dot`; or
            "auto": `dot` where it is there and quick.
        link: What a box leads to: an address with {file}, {path} and {line}; None: no links.
    """

    graph: str | None = None
    step: int | None = None
    phase: PhaseChoice = "auto"
    depth: int | None = None
    full: bool = False
    unlimited: bool = False
    theme: Literal["auto", "light", "dark"] = "auto"
    process: str | None = None
    module: str | None = None
    around: str | None = None
    hops: int = 2
    health: bool = True
    link: str | None = None
    engine: Engine = "builtin"


class Exporter(Protocol):
    """Writes a run in one format.

    Attributes:
        name: What people type after `--format`.
        suffix: How its files end; ".trace.json" goes before ".json".
    """

    name: str
    suffix: str

    def export(self, run: Run, out: BinaryIO, options: Options) -> None:
        """Write the graph that `options` chooses.

        Raises:
            UnknownName, UnknownOp: The run has no such graph, step, module or operation.
        """


@runtime_checkable
class Needy(Protocol):
    """An exporter that needs more than graphlens does.

    Attributes:
        module: What it imports.
        extra: What of graphlens to install for it.
    """

    module: str
    extra: str


@runtime_checkable
class Drawn(Protocol):
    """An exporter that draws boxes, of a part of a graph too; others write all of what they write."""

    draws: Literal[True]


@runtime_checkable
class Partitioned(Protocol):
    """An exporter that can also add a run to a data set, a folder of files of many runs."""

    def parts(self, run: Run, options: Options) -> Iterator[tuple[str, Callable[[BinaryIO], None]]]:
        """The files of this run, by their path in its folder, and what writes each."""
        ...

    def part_of(self, name: str) -> str:
        """The folder of the run of this name in a data set."""
        ...


def check(exporter: Exporter, options: Options | None = None) -> None:
    """Say what is missing, or cannot be, before there is any work done.

    Raises:
        NotInstalled: What it needs cannot be imported.
        Usage: Options that contradict each other, or mean nothing to it.
    """
    if options is not None:
        _check_options(exporter, options)
    if not isinstance(exporter, Needy):
        return
    try:
        importlib.import_module(exporter.module)
    except ImportError:
        raise NotInstalled(
            f"{exporter.suffix} needs {exporter.module}: pip install 'graphlens[{exporter.extra}]'"
        ) from None
    except OSError as error:  # the package is there, and a library of the system that it needs is not
        reason = str(error).partition("\n")[0]
        raise NotInstalled(
            f"{exporter.suffix} needs {exporter.module}, which does not load: {reason}"
        ) from None


def _check_options(exporter: Exporter, options: Options) -> None:
    if not isinstance(exporter, Drawn):
        for name, value in (("module", options.module), ("around", options.around), ("link", options.link)):
            if value is not None:
                raise Usage(f"{exporter.name} is no picture of a part: it has no use for {name!r}")
    if options.engine != "builtin" and exporter.name not in PLACED:
        raise Usage(f"{exporter.name} has no boxes with places: it has no use for 'engine'")
    if options.module is not None and options.around is not None:
        raise Usage("one part at a time: a module, or what is around an op")
    if options.link is not None:
        from graphlens.exporters._links import check_template

        check_template(options.link)


def exporters() -> list[Exporter]:
    """Every exporter of this installation, by name."""
    from graphlens_tracers.discover import drop_ins

    return sorted(drop_ins("graphlens.exporters", "EXPORTER", Exporter), key=lambda one: one.name)


def exporter_for(file: str, name: str | None = None) -> Exporter:
    """The exporter called `name`, else the one that the file's suffix means.

    Raises:
        UnknownName: There is none; the message lists those there are.
    """
    found = exporters()
    have = ", ".join(one.name for one in found)
    if name is not None:
        for one in found:
            if name.lower() in (one.name, one.suffix.removeprefix(".")):
                return one
        raise UnknownName(f"no exporter named {name!r}; this installation has: {have}")
    last = PurePath(file).name.lower()
    meant = [one for one in found if last.endswith(one.suffix) and last != one.suffix]
    if meant:
        return max(meant, key=lambda one: len(one.suffix))
    suffix = PurePath(file).suffix.lower()
    what = f"no exporter for {suffix!r}" if suffix else f"{file!r} has no suffix to say which format is meant"
    raise UnknownName(f"{what}; choose one with --format: {have}")
