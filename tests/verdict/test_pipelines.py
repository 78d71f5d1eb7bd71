"""What the verdict says of numbers that come out of tf.data: its functions run where nobody sees."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tensorflow")

from recorded import tensorflow
from verdict.judged import verdict_on
from verdict.truth import CASES, truth

SAFE = """
import numpy as np
import tensorflow as tf

prices = np.ones((8, 2), "float32")
prices[5, 1] = np.nan
dataset = tf.data.Dataset.from_tensor_slices(prices).map(lambda row: tf.nn.relu(row) - 2.0).batch(4)
w = tf.Variable(1.0)
for rows in dataset:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(w * rows)
    w.assign_sub(0.1 * tape.gradient(loss, w))
"""


def test_what_may_have_made_it_is_named(tmp_path: Path) -> None:
    """The author says which operation it was; the verdict names it as one to look at."""
    case = CASES / "tensorflow" / "dataset_map_log.py"
    born = truth(case).born
    answer = verdict_on(case, tmp_path / "run.glens", tensorflow)

    assert born is not None
    assert (answer["origin"]["op"], answer["origin"]["phase"]) == ("IteratorGetNext", "data")
    hints = [words for words in answer["advice"] if "tf.data" in words]
    assert len(hints) == 1
    assert born.op in hints[0] and f"dataset_map_log.py:{born.line} in prepare" in hints[0]


def test_what_makes_nothing_is_not_suspected(tmp_path: Path) -> None:
    """Its function can only have handed on what it was given."""
    script = tmp_path / "script.py"
    script.write_text(SAFE)
    answer = verdict_on(script, tmp_path / "run.glens", tensorflow)

    assert answer["origin"]["op"] == "IteratorGetNext"
    assert answer["advice"] and not any("tf.data" in words for words in answer["advice"])
