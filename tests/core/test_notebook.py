"""`graphlens.load` and `graphlens.record`: in the same process, and nothing needs the command line."""

from __future__ import annotations

import io
import linecache
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch

import graphlens
from factories import new_run, write_run
from graphlens.exporters import exporters
from graphlens.exporters.nodelink import loads
from graphlens_tracers import sites
from graphlens_tracers.errors import CannotStart, FileExists, UnknownName, Usage
from graphlens_tracers.events import Phase
from host_processes import RECORD


class Net(torch.nn.Module):
    """Two layers and a dropout: it uses random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = torch.nn.Linear(4, 8), torch.nn.Linear(8, 2)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One pass."""
        hidden: torch.Tensor = self.drop(torch.relu(self.fc1(x)))
        made: torch.Tensor = self.fc2(hidden)
        return made


def trained(model: Net, optimizer: torch.optim.Optimizer, x: torch.Tensor, steps: int) -> torch.Tensor:
    """A few training steps; the last loss."""
    loss = torch.zeros(())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
    return loss.detach()


def prepared() -> tuple[Net, torch.optim.Optimizer, torch.Tensor]:
    """The same each time."""
    torch.manual_seed(3)
    model = Net()
    return model, torch.optim.SGD(model.parameters(), lr=0.1), torch.randn(5, 4)


def test_recording_changes_nothing() -> None:
    model, optimizer, x = prepared()
    plain = trained(model, optimizer, x, 3)
    weights, state = [one.clone() for one in model.parameters()], torch.get_rng_state()
    model, optimizer, x = prepared()
    call = graphlens.record(trained, model, optimizer, x, steps=3)

    assert torch.equal(call.result, plain)
    assert all(map(torch.equal, model.parameters(), weights))
    assert torch.equal(torch.get_rng_state(), state)


def test_steps_modules_and_lines_are_those_of_the_function() -> None:
    call = graphlens.record(trained, *prepared(), 3)
    process = call.main
    steps = [one for one in process.calls() if one.role == "train"]
    nodes = [call.graph.node(node) for node in call.graph.order]

    assert call.info.name == "trained-1" and call.info.state == "finished"
    assert [one.step for one in steps] == [0, 1, 2]
    layers = [node for node in nodes if "addmm" in node.op and node.phase is Phase.FORWARD]
    assert {process.scope_path(node) for node in layers} == {"Net.fc1", "Net.fc2"}
    assert {node.phase for node in nodes} >= {Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER}
    files = {site.file for site in process.sites.values()}
    assert __file__ in files and not [file for file in files if "graphlens" in Path(file).name]
    assert not process.gaps and not Path(call.info.pages).exists()


def test_exception_is_the_functions_own() -> None:
    def fails() -> None:
        torch.ones(3).exp()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine") as caught:
        graphlens.record(fails)
    assert traceback.extract_tb(caught.value.__traceback__)[-1].name == "fails"
    run = graphlens.load("last")
    assert run.info.name == "fails-1" and run.info.exit_code == 1
    assert [run.graph.node(node).op for node in run.graph.order][-1] == "aten.exp.default"


def test_nothing_of_ours_stays_in_place() -> None:
    before = torch.nn.Module.__call__, torch.optim.Optimizer.__init__, torch.autograd.Function.apply
    graphlens.record(torch.ones, 3)
    torch.ones(3).exp()

    assert graphlens.load("last").main.op_count == 1
    assert (torch.nn.Module.__call__, torch.optim.Optimizer.__init__, torch.autograd.Function.apply) == before


def test_only_one_recording_at_a_time() -> None:
    with pytest.raises(CannotStart, match="being recorded already"):
        graphlens.record(lambda: graphlens.record(torch.ones, 3))
    assert graphlens.record(torch.ones, 3).result.sum() == 3


def test_forked_child_is_not_recorded() -> None:
    def forks() -> int:
        child = os.fork()
        if child == 0:
            torch.ones(3).exp().log()
            os._exit(7)
        torch.ones(2)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    call = graphlens.record(forks)

    assert call.result == 7
    # one log for each framework that another test has imported
    assert all(one.pid == os.getpid() and one.finished for one in call.processes())
    assert sum(one.op_count for one in call.processes()) == 1


