"""The program as a person has it: in a real terminal, by keys, live and saved, with both frameworks.

Sizes are a small terminal, a usual one, and a large one. One case of each kind stays in `make test`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tmux import COMMAND, terminal

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
SIZES = [(80, 24), (120, 40), (200, 60)]


class Script(NamedTuple):
    """A script that takes a logarithm of 0 in its third step, and what a person sees of that."""

    text: str
    born: str
    line: str
    activation: str
    module: str


TORCH = Script(
    """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
for step in range(5):
    x, y = torch.randn(6, 8), torch.randint(0, 3, (6,))
    p = torch.softmax(model(x), dim=1)
    if step == 2:
        p = p * (p > 0.4)
    loss = -(p[torch.arange(6), y]).log().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: loss {loss.item():.3f}")
""",
    "aten.log.default",
    "loss = -(p[torch.arange(6), y]).log()",
    "relu",
    "Sequential",
)
KERAS = Script(
    """
import tensorflow as tf

tf.keras.utils.set_random_seed(0)
model = tf.keras.Sequential([tf.keras.layers.Dense(16, "relu"), tf.keras.layers.Dense(3)])
optimizer = tf.keras.optimizers.SGD(1e-2)


@tf.function
def train_step(x, y, cut):
    with tf.GradientTape() as tape:
        p = tf.nn.softmax(model(x))
        p = tf.where(p > cut, p, 0.0)
        loss = -tf.reduce_mean(tf.math.log(tf.gather(p, y, batch_dims=1)))
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    return loss


for step in range(4):
    x, y = tf.random.normal((6, 8)), tf.random.uniform((6,), 0, 3, tf.int32)
    loss = train_step(x, y, tf.constant(0.4 if step == 2 else -1.0))
    print(f"step {step}: loss {float(loss):.3f}")
""",
    "Log",
    "loss = -tf.reduce_mean(tf.math.log(",
    "Relu",
    "sequential",
)
SCRIPTS = {"pytorch": TORCH, "tensorflow": KERAS}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each framework train.py and what was recorded of it, made when they are first asked for."""

    class Made(dict[str, Path]):
        def __missing__(self, framework: str) -> Path:
            pytest.importorskip({"pytorch": "torch"}.get(framework, framework))
            self[framework] = folder = tmp_path_factory.mktemp(framework)
            (folder / "train.py").write_text(SCRIPTS[framework].text)
            record = [*COMMAND, "record", "-o", "train.glens", "train.py"]
            subprocess.run(record, cwd=folder, check=True, capture_output=True, timeout=300)
            return folder

    return Made()


def cases() -> list[object]:
    """Both frameworks, live and saved, at every size; the first of them is quick."""
    every = [
        pytest.param(framework, live, size, id=f"{framework}-{'live' if live else 'saved'}-{columns}x{rows}")
        for live in (False, True) for framework in SCRIPTS for size in SIZES for columns, rows in [size]
    ]  # fmt: skip
    return [every[0], *(pytest.param(*one.values, id=one.id, marks=pytest.mark.long) for one in every[1:])]


def line(pattern: str) -> re.Pattern[str]:
    """What a line begins with."""
    return re.compile("^" + pattern, re.M)


@pytest.mark.parametrize(("framework", "live", "size"), cases())
def test_every_mode(
    framework: str, live: bool, size: tuple[int, int], folders: dict[str, Path], tmp_path: Path
) -> None:
    folder, script = folders[framework], SCRIPTS[framework]
    words = ["run", str(folder / "train.py")] if live else ["open", str(folder / "train.glens")]
    born = script.born.removeprefix("aten.").removesuffix(".default")
    picture = tmp_path / "step.svg"
    with terminal(tmp_path, [*COMMAND, *words], size) as screen:
        screen.wait(
            "finished", "dataflow", line(".*1 Graph +2 Step +3 Tensor +4 Health +5 Runs .*∞"), seconds=180
        )
        screen.press("!")
        screen.wait(line(rf"▶ +\d+ .*▲.* {born} .*-∞"))
        screen.press("B")
        screen.wait("boxes of", "╭∞ born", re.compile(rf"▶ +▲ {born}"))
        screen.press("B")
        screen.wait("dataflow")
        screen.press("3")
        screen.wait(f"{born}:0", re.compile(rf"provenance.* {born}"))
        assert screen.wait("non-finite (").count("−∞") >= 4  # in the cells and in the list
        screen.press("4")
        screen.wait(f"infinity born in {script.born}", script.line, "reached the loss", "exactly 0")
        screen.press("5")
        screen.wait("Mark", line(r"│▶.*train.*finished"))
        screen.press("1", "s")
        screen.wait(line(r"│▶▲ .*log.*▲ *│"))
        screen.press("s", "P")
        screen.wait("enter goes there", "setup", "step")
        screen.press("escape", "?")
        screen.wait("any other key closes", "the elements that were kept")
        screen.press("escape", "/", script.activation, "enter")
        screen.wait(line(rf"▶ +\d+ .*{script.activation}"), " fit ")
        screen.press("&", "inf", "enter")
        screen.wait(re.compile(r"& inf +\d+ of [\d,]+ operations +[\d,]+ hidden"))
        screen.press("escape", ":", "op 3", "enter")
        screen.wait(line("▶ +3 "))
        screen.press("ctrl+p")
        screen.wait("an action, a module or an operation")
        screen.press("health")
        screen.wait(line("▶ +health"))
        screen.press("escape", "2")
        screen.wait("execution", "train.py", "Into")
        screen.press("1", "!")
        screen.wait(line(rf"▶ +\d+ .*▲.* {born} .*-∞"))
        screen.press("x")
        screen.wait(".svg")
        screen.press("ctrl+u", str(picture), "enter")
        _wait_for(picture)
        screen.press("q")
        assert screen.wait_for_end() == 0
    assert "<svg" in picture.read_text()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.is_file():
        assert time.monotonic() < end, f"{path} was not written"
        time.sleep(0.1)


def test_first_use(folders: dict[str, Path], tmp_path: Path) -> None:
    """From a run that went wrong to the element, its producer and a picture, in no more than 12 keys."""
    run = shutil.copytree(folders["pytorch"] / "train.glens", tmp_path / "train.glens")
    pressed: list[str] = []

    with terminal(tmp_path / "terminal", [*COMMAND, "open", str(run)], (100, 30)) as screen:

        def press(*keys: str) -> None:
            pressed.extend(keys)
            screen.press(*keys)

        screen.wait("dataflow")
        press("!")
        screen.wait(line("▶ .*▲.* log .*-∞"))
        press("4")
        screen.wait("what went wrong first", "is exactly 0 at 2 of 6 places")
        press("3")
        screen.wait("non-finite (2)")
        press("n")
        screen.wait(re.compile(r"cell \[\d\] = −∞ +← log\(0\)"))
        press("1")
        screen.wait("dataflow")
        press("g", "d")
        screen.wait(line("▶ .* index .* 0…"))
        press("x")
        screen.wait(".svg")
        press("enter")
        _wait_for(tmp_path / "terminal" / "train.svg")
        press("q")
        assert screen.wait_for_end() == 0
    assert len(pressed) <= 12
    assert "<svg" in (tmp_path / "terminal" / "train.svg").read_text()
