"""What the script has only printed is harm, too, where nothing else went wrong; a mask is none."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from recorded import pytorch, tensorflow
from verdict.judged import Answer, verdict_on

BEGIN = """
import torch
x = torch.tensor([4.0, -1.0, 0.0])
weight = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.SGD([weight], lr=0.1)
for step in range(3):
    seen = (x - step).log()
    loss = (weight * torch.where(seen.isfinite(), seen, 0.0)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step == 1:
        {}
"""
EAGERLY = """
import tensorflow as tf
x = tf.constant([4.0, -1.0, 0.0])
weight = tf.Variable(tf.ones(3))
for step in range(3):
    seen = tf.math.log(x - float(step))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(weight * tf.where(tf.math.is_finite(seen), seen, 0.0))
    weight.assign_sub(0.1 * tape.gradient(loss, weight))
    if step == 1:
        {}
"""


def verdict(script: str, folder: Path) -> Answer:
    file = folder / "script.py"
    file.write_text(script)
    return verdict_on(file, folder / "run.glens", tensorflow if "import tensorflow" in script else pytorch)


@pytest.mark.parametrize(
    "how",
    [
        "print(seen)",
        "text = repr(seen)",
        "text = f'at {step}: {seen[1:]}'",
        "text = str([seen])",
        "text = 'loss {}'.format({'seen': seen})",
        "print(seen.view(3, 1).detach())",
    ],
)
def test_a_tensor_that_is_printed_is_an_output(how: str, tmp_path: Path) -> None:
    """Of the step in which it was printed, whatever form it took."""
    answer = verdict(BEGIN.replace("{}", how, 1), tmp_path)
    origin = answer["origin"]

    assert (origin["op"], origin["kind"], origin["step"]) == ("aten.log.default", "nan", 1)
    assert answer["reached"]["kind"] == "output"
    assert "aten.log.default" not in [one["op"] for one in answer["benign"]]


@pytest.mark.parametrize(
    "how",
    [
        "print(seen)",
        "text = f'{seen}'",
        "text = repr([seen])",
        "tf.print('seen', seen)",
        "text = repr((seen, step))",
    ],
)
def test_an_eager_tensor_of_tensorflow_that_is_printed_is_an_output(how: str, tmp_path: Path) -> None:
    """The same words."""
    pytest.importorskip("tensorflow")
    answer = verdict(EAGERLY.replace("{}", how, 1), tmp_path)
    origin = answer["origin"]

    assert (origin["op"], origin["kind"], origin["step"]) == ("Log", "nan", 1)
    assert answer["reached"]["kind"] == "output"


@pytest.mark.parametrize(
    "how",
    [
        "pass",
        "print(torch.zeros(3).masked_fill(x > 0, float('-inf')))",  # a mask
        "print(torch.full((2,), float('inf')), torch.tensor([1.0, float('nan')]))",  # meant so
        "print(torch.tensor([1.0, 0.0]).log())",  # minus infinity: the logarithm of a mask
        "print(torch.triu(torch.full((2, 2), float('-inf')), 1) + torch.zeros(2, 2))",
        "print(loss, weight)",
    ],
)
def test_what_people_know_when_they_print_it_is_none(how: str, tmp_path: Path) -> None:
    """Nor what is only computed."""
    answer = verdict(BEGIN.replace("{}", how, 1), tmp_path)

    assert (answer["origin"], answer["status"]) == (None, "clean")


def test_what_does_more_harm_comes_first(tmp_path: Path) -> None:
    """However early something else was printed."""
    harm = "print(seen); optimizer.param_groups[0]['params'][0].data.div_(0.0)"
    answer = verdict(BEGIN.replace("{}", harm, 1), tmp_path)

    assert answer["reached"]["kind"] != "output"
    assert answer["origin"]["op"].startswith("aten.div_")
