"""Where a stopped script goes on to, what it answers, and what becomes of it without its debugger."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_stepping import HERE, line, rows, train

import graphlens
from graphlens.debugger import Debugger, Stop
from graphlens.store import Process
from graphlens.verdict import verdict_answer
from graphlens_tracers import asking
from graphlens_tracers.control import Way
from recorded import recorded
from stepper import Next, debug, walk

# ── ways to go on ────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Process:
    return recorded(train, tmp_path_factory.mktemp("plain") / "run.glens")


def chains(process: Process) -> list[tuple[int, ...]]:
    """For each operation the call and the module calls that it is in, outermost first."""
    found = []
    for op in rows(process):
        around: list[int] = []
        call = op.node.module_call
        while call is not None:
            around.insert(0, call)
            call = process.module_calls[call].parent
        found.append((op.call.first if op.call is not None else -1, *around))
    return found


def inside(chain: tuple[int, ...], around: tuple[int, ...]) -> bool:
    return chain[: len(around)] == around


@pytest.mark.parametrize("way", [Way.OVER, Way.OUT, Way.PHASE, Way.TRAINING_STEP])
def test_a_way_leads_where_the_recording_says(way: Way, tmp_path: Path, plain: Process) -> None:
    said: list[Any] = []
    debug(train, tmp_path / "run.glens", walk(way, said))

    chain, phase = chains(plain), [str(op.node.phase.value) for op in rows(plain)]
    ends: dict[Way, Callable[[int, int], bool]] = {
        Way.OVER: lambda a, b: not (inside(chain[b], chain[a]) and len(chain[b]) > len(chain[a])),
        Way.OUT: lambda a, b: not inside(chain[b], chain[a]),
        Way.PHASE: lambda a, b: phase[b] != phase[a],
        Way.TRAINING_STEP: lambda a, b: chain[b][0] != chain[a][0],
    }
    expected = [0]
    for seq, op in enumerate(rows(plain)[1:], 1):
        # What marks a stretch for the profiler computes nothing, and is not stopped at.
        if not op.node.op.startswith("profiler.") and ends[way](expected[-1], seq):
            expected.append(seq)
    assert [one["seq"] for one in said] == expected


def test_lines_are_those_of_the_script(tmp_path: Path) -> None:
    said: list[Any] = []
    debug(train, tmp_path / "run.glens", walk(Way.LINE, said))

    lines = [(one["stack"][0]["file"], one["stack"][0]["line"]) for one in said]
    assert all(lines[k] != lines[k - 1] for k in range(1, len(lines)))
    assert (str(HERE), line("LINE IN A MODULE")) in lines


def test_it_stops_right_after_what_makes_the_first_nan(tmp_path: Path) -> None:
    def program() -> None:
        x = torch.tensor([1.0, 0.0, -1.0])
        masked = x.masked_fill(x < 0, float("-inf"))  # an infinity that is given
        y = masked.softmax(0)
        z = (x - x) / (x - x)
        (y + z).sum()

    said: list[Any] = []
    debug(program, tmp_path / "run.glens", walk(Way.NON_FINITE, said))

    assert [(one["op"], one["when"]) for one in said[1:]] == [("aten.div.Tensor", "after")]
    assert said[1]["outputs"][0]["nan"] == 3


# ── what can be asked and changed ────────────────────────────────────────────────────────────


def ask_all(stop: Stop, text: str) -> dict[str, Any]:
    return stop.ask("eval", text=text, elements=True)[0]


def test_whatever_is_asked_is_answered_and_the_script_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "result"

    def program() -> None:
        torch.manual_seed(0)
        total = 0.0
        x = torch.arange(6.0)
        y = x * 2
        total += float(y.sum()) + float(torch.rand(1))
        kept.write_text(repr(total))

    program()
    without = kept.read_text()
    answers: dict[str, dict[str, Any]] = {}
    sent: list[bytes] = []

    def obey(debugger: Debugger, next_stop: Next) -> None:
        debugger.add("aten.mul*")
        first = next_stop()
        assert first is not None
        first.go(Way.CONTINUE)
        stop = next_stop()
        assert stop is not None
        for name, text in {
            "value": "x", "raises": "1 / 0", "loops": "sum(1 for _ in iter(int, 1))",
            "random": "torch.rand(3)", "prints": "print('seen') or 5", "leaves": "raise SystemExit(3)",
            "is nothing": "no sentence of Python", "assigns": "total = 7.0",
        }.items():  # fmt: skip
            answers[name] = ask_all(stop, text)
        answers["locals"] = stop.ask("locals", frame=0)[0]
        sent.append(stop.ask("tensor", which="in", index=0)[1])
        with pytest.raises(ValueError, match="99"):
            stop.ask("replace", which="in", index=99, text="0")
        with pytest.raises(ValueError, match="does not fit"):
            stop.ask("replace", which="in", index=0, text="[1.0, 2.0]")
        stop.go(Way.CONTINUE)

    monkeypatch.setattr(asking, "PATIENCE", 0.5)
    debug(program, tmp_path / "run.glens", obey)

    assert answers["value"]["shape"] == [6]
    assert "ZeroDivisionError" in answers["raises"]["error"]
    assert "TookTooLong" in answers["loops"]["error"]
    assert answers["prints"]["printed"] == "seen\n" and answers["prints"]["text"] == "5"
    assert "SystemExit" in answers["leaves"]["error"]
    assert "SyntaxError" in answers["is nothing"]["error"]
    assert answers["assigns"]["error"] == ""
    assert answers["locals"]["locals"]["x"].startswith("<torch.Tensor")
    assert sent[0] == struct.pack("<6f", *range(6))
    # All but the assignment left no trace: total began as 7 instead of 0.
    assert float(kept.read_text()) == float(without) + 7.0


@pytest.mark.parametrize(("which", "text", "expected"), [("out", "x * 0 + 5", 30.0), ("in", "x + 1", 42.0)])
def test_a_tensor_that_is_replaced_is_what_the_script_goes_on_with(
    which: str, text: str, expected: float, tmp_path: Path
) -> None:
    kept = tmp_path / "result"

    def program() -> None:
        x = torch.arange(6.0)
        y = x * 2
        kept.write_text(repr((float(x.sum()), float(y.sum()))))

    def obey(debugger: Debugger, next_stop: Next) -> None:
        debugger.add("aten.mul*")
        for _ in range(2):
            stop = next_stop()
            assert stop is not None
            if stop.said["op"].startswith("aten.mul"):
                stop.ask("replace", which=which, index=0, text=text)
            stop.go(Way.CONTINUE)

    debug(program, tmp_path / "run.glens", obey)

    assert kept.read_text() == repr((15.0, expected))


def test_pause_stops_a_script_that_runs(tmp_path: Path) -> None:
    done = tmp_path / "done"

    def program() -> None:
        x = torch.ones(2)
        while not done.exists():
            x = x * 1

    def obey(debugger: Debugger, next_stop: Next) -> None:
        first = next_stop()
        assert first is not None
        first.go(Way.CONTINUE)
        for _ in range(2):
            debugger.pause()
            stop = next_stop()
            assert stop is not None and stop.said["why"] == "pause"
            stop.go(Way.CONTINUE)
        debugger.add("aten.mul*", temporary=True)  # while it runs
        stop = next_stop()
        assert stop is not None and stop.said["why"].startswith("breakpoint")
        done.touch()
        stop.go(Way.CONTINUE)

    debug(program, tmp_path / "run.glens", obey)


def test_without_its_debugger_the_script_goes_on(tmp_path: Path) -> None:
    done = tmp_path / "done"

    def program() -> None:
        x = torch.ones(2)
        for _ in range(20):
            x = x * 1
        done.write_text(repr(x.tolist()))

    def obey(debugger: Debugger, next_stop: Next) -> None:
        debugger.add("aten.mul*")
        for _ in range(3):
            stop = next_stop()
            assert stop is not None
            stop.go(Way.STEP)
        assert next_stop() is not None
        debugger.close()  # it hangs up

    debug(program, tmp_path / "run.glens", obey)

    assert done.read_text() == "[1.0, 1.0]"


def test_all_threads_wait_while_one_is_stopped(tmp_path: Path) -> None:
    counted: list[int] = []

    def work(done: threading.Event, count: list[int]) -> None:
        x = torch.ones(1)
        while not done.is_set():
            x = x * 1
            count[0] += 1

    def program() -> None:
        done, count = threading.Event(), [0]
        thread = threading.Thread(target=work, args=(done, count))
        thread.start()
        y = torch.zeros(1)
        while not (tmp_path / "end").exists():
            y = y + 1
        done.set()
        thread.join()

    def obey(debugger: Debugger, next_stop: Next) -> None:
        stop = next_stop()
        assert stop is not None
        debugger.add("aten.add*", temporary=True)
        stop.go(Way.CONTINUE)
        stop = next_stop()
        assert stop is not None
        run = graphlens.load(tmp_path / "run.glens")
        before = sum(process.op_count for process in run.processes())
        for _ in range(20):
            stop.ask("locals", frame=0)
        run = graphlens.load(tmp_path / "run.glens")
        counted.append(sum(process.op_count for process in run.processes()) - before)
        (tmp_path / "end").touch()
        stop.go(Way.CONTINUE)

    debug(program, tmp_path / "run.glens", obey)

    assert counted[0] <= 1  # one may have been on its way


def test_a_debugger_that_talks_nonsense_is_left(tmp_path: Path) -> None:
    done = tmp_path / "done"

    def program() -> None:
        done.write_text(repr((torch.ones(2) * 3).tolist()))

    def obey(_debugger: Debugger, next_stop: Next) -> None:
        stop = next_stop()
        assert stop is not None
        with socket.socket(fileno=os.dup(stop.fileno())) as connection:
            connection.sendall(struct.pack("<II", 5, 0) + b"{nope")
            assert connection.recv(1) == b""  # it hung up
        assert next_stop() is None

    debug(program, tmp_path / "run.glens", obey)

    assert done.read_text() == "[3.0, 3.0]"


def test_conditions_about_facts_stop_as_often_as_they_are_true(tmp_path: Path) -> None:
    def program() -> None:
        x = torch.arange(4.0)
        for k in range(6):
            y = x * (k % 3)
            y / y

    places = {
        "aten.mul* if absmax(out) > 3": 2, "div if nan(out)": 6, "div if inf(in0)": 0,
        "aten.mul* if hits >= 0": 6,
        "aten.mul* if shape(out) == (4,) and dtype(out) == 'float32'": 6, "aten.mul* if changed(out)": 5,
        "aten.mul* if changed(in0)": 0, "if norm(out) == 0 and op.startswith('aten.mul')": 2,
    }  # fmt: skip
    said: list[Any] = []

    def prepare(debugger: Debugger) -> None:
        for place in places:
            debugger.add(place)
        debugger.add("aten.mul*", ignore=4, temporary=True)
        debugger.add("aten.mul*", enabled=False)

    debug(program, tmp_path / "run.glens", walk(Way.CONTINUE, said, prepare))

    hits = [said[-1]["hits"].get(str(k + 1)) for k in range(len(places) + 2)]
    assert hits[:-2] == list(places.values())
    assert hits[-2:] == [None, 0]  # the temporary one is gone
    assert sum(f"breakpoint {len(places) + 1}" == one["why"] for one in said) <= 1


def test_what_was_put_in_by_hand_is_recorded_and_blamed(tmp_path: Path) -> None:
    def program() -> None:
        x = torch.arange(6.0, requires_grad=True)
        y = (x + 1) * 2
        y.exp().sum().backward()

    def obey(debugger: Debugger, next_stop: Next) -> None:
        stop = next_stop()
        for place, which, text in (
            ("aten.add", "in", "x + 10"), ("aten.mul", "out", "x - 1e3"), ("aten.exp", "out", "x * nan"),
        ):  # fmt: skip
            while stop is not None and not stop.said["op"].startswith(place):
                stop.go(Way.STEP)
                stop = next_stop()
            assert stop is not None
            stop.ask("replace", which=which, index=0, text=text.replace("nan", "float('nan')"))
        assert stop is not None
        stop.go(Way.CONTINUE)

    debug(program, tmp_path / "run.glens", obey)

    process = graphlens.load(tmp_path / "run.glens").main
    seqs = {op.node.op.split(".")[1]: op.seq for op in reversed(rows(process))}  # the first of each
    add, mul, exp = (process.op(seqs[name]) for name in ("add", "mul", "exp"))
    assert add.by_hand == (("in", 0, "x + 10"),)
    assert mul.by_hand == (("out", 0, "x - 1e3"),)
    assert (mul.outputs[0].low, mul.outputs[0].high) == (22.0 - 1e3, 32.0 - 1e3)
    assert exp.outputs[0].nan == 6
    verdict = verdict_answer(graphlens.load(tmp_path / "run.glens"))
    assert verdict["origin"]["seq"] == exp.seq
    assert verdict["origin"]["cause"].startswith("output 0 was put in by hand while the script was held: x")
