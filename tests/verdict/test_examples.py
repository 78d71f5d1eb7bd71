"""What is told of the elements where something was born: against the tensors themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphlens
from graphlens.verdict import verdict_answer
from graphlens_tracers.api import Keep
from recorded import BAD, recording, tensorflow

torch = pytest.importorskip("torch")

Answer = dict[str, Any]  # Any: JSON


def _origin(run: Path, program: Callable[[], Any], keep: Keep = BAD) -> Answer:
    """The origin, where what the program gives is the loss."""
    with recording(run, keep=keep):
        program().item()
    origin: Answer = verdict_answer(graphlens.load(run))["origin"]
    return origin


def _words(value: float) -> float | str:
    return value if np.isfinite(value) else "nan" if np.isnan(value) else "inf" if value > 0 else "-inf"


CASES: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "log of what is below 0": (lambda x, y: x.log(), "is below 0 at {below} of 40 places"),
    "root": (lambda x, y: x.sqrt(), "is below 0 at {below} of 40 places"),
    "acos": (lambda x, y: (4 * x).acos(), "leaves -1 … 1 at {beyond} of 40 places"),
    "0/0": (lambda x, y: y / y, "both exactly 0 at {zero} of 40 places: 0/0"),
    "0 * inf": (lambda x, y: torch.full_like(y, torch.inf) * y, "0 at {zero} of 40 places"),
    "rows": (
        lambda x, y: torch.where(y == 0, y, -torch.inf).softmax(-1),
        "{masked} of 8 rows of",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_places_are_counted(tmp_path: Path, name: str) -> None:
    """In the cause; and the examples are elements of the tensors."""
    of, words = CASES[name]
    torch.manual_seed(3)
    x, y = torch.randn(8, 5), torch.randint(0, 4, (8, 5)).float()
    y[0] = 1.0
    counts = {
        "below": int((x < 0).sum()),
        "beyond": int((4 * x).abs().gt(1).sum()),
        "zero": int((y == 0).sum()),
        "masked": int((y != 0).all(-1).sum()),
    }
    origin = _origin(tmp_path / "run.glens", lambda: of(x, y).nansum() * 0 + of(x, y).sum())

    assert words.format(**counts) in origin["cause"]
    made = of(x, y)
    first = [list(place) for place in np.argwhere(np.isnan(made.numpy()))[:4].tolist()]
    assert [one["at"] for one in origin["examples"]] == first
    for one in origin["examples"]:
        assert one["made"] == _words(made[tuple(one["at"])].item())


def test_inputs_that_are_broadcast_are_read_where_they_count(tmp_path: Path) -> None:
    """As NumPy does it."""
    above, below = torch.ones(2, 3, 4), torch.tensor([1.0, 0.0, 2.0])[:, None]
    origin = _origin(tmp_path / "run.glens", lambda: (above / below).sum())

    assert origin["examples"] == [
        {"at": [0, 1, k], "made": "inf", "read": [{"input": 0, "value": 1.0}, {"input": 1, "value": 0.0}]}
        for k in range(4)
    ]


def test_without_elements_the_cause_is_as_exact_as_ranges_are(tmp_path: Path) -> None:
    """Nothing is made up."""
    given = torch.tensor([-1.0, 2.0, 0.0])
    origin = _origin(tmp_path / "run.glens", lambda: given.log().sum(), keep=Keep(bad=False))

    assert origin["examples"] == [] and origin["unreadable"] is None
    assert origin["cause"].endswith("is below 0: its minimum is -1")


def test_damaged_elements_are_said(tmp_path: Path) -> None:
    """And the verdict is what it is."""
    run = tmp_path / "run.glens"
    _origin(run, lambda: torch.tensor([-1.0, 2.0, 0.0]).log().sum())
    file = next(run.glob("values-*.bin"))
    file.write_bytes(b"\xff" * file.stat().st_size)
    origin = verdict_answer(graphlens.load(run))["origin"]

    assert origin["op"] == "aten.log.default" and origin["examples"] == []
    assert "damaged" in origin["unreadable"]


def test_an_eager_operation_of_tensorflow_has_examples(tmp_path: Path) -> None:
    """The same words."""
    tf = pytest.importorskip("tensorflow")
    with recording(tmp_path / "run.glens", of=tensorflow):
        variable = tf.Variable([4.0, -1.0, 0.0, -9.0])
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sqrt(variable))
        tape.gradient(loss, variable)
    origin = verdict_answer(graphlens.load(tmp_path / "run.glens"))["origin"]

    assert origin["op"] == "Sqrt"
    assert "is below 0 at 2 of 4 places: its minimum is -9" in origin["cause"]
    assert [(one["at"], one["made"]) for one in origin["examples"]] == [([1], "nan"), ([3], "nan")]
    assert [one["read"][0]["value"] for one in origin["examples"]] == [-1.0, -9.0]
