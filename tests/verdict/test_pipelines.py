"""What the verdict says of numbers that come out of tf.data: its functions run where nobody sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")

from recorded import tensorflow
from verdict.judged import verdict_on

SCRIPT = """
import numpy as np
import tensorflow as tf

prices = np.ones((8, 2), "float32")
prices[5, 1] = {entering}

def prepare(row):
    {function}

dataset = tf.data.Dataset.from_tensor_slices(prices).map(prepare).batch(4)
w = tf.Variable(1.0)
for rows in dataset:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(w * rows)
    w.assign_sub(0.1 * tape.gradient(loss, w))
"""
LINE = 9
"""The function's."""


def origin_and_hints(folder: Path, entering: str, function: str) -> tuple[Any, list[str]]:
    """What is blamed, and what is to be looked at in functions of tf.data."""
    script = folder / "script.py"
    script.write_text(SCRIPT.format(entering=entering, function=function))
    answer = verdict_on(script, folder / "run.glens", tensorflow)
    return answer["origin"], [words for words in answer["advice"] if "tf.data" in words]


@pytest.mark.parametrize(
    ("entering", "function", "op", "kind"),
    [
        ("0.0", "return (tf.math.log(row) - 2.0) / 3.0", "Log", "inf"),
        ("-1.0", "return tf.sqrt(tf.nn.relu(row) * 2.0 - 1.0)", "Sqrt", "nan"),
        ("0.0", "return tf.exp(tf.minimum(row, 3.0)) / row", "RealDiv", "inf"),
        ("1e30", "return tf.square(row) - row", "Square", "inf"),
        ("7e4", "return tf.cast(tf.cast(row, tf.float16), tf.float32)", "Cast", "inf"),
    ],
)
def test_the_only_one_that_can_have_made_it_is_blamed(
    entering: str, function: str, op: str, kind: str, tmp_path: Path
) -> None:
    """By what enters: what is finite and not too large becomes infinite in one of them alone."""
    origin, hints = origin_and_hints(tmp_path, entering, function)

    assert (origin["op"], origin["line"], origin["kind"], origin["phase"]) == (op, LINE, kind, "data")
    assert origin["deduced"] and origin["cause"].startswith("deduced")
    assert origin["step"] == 1 and not hints


def test_where_several_can_have_made_it_they_are_named(tmp_path: Path) -> None:
    """And none is blamed."""
    origin, hints = origin_and_hints(tmp_path, "0.0", "return tf.math.log(row) + 1.0 / (row + 1.0)")

    assert (origin["op"], origin["phase"], origin["deduced"]) == ("IteratorGetNext", "data", False)
    assert [words.split()[2] for words in hints] == ["Log", "RealDiv"]
    assert all(f"script.py:{LINE} in prepare" in words for words in hints)


@pytest.mark.parametrize(
    "function", ["return tf.nn.relu(row) - 2.0", "return tf.math.log(row)"], ids=["safe", "suspicious"]
)
def test_what_enters_as_it_comes_out_is_deduced_to_be_nobodys(function: str, tmp_path: Path) -> None:
    """The numbers that the dataset is made of are NaN already."""
    origin, hints = origin_and_hints(tmp_path, "np.nan", function)

    assert (origin["op"], origin["deduced"]) == ("IteratorGetNext", False)
    assert bool(hints) == ("log" in function)
