"""`graphlens show`: its JSON is a contract, its text is made from the same."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

from factories import (
    LogWriter,
    OpRow,
    leaf,
    new_run,
    out,
    ran,
    run_json,
    seen,
    site,
    small_run,
    write_function_run,
    write_run,
)
from graphlens.cli import main
from graphlens_tracers.events import (
    Bound,
    CallBegan,
    CallEnded,
    CallId,
    CallsRan,
    Gap,
    GraphId,
    ModuleCallId,
    ModuleCallSeen,
    Numerics,
    Phase,
    ScopeId,
    ScopeSeen,
    Seq,
    SourceSeen,
    TracerStarted,
    Unusual,
    ValueId,
)

SOURCE = "import torch\nx = model(y)\nloss.backward()\n"


def show(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """What the command prints; nothing on standard error."""
    assert main(["show", *map(str, words)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two steps: forward, a view, backward, all with places; NaN in the second."""
    log = new_run(tmp_path / "run.glens", cwd="/home/ada", argv=["train.py", "--lr", "1"])
    digest = hashlib.sha256(SOURCE.encode()).hexdigest()
    (log.directory / "sources").mkdir()
    (log.directory / "sources" / digest).write_text(SOURCE)
    inside: dict[str, Any] = {"scope": 1, "module_call": 1}
    view = out(1, 3, ranged="", dtype="float32")
    nodes = [
        ran(0, inputs=[100, 101], op="aten.mm.default", site=1, **inside),
        ran(1, inputs=[0, None], op="aten.t.default", site=2, outputs=[view]),
        ran(
            2, inputs=[1], op="aten.mm.default", phase=Phase.BACKWARD, site=0, twin=0, scope=1, module_call=1
        ),
    ]
    log.declare(
        TracerStarted("pytorch", "2.13.0"),
        SourceSeen("/home/ada/train.py", digest),
        ScopeSeen(ScopeId(0), None, "Net", "Net"),
        ScopeSeen(ScopeId(1), ScopeId(0), "Net.fc1", "Linear"),
        ModuleCallSeen(ModuleCallId(0), None, ScopeId(0)),
        ModuleCallSeen(ModuleCallId(1), ModuleCallId(0), ScopeId(1)),
        site(0, 3, "/home/ada/train.py"),
        site(1, 2, "/home/ada/train.py", outer=0),
        site(2, 9, "/usr/lib/other.py"),
        *seen(*nodes, leaves=[leaf(100, "fc1.weight"), leaf(101, "x", "batch")], name="train"),
    )
    for step in range(2):
        first = 3 * step
        log.calls(CallBegan(CallId(step), GraphId(0), Seq(first), step, "train"))
        bad = (math.nan, math.nan) if step else (1.0, 2.5)
        log.ran(OpRow(0, [(-1.5, 0.25)], took=21500), OpRow(1), OpRow(2, [bad], took=900))
        log.calls(CallEnded(CallId(step), Seq(log.seq - 1)))
    log.facts(
        Unusual(Seq(5), 0, Numerics(6, 2, 0, 1, -1.0, 3.0, None, ((0, 1),))),
        Bound(CallId(1), ValueId(101), producer=Seq(0)),
        Unusual(Seq(4), -1, error="RuntimeError: no\x1b[31m"),
    )
    log.finish()
    return log.directory


