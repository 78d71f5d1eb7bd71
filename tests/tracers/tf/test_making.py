"""Where layers are made: what they compute in `fit` has no line of the script's own."""

from __future__ import annotations

import inspect
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import keras as _keras
import numpy as np
import pytest
import tf_keras as _tf_keras

from recorded import recorded, tensorflow

keras: Any = _keras  # their sources have the wrong types
tf_keras: Any = _tf_keras


def line_of(words: str) -> int:
    """The line of this file that ends with a comment."""
    lines = Path(__file__).read_text().splitlines()
    return next(k for k, line in enumerate(lines, 1) if line.endswith(f"# {words}"))


@pytest.mark.parametrize("of", [keras, tf_keras], ids=["Keras 3", "Keras 2"])
def test_a_layer_says_which_line_has_made_it(of: Any, tmp_path: Path) -> None:
    """Also one that another layer has made, and a model."""

    class Block(of.layers.Layer):  # type: ignore[misc]  # one of two classes
        def __init__(self, **more: Any) -> None:
            super().__init__(**more)
            self.inner = of.layers.Dense(3, name="inner")  # inner

        def call(self, x: Any) -> Any:
            return self.inner(x)

    def program() -> None:
        block = Block(name="block")  # block
        model = of.Sequential([of.Input((2,)), block, of.layers.Dense(1, name="last")], name="model")  # model
        model.compile("sgd", "mse")
        model.fit(np.ones((4, 2), np.float32), np.ones((4, 1), np.float32), verbose=0)

    process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    made = {}
    for scope in process.scopes.values():
        site = process.scope_site(scope.scope)
        made[scope.path] = None if site is None else (Path(site.file).name, site.line)
    file = Path(__file__).name
    wanted = {"model": "model", "model.block": "block", "model.block.inner": "inner", "model.last": "model"}
    assert {path: made.get(path) for path in wanted} == {
        path: (file, line_of(words)) for path, words in wanted.items()
    }


def test_classes_are_as_they_were(tmp_path: Path) -> None:
    """While it is recorded a layer has the signature it had, and afterwards its own `__new__`."""
    before = keras.layers.Layer.__dict__["__new__"], inspect.signature(keras.layers.Dense)
    seen = []

    recorded(
        lambda: seen.append(inspect.signature(keras.layers.Dense)), tmp_path / "run.glens", of=tensorflow
    )

    assert seen == [before[1]]
    assert keras.layers.Layer.__dict__["__new__"] is before[0]


def test_an_error_where_a_layer_is_made_is_the_scripts(tmp_path: Path) -> None:
    """Its traceback has no place of ours."""
    seen: list[list[str]] = []

    class Refused(keras.layers.Layer):  # type: ignore[misc]  # as above
        @property
        def build(self) -> Any:
            raise ValueError("not made")

    def program() -> None:
        try:
            Refused()
        except ValueError as error:
            seen.append([frame.filename for frame in traceback.extract_tb(error.__traceback__)])

    program()
    recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert len(seen) == 2 and seen[0] == seen[1]


def test_layers_that_are_made_before_anything_runs_are_known(tmp_path: Path) -> None:
    """Keras is imported after TensorFlow, and a model can be there before the first operation."""
    script = tmp_path / "train.py"
    script.write_text(
        "import keras, numpy as np\n"
        "model = keras.Sequential([\n"
        "    keras.layers.Dense(1, name='only'),\n"
        "])\n"
        "model.compile('sgd', 'mse')\n"
        "model.fit(np.ones((2, 2), 'float32'), np.ones((2, 1), 'float32'), verbose=0)\n"
    )
    record = [sys.executable, "-m", "graphlens", "record", "-q", "-o", "run.glens", "train.py"]
    subprocess.run(record, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    show = [sys.executable, "-m", "graphlens", "show", "run.glens", "modules"]
    said = subprocess.run(show, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60).stdout

    assert "only (Dense, made at train.py:3)" in said
