"""Processes and threads of a run have names, and each of them says what was not looked at in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from factories import LogWriter, new_run, ran, run_json, seen
from graphlens import load
from graphlens.cli import main
from graphlens.processes import find, gaps, how, named, threads_of
from graphlens.store import Run
from graphlens_tracers.errors import UnknownName
from graphlens_tracers.events import CallBegan, CallEnded, CallId, Gap, GraphId, RunStarted, Seq

SCRIPT = ("python", "-u", "train.py")


class Logs:
    """A run of several logs, each of which has run a few operations."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        new_run(path, pid=100)
        for log in path.glob("*.log"):
            log.unlink()

    def log(self, pid: int, ops: int = 1, argv: tuple[str, ...] = SCRIPT, **more: Any) -> LogWriter:
        """One more log; it began after those before it, and has not ended."""
        self.count += 1
        log = LogWriter(self.path, pid=pid, nonce=f"{99 - self.count:08x}")
        log.declare(RunStarted(argv, pid, began=float(self.count), **more))
        if ops:
            log.declare(*seen(ran(0, op=f"aten.op{self.count}.default"), name="step"))
            log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), None, "other"))
            log.ran(*[0] * ops)
            log.calls(CallEnded(CallId(0), Seq(ops - 1)))
        return log

    def names(self) -> dict[int, str]:
        return {who.number: who.name for who in named(load(self.path))}


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "run.glens")