def test_ops_are_an_object_a_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every field that the design names, and then ours."""
    lines = [json.loads(line) for line in show(capsys, path, "ops", "--json").splitlines()]

    assert lines[0] == {
        "seq": 0, "node": 0, "graph": 0, "op": "aten.mm.default", "phase": "forward", "step": 0,
        "module": "fc1", "module_call": 1, "file": "train.py", "line": 2, "inputs": [100, 101],
        "outputs": [{"value": 0, "shape": [], "dtype": "float32", "nan": 0, "pos_inf": 0, "neg_inf": 0,
                     "min": -1.5, "max": 0.25}],
        "forward": None, "took_ns": 21500, "thread": 0, "rank": 0, "makers": [None, None], "error": None,
        "module_path": "Net.fc1", "process": 0,
    }  # fmt: skip
    assert list(lines[0])[:15] == [
        "seq", "node", "graph", "op", "phase", "step", "module", "module_call", "file", "line", "inputs",
        "outputs", "forward", "took_ns", "thread",
    ]  # fmt: skip
    assert [line["seq"] for line in lines] == [0, 1, 2, 3, 4, 5]
    assert [line["step"] for line in lines] == [0, 0, 0, 1, 1, 1]


def test_a_backward_op_stands_where_its_forward_op_does(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own line is the one that calls backward(); in the same step."""
    lines = [json.loads(line) for line in show(capsys, path, "ops", "--json").splitlines()]

    assert (lines[5]["file"], lines[5]["line"]) == ("train.py", 2)
    assert lines[5]["forward"] == {"seq": 3, "op": "aten.mm.default", "file": "train.py", "line": 2}
    assert lines[2]["forward"]["seq"] == 0


