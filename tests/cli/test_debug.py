"""`graphlens debug`: words in, answers out, and the script does what it does without us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DEBUG = [sys.executable, "-P", "-m", "graphlens", "debug", "--json", "-q"]

PYTORCH = """
import torch
torch.manual_seed(0)
weight = torch.randn(3, 3, requires_grad=True)
for step in range(3):
    loss = (weight @ torch.randn(3, 2)).tanh().pow(2).mean()
    loss.backward()
    with torch.no_grad():
        weight -= 0.1 * weight.grad
    weight.grad = None
    print(step, loss.item())
print(weight.tolist())
"""

TENSORFLOW = """
import tensorflow as tf
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
tf.random.set_seed(0)
weight = tf.Variable([[0.5], [-0.25], [1.0]])

@tf.function
def train(x):
    with tf.GradientTape() as tape:
        h = tf.matmul(x, weight)
        i = tf.constant(0)
        while i < 4:
            h = tf.tanh(h) + 1.0
            i += 1
        loss = tf.reduce_sum(h * h)
    weight.assign_sub(0.1 * tape.gradient(loss, weight))
    return loss

for step in range(2):
    noise = tf.random.normal([2, 3])
    print(step, train(tf.ones([2, 3])).numpy().tolist(), noise.numpy().tolist())
print(weight.numpy().tolist())
"""


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def debugged(script: Path, words: str, *options: str) -> list[dict[str, Any]]:
    """The answers to these words, the script's end last."""
    out = script.with_suffix(".glens")
    command = [*DEBUG, "--force", "-o", str(out), *options, str(script)]
    done = subprocess.run(
        command, input=words, env=environment(), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def printed(answers: list[dict[str, Any]]) -> str:
    return "".join(one["text"] for one in answers if one["answer"] == "printed" and one["stream"] == "stdout")


def plain(script: Path) -> str:
    done = subprocess.run(
        [sys.executable, script], env=environment(), capture_output=True, text=True, timeout=240, check=True
    )
    return done.stdout


def stops(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in answers if one["answer"] == "stopped"]


def test_words_and_answers(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(PYTORCH)
    answers = debugged(
        script,
        "break aten.tanh\ncontinue\nwhere\nprint in0\nbrake x\nbreak\nafter\noutputs\nuntil phase\n"
        "print loss\nbreakpoints\ndelete\nuntil training-step\nrestart\nwhy\ndetach\n",
    )

    kinds = [one["answer"] for one in answers if one["answer"] != "printed"]
    assert kinds[:6] == ["stopped", "breakpoint", "stopped", "where", "value", "error"]
    assert "did you mean 'break'" in answers[5]["error"]
    first, tanh, after, *_ = stops(answers)
    assert first["seq"] == 0 and tanh["op"] == "aten.tanh.default" and tanh["why"] == "breakpoint 1"
    assert (after["seq"], after["when"]) == (tanh["seq"], "after")
    begun = stops(answers)[-2:]
    assert begun[0]["seq"] == begun[1]["seq"] > after["seq"]  # once more, to the same operation
    assert answers[-1] == {"answer": "ended", "exit_code": 0, "signal": None}
    assert printed(answers).endswith(plain(script))


def test_breakpoints_are_kept_with_the_project_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "train.py"
    script.write_text(PYTORCH)
    kept = tmp_path / ".graphlens.toml"
    kept.write_text('# mine\n[debug]\nbreak = [{ where = "aten.tanh", ignore = 1 }]\n[other]\na = 1\n')
    monkeypatch.chdir(tmp_path)
    answers = debugged(
        script,
        "continue\ncondition 1 step == 2\ncontinue\nbreak train.py:7\nedit 2 backward\nignore 1 0\n"
        "disable 1\ntbreak aten.mean\nsave\nbreakpoints\nedit 7 x\ncondition 1 1 +\ncontinue\n",
    )

    tanh = [(one["op"], one["step"]) for one in stops(answers)]
    assert tanh[1:3] == [("aten.tanh.default", 1), ("aten.tanh.default", 2)]
    (listed,) = [one["breakpoints"] for one in answers if one["answer"] == "breakpoints"][-1:]
    assert [(one["text"], one["enabled"], one["hits"]) for one in listed] == [
        ("aten.tanh if step == 2", False, 3), ("phase backward", True, 0), ("aten.mean", True, 0),
    ]  # fmt: skip
    assert [one["error"][:30] for one in answers if one["answer"] == "error"] == [
        "there is no breakpoint 7", "the condition '1 +' is no expr",
    ]  # fmt: skip
    text = kept.read_text()
    assert text.startswith("# mine\n[debug]\n") and text.endswith("[other]\na = 1\n")
    assert tomllib.loads(text)["debug"]["break"] == [
        {"where": "aten.tanh if step == 2", "enabled": False}, "phase:backward",
    ]  # fmt: skip


WAYS = [
    "step 7",
    "until phase",
    *(pytest.param(way, marks=pytest.mark.long) for way in ("next", "out", "continue")),
]


@pytest.mark.parametrize("way", WAYS)
def test_a_tensorflow_script_that_is_stopped_does_not_notice(way: str, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TENSORFLOW)
    answers = debugged(script, "break Tanh\ntbreak AssignSubVariableOp\n" + f"{way}\n" * 25)

    assert printed(answers) == plain(script)
    inside = [one for one in stops(answers) if one["graph"]]
    assert inside and all(one["seq"] >= 0 for one in inside)
    if way == "continue":
        rounds = [one["graphs"][-1]["iteration"] for one in inside if one["op"] == "Tanh"]
        assert rounds == [0, 1, 2, 3, 0, 1, 2, 3]
        assert all(one["source"][0]["line"] == 13 for one in inside if one["op"] == "Tanh")


def test_a_value_is_changed_in_one_iteration_of_a_loop(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(TENSORFLOW)
    answers = debugged(script, "break Tanh\nignore 1 2\ncontinue\nset out0 = x * 0\ndelete\ncontinue\n")

    (stop,) = [one for one in stops(answers) if one["op"] == "Tanh"]
    assert stop["graphs"][-1]["iteration"] == 2
    # From the third round on everything is as if tanh had given 0.
    h = np.tanh(np.zeros((2, 1)) + 1.0) + 1.0
    loss = float(printed(answers).split()[1])
    assert loss == pytest.approx(float((h * h).sum()), rel=1e-6)
