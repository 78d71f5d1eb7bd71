"""The public names of graphlens as a stranger would use them; the type checkers read it, nothing runs it."""

from __future__ import annotations

from pathlib import Path

import networkx as nx

import graphlens
from graphlens.session import NAN, Delta, Op, Process, Run, Saved, Session


def ill(path: Path) -> list[Op]:
    """The first ten operations that made a NaN."""
    run: Run = graphlens.load(path)
    process: Process = run.main
    rows = process.rows(0, process.op_count)
    found = rows.seq[rows.flags & NAN != 0]
    return [process.op(seq) for seq in found[:10].tolist()]


def widest(run: Run) -> int:
    """How many values the busiest operation of the largest graph reads."""
    process = run.main
    largest = max(process.graphs(), key=lambda seen: len(process.order(seen.graph)))
    graph = process.graph(largest.graph)
    return max(int(graph.nx.in_degree(node)) for node in graph.order)


def follow(session: Session) -> None:
    """Print what is new."""

    def told(delta: Delta) -> None:
        print(delta.proc, delta.rows)

    stop = session.watch(told)
    stop()
    session.close()


def look(name: str) -> None:
    """A run by the name that `graphlens runs` prints."""
    follow(Saved(name))
    print(graphlens.__version__)


def squared(x: float, times: int = 1) -> float:
    """Something to be recorded."""
    return x**2 * times


def keep(path: Path) -> float:
    """What a function returned, its graph, and its picture beside it."""
    call = graphlens.record(squared, 1.5, times=2, level="structure")
    result: float = call.result
    graph: nx.MultiDiGraph = call.graph.nx
    written: Path = call.export(
        path / "step.svg", graphlens.Options(phase="backward", theme="dark"), force=True
    )
    picture: str | None = call._repr_svg_()
    graphlens.load(written).export("step.html")
    print(graph.number_of_nodes(), picture)
    return result
