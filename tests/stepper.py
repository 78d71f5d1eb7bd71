"""Debuggers for the tests: one that answers every stop at random, and one that a test leads."""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from graphlens.debugger import Debugger, Stop
from graphlens_tracers.control import Way
from graphlens_tracers.gate import _gates, gate
from recorded import pytorch, recording

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


@contextlib.contextmanager
def debugged(path: Path, obey: Obey, of: Callable[[], Any] = pytorch) -> Iterator[None]:
    """The block is held at its first operation; `obey` says how it goes on, on a thread of its own."""
    pages = path.parent / f"{path.name}-pages"
    ended = threading.Event()
    raised: list[BaseException] = []

    def answer() -> None:
        while not pages.is_dir():
            time.sleep(0.001)
        debugger = Debugger(pages)

        def next_stop() -> Stop | None:
            while not ended.is_set():
                stop = debugger.wait(0.05)
                if stop is not None:
                    return stop
            return None

        try:
            obey(debugger, next_stop)
        except BaseException as error:
            raised.append(error)
        finally:
            debugger.close()

    debugging = threading.Thread(target=answer)
    debugging.start()  # before anything is recorded: it is no thread of the program's
    _gates.clear()  # that of an earlier program knows other pages
    os.environ["GRAPHLENS_PAGES"] = str(pages)
    try:
        with recording(path, of=of) as tracer:
            tracer.attend(gate())
            gate().hold()
            yield
    finally:
        ended.set()
        debugging.join()
        _gates.clear()
        del os.environ["GRAPHLENS_PAGES"]
    for error in raised:
        raise error


def debug(program: Callable[[], object], path: Path, obey: Obey) -> None:
    """Run a program like that."""
    with debugged(path, obey):
        program()


def walk(way: Way, said: list[Any], prepare: Callable[[Debugger], object] = lambda _: None) -> Obey:
    """Go on the same way at every stop until there is no more; `said`: what was said at each."""

    def obey(debugger: Debugger, next_stop: Next) -> None:
        prepare(debugger)
        while (stop := next_stop()) is not None:
            said.append(stop.said)
            stop.go(way)

    return obey