def test_cell_of_a_notebook_keeps_its_source() -> None:
    """It has no file; IPython puts its text where tracebacks look."""
    name, text = "/tmp/ipykernel_1/2.py", "def cell(x):\n    return x.exp()\n"
    entry: Any = (len(text), None, text.splitlines(keepends=True), name)
    linecache.cache[name] = entry
    scope: dict[str, Any] = {}
    exec(compile(text, name, "exec"), scope)
    process = graphlens.record(scope["cell"], torch.ones(2)).main
    site = process.site_of(next(iter(process.nodes.values())))

    assert site is not None and (site.file, site.line) == (name, 2)
    assert process.source(name) == text
    assert sites._cell(__file__) == b""


def test_wrong_words() -> None:
    with pytest.raises(Usage, match="'fast' is none of structure, health"):
        graphlens.record(torch.ones, 3, level="fast")
    with pytest.raises(Usage, match="is none of none, bad"):
        graphlens.record(torch.ones, 3, keep="some")


def test_process_that_has_no_framework_or_is_recorded_says_so(tmp_path: Path) -> None:
    code = (
        "import graphlens\ntry:\n    graphlens.record(print)\nexcept Exception as error:\n    print(error)\n"
    )
    plain = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (tmp_path / "train.py").write_text("import torch\n" + code)
    inside = subprocess.run([*RECORD, str(tmp_path / "train.py")], capture_output=True, text=True, check=True)

    assert plain.stdout == "nothing to record: import torch or tensorflow first [cannot-start]\n"
    assert inside.stdout == "this process is being recorded already [cannot-start]\n"


@pytest.mark.long
def test_function_of_tensorflow(tmp_path: Path) -> None:
    code = (
        "import tensorflow as tf, graphlens\n"
        "@tf.function\n"
        "def step(x):\n    return tf.reduce_sum(tf.exp(x))\n"
        "call = graphlens.record(step, tf.ones([3]))\n"
        "again = graphlens.record(step, tf.ones([3]))\n"
        "print(float(call.result) == float(again.result))\n"
        "print(*sorted({node.op for run in (call, again) for node in run.main.nodes.values()}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    equal, ops = done.stdout.splitlines()

    assert equal == "True"
    assert {"Exp", "Sum"} <= set(ops.split())


# ── files ────────────────────────────────────────────────────────────────────────────────────


def test_run_exports_itself(tmp_path: Path) -> None:
    run = graphlens.load(write_run(tmp_path / "train.glens", nodes=300, steps=2))
    json_file = run.export(tmp_path / "a.json")
    dark = run.export(str(tmp_path / "a.svg"), graphlens.Options(theme="dark", phase="forward"))

    assert loads(json_file.read_bytes()).order == run.graph.order
    assert "prefers-color-scheme" not in dark.read_text()
    with pytest.raises(FileExists):
        run.export(dark)
    run.export(dark, force=True)
    assert run.export(tmp_path / "b.txt", format="dot").read_text().startswith("digraph")
    with pytest.raises(UnknownName, match=r"no exporter for '\.gif'"):
        run.export(tmp_path / "a.gif")


def test_notebook_shows_the_default_picture(tmp_path: Path) -> None:
    run = graphlens.load(write_run(tmp_path / "train.glens", nodes=300, steps=2))
    out = io.BytesIO()
    next(one for one in exporters() if one.name == "svg").export(run, out, graphlens.Options())

    assert run._repr_svg_() == out.getvalue().decode()


def test_run_with_nothing_in_it_shows_nothing(tmp_path: Path) -> None:
    new_run(tmp_path / "empty.glens")

    assert graphlens.load(tmp_path / "empty.glens")._repr_svg_() is None
    with pytest.raises(UnknownName, match="no operation was recorded"):
        _ = graphlens.load(tmp_path / "empty.glens").graph