def test_numbers_that_are_not_finite_are_words(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has none; and what was not looked at is null."""
    lines = [json.loads(line) for line in show(capsys, path, "ops", "--json").splitlines()]

    assert lines[5]["outputs"][0] | {"value": 0} == {
        "value": 0, "shape": [], "dtype": "float32", "nan": 2, "pos_inf": 0, "neg_inf": 1,
        "min": "nan", "max": "nan",
    }  # fmt: skip
    assert lines[1]["outputs"][0]["min"] is None
    assert lines[1]["outputs"][0]["nan"] is None


def test_makers_are_the_ops_that_made_the_inputs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the same call, or what a fact names."""
    lines = [json.loads(line) for line in show(capsys, path, "ops", "--json").splitlines()]

    assert [line["makers"] for line in lines] == [[None, None], [0, None], [1], [None, 0], [3, None], [4]]
    assert lines[4]["inputs"] == [0, None]
    assert lines[1]["file"] == "/usr/lib/other.py"


def test_no_control_character_of_a_name_is_printed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not in text, and in JSON only as an escape."""
    for words in ([], ["ops"], ["ops", "--json"], ["op", "4"], ["op", "4", "--json"], ["steps"]):
        printed = show(capsys, path, *words)
        assert printed.replace("\n", "").isprintable()
    assert json.loads(show(capsys, path, "op", "4", "--json"))["error"] == "RuntimeError: no\x1b[31m"


def test_the_run_in_one_document(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What ran, how it ended, what was ill, what was not seen."""
    answer = json.loads(show(capsys, path, "--json"))
    wanted = {
        "schema": "graphlens/run/1", "script": "train.py", "argv": ["train.py", "--lr", "1"],
        "state": "finished", "exit_code": 0, "signal": None, "ops": 6, "steps": 2, "graphs": 1,
        "frameworks": [{"name": "pytorch", "version": "2.13.0"}], "phases": {"forward": 4, "backward": 2},
        "non_finite": {"ops": 1, "nan": 1, "inf": 1, "first": {"seq": 5, "rank": 0, "process": 0}},
        "coverage": {"complete": True, "gaps": [], "count": 0},
    }  # fmt: skip

    assert {key: answer[key] for key in wanted} == wanted
    assert answer["processes"][0]["finished"] is True
    assert answer["size_bytes"] > 1000


def test_how_it_ended_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A signal by its name, and what was running."""
    running = {"p-4242-0badcafe": {"seq": 4, "node": 1, "name": "", "since_ns": 1}}
    log = small_run(tmp_path / "run.glens", ran(0), ran(1, op="aten.exp.default", site=7))
    log.declare(site(7, 12, "/home/ada/net.py"))
    log.facts(Gap("thread", "a second thread ran ops", Seq(0), 3))
    run_json(log.directory, exit_code=None, signal=9, running=running)
    text = show(capsys, log.directory)
    run_json(log.directory, state="running", ended=None, pid=2**22 + 5)
    lost = show(capsys, log.directory, "--plain")

    assert "killed by SIGKILL" in text
    assert "running when it ended: op 4 aten.exp.default (net.py:12)" in text
    assert "not looked at: thread: a second thread ran ops (3 times)" in text
    assert "lost:" in lost


def test_one_op_in_full(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON and as text."""
    answer = json.loads(show(capsys, path, "op", "5", "--json"))
    text = show(capsys, path, "op", "5")

    assert answer["schema"] == "graphlens/op/1"
    assert (answer["role"], answer["call"], answer["twin"], answer["where"]) == ("train", 1, 0, [[[0, 1]]])
    assert answer["forward"]["seq"] == 3
    assert answer["code"] == "x = model(y)"
    assert answer["frames"] == [{"file": "train.py", "line": 3, "function": "main"}]
    assert answer["arguments"] == [
        {"value": 1, "name": "aten.t.default", "kind": "made", "shape": [3], "dtype": "float32", "maker": 4}
    ]
    assert "backward of op 3 aten.mm.default train.py:2" in text
    assert "2 NaN, 1 -inf" in text


def test_modules_steps_graphs_and_source(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sums over all ops."""
    (net, fc1) = json.loads(show(capsys, path, "modules", "--json"))["modules"]
    steps = json.loads(show(capsys, path, "steps", "--json"))["calls"]
    (only,) = json.loads(show(capsys, path, "graphs", "--json"))["graphs"]
    source = json.loads(show(capsys, path, "source", "train.py", "--json"))

    assert (net["path"], net["ops"], fc1["path"], fc1["parent"]) == ("Net", 4, "Net.fc1", "Net")
    assert (fc1["forward"], fc1["backward"], fc1["nan"], fc1["took_ns"]) == (2, 2, 1, 2 * 22400)
    assert [(one["step"], one["nan"], one["first_bad"], one["ops"]) for one in steps] == [
        (0, 0, None, 3), (1, 1, 5, 3),
    ]  # fmt: skip
    assert (only["name"], only["nodes"], only["calls"]) == ("train", 3, 2)
    assert [(line["code"], line["ops"], line["nan"]) for line in source["lines"]] == [
        ("import torch", 0, 0), ("x = model(y)", 4, 1), ("loss.backward()", 0, 0),
    ]  # fmt: skip
    for what in (["modules"], ["steps"], ["graphs"], ["source", "/home/ada/train.py"]):
        assert show(capsys, path, *what)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["op", "99"], 1, "no op 99: there are ops 0 to 5 [unknown-op]"),
        (["op", "x"], 1, "'x' is not the number of an op"),
        (["op", "7:1"], 1, "no op 7:1: no process 7 in this run; it has: 0 (main) [unknown-op]"),
        (["ops", "--process", "x"], 1, "no process 'x' in this run; it has: 0 (main) [unknown-name]"),
        (["op"], 2, "needs the number of an op"),
        (["ops", "5"], 2, "takes nothing more"),
        (["tensors"], 2, "no 'tensors' to show; one of: ops, op, tensor, modules"),
        (["source", "none.py"], 1, "no source file 'none.py'; this run has: train.py [unknown-name]"),
    ],
)
def test_wrong_words_are_answered_in_one_line(
    path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    """Naming the thing and what there is."""
    assert main(["show", str(path), *words]) == code
    printed = capsys.readouterr()

    assert printed.out == ""
    assert said in printed.err
    assert printed.err.startswith("graphlens: ")
    assert printed.err.count("\n") == 1


def test_an_op_of_a_rank(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """RANK:N in a run of several processes."""
    other = LogWriter(path, pid=77, nonce="00000001").started(rank=1)
    other.declare(*seen(ran(0, op="aten.rank1.default"))).ran(0)

    assert json.loads(show(capsys, path, "op", "1:0", "--json"))["op"] == "aten.rank1.default"
    assert json.loads(show(capsys, path, "op", "0:0", "--json"))["op"] == "aten.mm.default"
    assert [line["rank"] for line in map(json.loads, show(capsys, path, "ops", "--json").splitlines())] == [
        0
    ] * 6 + [1]
    assert "1:0" in show(capsys, path, "ops")


def test_op_and_ops_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One by itself, or in the stream of all."""
    path = write_run(tmp_path / "run.glens", nodes=90, steps=3, nan_from=1)
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in show(capsys, path, "ops", "--json").splitlines()
    ]
    for seq in (0, 4, 100, 150, 200, len(lines) - 1):
        answer = json.loads(show(capsys, path, "op", str(seq), "--json"))
        assert {key: answer[key] for key in lines[seq]} == lines[seq]


def test_functions_stand_below_the_step_that_calls_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_function_run(tmp_path / "run.glens")
    calls = json.loads(show(capsys, path, "steps", "--json"))["calls"]
    lines = show(capsys, path, "steps").splitlines()

    assert [(one["step"], one["parent"], one["iteration"]) for one in calls] == [
        (0, None, None), (0, 0, None), (1, None, None), (1, 2, None),
    ]  # fmt: skip
    assert [line.strip().endswith("in it: double") for line in lines] == [False, False, True, False, True]


def test_the_epoch_is_said_where_it_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a call makes is in the epoch of that call; without any there is no column."""
    path = tmp_path / "run.glens"
    log = small_run(path, ran(0), steps=1)
    for call, (began, ended) in enumerate([(0, None), (0, 1), (1, -1)], 1):
        log.calls(CallBegan(CallId(2 * call), GraphId(0), Seq(log.seq), call, "train", epoch=began))
        log.calls(
            CallBegan(CallId(2 * call + 1), GraphId(0), Seq(log.seq), call, "train", parent=CallId(2 * call))
        )
        log.ran(0)
        log.calls(CallEnded(CallId(2 * call + 1), Seq(log.seq - 1)))
        log.calls(CallEnded(CallId(2 * call), Seq(log.seq - 1), epoch=ended))
    log.calls(CallsRan(CallId(8), "train", ((0, 4, 3, 4, -1, -1, -1),), epoch=7))
    calls = json.loads(show(capsys, path, "steps", "--json"))["calls"]
    lines = [line for line in show(capsys, path, "steps").splitlines() if "in it" not in line]

    assert [one["epoch"] for one in calls] == [None, 0, 0, 1, 1, None, None, 7]
    assert [line[:13].split() for line in lines] == [
        ["epoch", "step"], ["0"], ["0", "1"], ["1", "2"], ["3"], ["7", "4"],
    ]  # fmt: skip
    plain = small_run(tmp_path / "plain.glens", ran(0)).path.parent
    assert show(capsys, plain, "steps").split()[0] == "step"


@pytest.mark.parametrize(
    ("kind", "complete"),
    [("unfused", True), ("compiled", False)],
    ids=["now", "in older logs"],
)
def test_whether_everything_was_looked_at_is_said_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, complete: bool
) -> None:
    """By `show`, and by `why`: what Grappler cannot fuse was looked at all the same."""
    log = small_run(tmp_path / "run.glens", ran(0))
    log.facts(Gap(kind, "functions of which Grappler cannot fuse what is looked at", Seq(0), 2))  # type: ignore[arg-type]  # a word of its list
    shown = json.loads(show(capsys, log.directory, "--json"))
    assert main(["why", "--json", str(log.directory)]) == 0
    judged = json.loads(capsys.readouterr().out)
    text = show(capsys, log.directory)

    assert shown["coverage"]["complete"] is judged["coverage"]["complete"] is complete
    assert judged["status"] == ("clean" if complete else "incomplete")
    assert ("seen, but otherwise" in text) is complete and ("not looked at" in text) is not complete