def show(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """What the command prints; nothing on standard error."""
    assert main(["show", *map(str, words)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def complaint(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    """Exit code and the one line of an error."""
    code = main(["show", *map(str, words)])
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    return code, printed.err


# ── names ────────────────────────────────────────────────────────────────────────────────────


def test_ranks_have_their_rank_as_number(logs: Logs) -> None:
    """A launcher has none, although it began first; nor has what a rank starts, in its environment."""
    logs.log(100, argv=("python", "-m", "torch.distributed.run", "train.py"))
    logs.log(202, rank=1, world=2, parent=100)
    logs.log(201, rank=0, world=2, parent=100)
    logs.log(300, rank=1, world=2, parent=202, worker="DataLoader worker 0")
    logs.log(301, rank=1, world=2, parent=202, argv=("python", "-X", "dev", "/home/ada/eval.py", "--now"))

    assert logs.names() == {
        0: "rank 0", 1: "rank 1", 2: "main", 3: "rank 1, DataLoader worker 0", 4: "rank 1, child eval.py",
    }  # fmt: skip
    assert [(who.rank, who.parent) for who in named(load(logs.path))] == [
        (0, 2), (1, 2), (None, None), (None, 1), (None, 1),
    ]  # fmt: skip


def test_others_are_numbered_as_they_began(logs: Logs) -> None:
    """Not as their files happen to be called."""
    logs.log(100)
    logs.log(9, parent=100, worker="DataLoader worker 0")
    logs.log(8, parent=100, worker="DataLoader worker 0")
    logs.log(7, parent=100)
    logs.log(6, parent=100, argv=("python", "-c", "import torch"))
    logs.log(5, parent=6, argv=("python", "-m", "pkg.tool"))

    assert logs.names() == {
        0: "main", 1: "DataLoader worker 0", 2: "DataLoader worker 0 #2", 3: "fork", 4: "child -c",
        5: "child -c, child -m pkg.tool",
    }  # fmt: skip


def test_threads_are_named_after_their_process(logs: Logs) -> None:
    """Those that are not alive at the same time share a log: each of their names means it."""
    logs.log(100)
    shared = logs.log(100, thread="loader 0")
    shared.calls(CallBegan(CallId(1), GraphId(0), Seq(1), None, "other", thread="loader 1")).ran(0)
    logs.log(200, parent=100, worker="helper")
    logs.log(200, thread="loader 1")
    run = load(logs.path)

    assert logs.names() == {0: "main", 1: "thread loader 0", 2: "helper", 3: "helper, thread loader 1"}
    assert threads_of(find(run, "1").process) == ["loader 0", "loader 1"]
    assert find(run, "thread loader 1").number == 1
    assert find(run, " HELPER,  thread loader 1 ").number == 3
    assert find(run, "helper").number == 2


def test_ranks_on_other_machines_keep_their_numbers(logs: Logs) -> None:
    logs.log(200, rank=3, world=4)
    logs.log(100)

    assert logs.names() == {3: "rank 3", 4: "main"}


def test_processes_that_start_each_other_in_a_circle_have_names(logs: Logs) -> None:
    """Numbers of processes are used again, and a damaged log may say anything."""
    logs.log(200, parent=201, rank=1)
    logs.log(201, parent=200, rank=1)
    logs.log(202, parent=202)

    assert len(set(logs.names().values())) == 3


def test_an_unknown_process_is_answered_with_those_there_are(logs: Logs) -> None:
    logs.log(100)
    logs.log(200, worker="a\x1b[31m")

    with pytest.raises(
        UnknownName, match=r"no process '7' in this run; it has: 0 \(main\), 1 \(a\\x1b\[31m\)"
    ):
        find(load(logs.path), "7")


# ── what was not seen ────────────────────────────────────────────────────────────────────────


def whats(run: Run) -> list[tuple[int | None, str, int]]:
    return [(None if who is None else who.number, gap.kind, gap.count) for who, gap in gaps(run)]


def test_gaps_are_counted_for_each_process(logs: Logs) -> None:
    """And what no process could say of itself is said all the same."""
    first = logs.log(100, rank=0, world=3)
    second = logs.log(200, rank=2, world=3)
    first.facts(Gap("thread", "a thread", Seq(0), 3))
    second.facts(Gap("thread", "a thread", Seq(0), 4))
    second.finish(dropped=9)
    run_json(logs.path, pid=100, untraced={"3.8": 2})
    found = gaps(load(logs.path))

    assert whats(load(logs.path)) == [
        (0, "thread", 3), (2, "thread", 4), (2, "dropped", 9), (None, "untraced", 2), (None, "process", 1),
    ]  # fmt: skip
    assert found[-1][1].what == "rank 1 of 3: not in this run"


def test_ranks_that_may_still_come_are_not_missing(logs: Logs) -> None:
    import os

    logs.log(os.getpid(), rank=0, world=2)
    run_json(logs.path, pid=os.getpid(), host=os.uname().nodename, state="running", ended=None)
    run = load(logs.path)

    assert whats(run) == []
    assert how(run, run.main) == "running"


def test_a_lost_run_may_lack_its_end(logs: Logs) -> None:
    """Nobody has written down what was in the page of a process that was killed together with its host."""
    logs.log(100).finish()
    logs.log(200)
    run_json(logs.path, pid=2**22 + 5, state="running", ended=None)
    run = load(logs.path)

    assert whats(run) == [(1, "unreadable", 1)]
    assert [how(run, who.process) for who in named(run)] == ["ended", "cut off"]


# ── show ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def several(logs: Logs) -> Path:
    """Main, a worker, and a thread that had a gap."""
    logs.log(100, ops=5).finish()
    logs.log(200, ops=3, parent=100, worker="DataLoader worker 0").finish()
    thread = logs.log(100, ops=2, thread="loader")
    thread.facts(Gap("sampled", "something large", Seq(0), 2))
    return logs.path


def test_a_run_of_several_lists_them(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = show(capsys, several)
    answer = json.loads(show(capsys, several, "--json"))
    fields = ("id", "name", "ops", "calls", "state", "gaps", "parent", "threads")

    assert [[one[field] for field in fields] for one in answer["processes"]] == [
        [0, "main", 5, 1, "ended", 0, None, []],
        [1, "DataLoader worker 0", 3, 1, "ended", 0, 0, []],
        [2, "thread loader", 2, 1, "cut off", 2, 0, ["loader"]],
    ]
    assert answer["coverage"] == {
        "complete": False,
        "gaps": [{"kind": "sampled", "what": "something large", "first": 0, "count": 2, "process": 2}],
        "count": 2,
    }
    assert "  1           3        1      0  ended    DataLoader worker 0 (pid 200)\n" in text
    assert "not finite: none of the numbers that were looked at, and not everything was\n" in text
    assert "not looked at: sampled: something large (2 times, in thread loader)\n" in text


def test_one_process_is_chosen_by_name_or_number(several: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For everything that can be shown, wherever the option stands."""
    worker = ("--process", "dataloader worker 0")
    ops = [json.loads(line) for line in show(capsys, several, *worker, "ops", "--json").splitlines()]
    one = json.loads(show(capsys, several, "op", "1", "--json", *worker))
    whole = json.loads(show(capsys, several, "--json", *worker))

    assert [(op["op"], op["process"], op["seq"]) for op in ops] == [
        ("aten.op2.default", 1, k) for k in range(3)
    ]
    assert (one["op"], one["seq"], one["process_name"]) == ("aten.op2.default", 1, "DataLoader worker 0")
    assert (whole["ops"], len(whole["processes"]), whole["coverage"]["complete"]) == (3, 1, True)
    assert json.loads(show(capsys, several, "op", "2:1", "--json"))["op"] == "aten.op3.default"
    assert show(capsys, several, "op", "1:2").startswith("op 1:2  aten.op2.default")
    for what, key in (("steps", "calls"), ("graphs", "graphs")):
        rows = json.loads(show(capsys, several, "--json", what))[key]
        assert [row["process"] for row in rows] == [0, 1, 2]
        assert len(json.loads(show(capsys, several, what, "--json", "--process", "2"))[key]) == 1
        assert [line for line in show(capsys, several, what).splitlines() if line[0].isdigit()] == [
            "0 main", "1 DataLoader worker 0", "2 thread loader",
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["op", "1"],
            1,
            "op 1 of which process? for example 0:1; there are: 0 (main), 1 (DataLoader worker 0)",
        ),
        (["op", "5:1"], 1, "no op 5:1: no process 5 in this run; it has: 0 (main), 1 (Data"),
        (["op", "1:9"], 1, "no op 9: there are ops 0 to 2 [unknown-op]"),
        (["op", "1:1", "--process", "main"], 2, "op 1:1 is not of process 0 (main) [usage]"),
        (["--process", "rank 1"], 1, "no process 'rank 1' in this run; it has: 0 (main), 1 (DataL"),
        (["--process"], 2, "[usage]"),
    ],
)
def test_what_is_not_clear_is_asked_for(
    several: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    got, line = complaint(capsys, several, *words)

    assert got == code
    assert said in line


def test_nothing_is_clean_that_was_not_looked_at(logs: Logs, capsys: pytest.CaptureFixture[str]) -> None:
    logs.log(100).finish()
    text = show(capsys, logs.path)
    run_json(logs.path, pid=100, level="structure")
    unlooked = show(capsys, logs.path)

    assert "not finite: none of the numbers that were looked at\n" in text
    assert "not finite: not looked at, at level structure\n" in unlooked


def test_a_picture_says_whose_graph_it_is(several: Path, tmp_path: Path) -> None:
    """In a run of one process that would say nothing."""
    for wanted in ("main", "DataLoader worker 0"):
        words = ["export", str(several), "-o", str(tmp_path / "a.svg"), "--force", "-q", "--process", wanted]
        assert main(words) == 0
        assert wanted in (tmp_path / "a.svg").read_text()
    assert main([*words[:-1], "nobody"]) == 1
