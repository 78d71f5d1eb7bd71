"""A debugger in a process of its own that answers every stop of a script at random, for the tests."""

from __future__ import annotations

import contextlib
import io
import json
import marshal
import multiprocessing
import os
import random
import select
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import cloudpickle

from graphlens.debugger import Debugger, Stop
from graphlens_tracers.control import Way
from graphlens_tracers.gate import gate
from recorded import recording

MOST = 1500
"""Stops, after which the script goes on by itself."""
QUESTIONS: list[dict[str, Any]] = [
    {"question": "locals"},
    {"question": "eval", "text": "in0.float().sum()", "elements": True},
    {"question": "eval", "text": "not a sentence of Python"},
    {"question": "eval", "text": "1 / 0"},
    {"question": "eval", "text": "__import__('torch').randn(3)", "elements": True},
    {"question": "tensor", "which": "in", "index": 0},
    {"question": "tensor", "which": "out", "index": 99},
    {"question": "nothing that anybody knows"},
]


@contextlib.contextmanager
def stepped(folder: Path, seed: str) -> Iterator[None]:
    """Everything in the block is recorded into `run.glens`, and stopped as a seed says.

    `stops.json` says where: (operation's number, its name, why, before or after).
    """
    pages = folder / "run.glens-pages"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        try:
            _answer(folder, pages, seed, read)
        finally:
            os._exit(0)
    os.close(read)
    try:
        with recording(folder / "run.glens") as tracer:
            os.environ["GRAPHLENS_PAGES"] = str(pages)
            tracer.attend(gate())
            gate().hold()
            yield
    finally:
        os.close(write)
        os.waitpid(child, 0)


def _answer(folder: Path, pages: Path, seed: str, alive: int) -> None:
    """Serve the stops until the other end of a pipe is closed."""
    os.set_blocking(alive, False)
    while not pages.is_dir():
        pass
    debugger, rng = Debugger(pages), random.Random(seed)
    debugger.add("aten.mul*", ignore=3)
    debugger.add("backward")
    debugger.watch("nan")
    stops = []
    while not _closed(alive):
        stop = debugger.wait(0.05)
        if stop is None:
            continue
        said = stop.said
        stops.append((said["seq"], said["op"], said["why"], said["when"]))
        if len(stops) >= MOST:
            stop.release()
            continue
        if rng.random() < 0.2:
            _ask(stop, rng.choice(QUESTIONS))
        stop.go(rng.choice([way for way in Way if way is not Way.AT]), times=rng.choice((1, 1, 2, 5)))
    (folder / "stops.json").write_text(json.dumps(stops))


def _closed(pipe: int) -> bool:
    try:
        return os.read(pipe, 1) == b""
    except BlockingIOError:
        return False


def _ask(stop: Stop, question: dict[str, Any]) -> None:
    words = dict(question)
    ask: Callable[..., object] = stop.ask
    with contextlib.suppress(ValueError):  # what cannot be answered is said so
        ask(words.pop("question"), **words)


Next = Callable[[], Stop | None]
"""The next stop; None when the script has ended."""
Obey = Callable[[Debugger, Next], None]


# A process that has never run a backward: the engine's threads do not outlive a fork of one that has.
CLEAN = multiprocessing.get_context("forkserver")
CLEAN.set_forkserver_preload(["torch", "torch._dynamo"])


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
    """With the files and lines of the code, which cloudpickle leaves out."""

    dispatch_table = cloudpickle.Pickler.dispatch_table.new_child(
        {CodeType: lambda code: (marshal.loads, (marshal.dumps(code),))}
    )


def debug(program: Callable[[], object], path: Path, obey: Obey) -> None:
    """Run a program in a process of its own, stopped at its first operation; `obey` says how it goes on.

    The program travels there with all that it refers to, but for what modules other than its own hold.
    """
    pages, failed = path.parent / f"{path.name}-pages", path.with_suffix(".failed")
    cloudpickle.register_pickle_by_value(sys.modules[program.__module__])
    pickled = io.BytesIO()
    Pickler(pickled).dump(program)
    child = CLEAN.Process(target=_held, args=(pickled.getvalue(), path, failed))
    child.start()
    debugger: Debugger | None = None

    def next_stop() -> Stop | None:
        assert debugger is not None
        while not select.select([child.sentinel], [], [], 0)[0]:
            stop = debugger.wait(0.05)
            if stop is not None:
                return stop
        return None

    try:
        while not pages.is_dir():
            assert child.is_alive(), failed.read_text() if failed.exists() else "no word"
            time.sleep(0.01)
        debugger = Debugger(pages)
        obey(debugger, next_stop)
    finally:
        if debugger is not None:
            debugger.close()
        child.join(60)
        child.kill()
        child.join()
    assert child.exitcode == 0, failed.read_text() if failed.exists() else child.exitcode


def _held(pickled: bytes, path: Path, failed: Path) -> None:
    """In the other process: run the program, and leave what it raised."""
    try:
        program = cloudpickle.loads(pickled)
        with recording(path) as tracer:
            os.environ["GRAPHLENS_PAGES"] = f"{path}-pages"
            tracer.attend(gate())
            gate().hold()
            program()
    except BaseException:
        failed.write_text(traceback.format_exc())
        raise


def walk(way: Way, said: list[Any], prepare: Callable[[Debugger], object] = lambda _: None) -> Obey:
    """Go on the same way at every stop until there is no more; `said`: what was said at each."""

    def obey(debugger: Debugger, next_stop: Next) -> None:
        prepare(debugger)
        while (stop := next_stop()) is not None:
            said.append(stop.said)
            stop.go(way)

    return obey
