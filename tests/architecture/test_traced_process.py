"""What tracing leaves in the script's process: one package of ours, no thread, no descriptor."""

from __future__ import annotations

from pathlib import Path

import pytest

from architecture.observed import OURS, REPORT, Observed, intruders, left_open, plain, recorded

TRAINING = """
import torch
torch.set_num_threads(1)
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
optimizer = torch.optim.AdamW(model.parameters())
for step in range(3):
    optimizer.zero_grad()
    model(torch.randn(2, 4)).mean().backward()
    optimizer.step()
print("trained")
"""


def script(where: Path, body: str, name: str = "train.py") -> Path:
    where.mkdir(exist_ok=True)
    path = where / name
    path.write_text(body + REPORT)
    return path


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> tuple[Observed, Observed]:
    """One training script, traced and alone."""
    path = script(tmp_path_factory.mktemp("training"), TRAINING)
    return recorded(path), plain(path)


def test_traced_training_holds_one_package_of_ours(training: tuple[Observed, Observed]) -> None:
    """No numpy, msgspec or Textual that the script did not load itself, and no other code of ours."""
    traced, alone = training

    assert intruders(traced, alone) == set()
    assert traced.packages & set(OURS) == {"graphlens_tracers"}
    assert "sitecustomize" not in traced.modules or "graphlens" not in traced.modules["sitecustomize"]


def test_traced_training_has_no_thread_of_ours(training: tuple[Observed, Observed]) -> None:
    """A thread would share the script's GIL, its signals and its fork."""
    traced, alone = training

    assert (traced.threads, traced.tasks) == (alone.threads, alone.tasks)


def test_traced_training_has_no_descriptor_of_ours(training: tuple[Observed, Observed]) -> None:
    """Scripts close every descriptor and reuse the numbers; what we held open would be overwritten."""
    assert left_open(*training) == set()


def test_script_without_a_framework_gets_next_to_nothing(tmp_path: Path) -> None:
    """The bootstrap alone: no tracer, no sink, no vocabulary."""
    path = script(tmp_path, "print('hello')\n", "hello.py")
    traced, alone = recorded(path), plain(path)

    assert {name for name in traced.modules if name.partition(".")[0] in OURS} == set()
    assert left_open(traced, alone) == set()
    assert (traced.threads, traced.tasks) == (alone.threads, alone.tasks)
    assert traced.stdout == alone.stdout


def test_guards_see_a_thread_a_descriptor_and_a_module(tmp_path: Path) -> None:
    """Twin: a script that holds all three differs from one that does not."""
    holds = """
import graphlens, threading
kept = open(__file__)
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""
    guilty = plain(script(tmp_path, holds, "guilty.py"))
    innocent = plain(script(tmp_path, "", "innocent.py"))

    assert intruders(guilty, innocent) == {"graphlens"}
    assert [path for _, path in left_open(guilty, innocent)] == [str(tmp_path / "guilty.py")]
    assert (len(guilty.threads), guilty.tasks) == (len(innocent.threads) + 1, innocent.tasks + 1)


NAMESAKES = ("graphlens", "tracers", "tui", "events", "wire", "sink", "page", "api")


def test_files_beside_the_script_keep_their_names(tmp_path: Path) -> None:
    """A script's own graphlens.py or tracers.py is what it imports, traced or not."""
    for name in NAMESAKES:
        (tmp_path / f"{name}.py").write_text("WHOSE = 'the script\\'s'\n")
    names = ", ".join(NAMESAKES)
    path = script(
        tmp_path, f"import torch, {names}\ntorch.ones(2) + 1\nprint({'.WHOSE, '.join(NAMESAKES)}.WHOSE)\n"
    )
    traced = recorded(path)

    assert traced.stdout == plain(path).stdout
    for name in NAMESAKES:
        assert traced.modules[name] == str(tmp_path / f"{name}.py")


def test_file_beside_the_script_cannot_stand_in_for_ours(tmp_path: Path) -> None:
    """`graphlens_tracers` comes from our own location, whatever lies on the script's path."""
    (tmp_path / "graphlens_tracers.py").write_text("raise SystemExit('the wrong one')\n")
    traced = recorded(script(tmp_path, "import torch\ntorch.ones(2) + 1\n"))

    assert str(tmp_path) not in traced.modules["graphlens_tracers"]
