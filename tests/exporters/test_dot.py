"""DOT that Graphviz accepts, in which no name means anything."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from graphlens.exporters import Options
from graphlens.exporters.dot import quoted, text
from models import Model, mlp, residual, transformer, two_towers

HAS_DOT = shutil.which("dot") is not None

HOSTILE = [
    'a"]; evil [label="x',
    "<b>html</b>",
    "back\\slash \\N \\G \\",
    "new\nline \x00 \x1b[31m",
    "a:b -> c;",
    "\ud800",
    "x" * 100_000,
    "名前 ميسا 🙂",
]


def rendered(document: str) -> str:
    """What `dot` makes of it."""
    done = subprocess.run(["dot", "-Tplain"], input=document.encode(), capture_output=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.skipif(not HAS_DOT, reason="Graphviz is not installed")
@pytest.mark.parametrize("model", [mlp(), residual(), transformer(12), two_towers()], ids=lambda m: m.name)
@pytest.mark.parametrize("phase", ["forward", "both", "backward"])
def test_graphviz_draws_it(model: Model, phase: str) -> None:
    document = text(model.subject(), Options(phase=phase))  # type: ignore[arg-type]  # as typed
    plain = rendered(document)

    drawn = len(re.findall(r"^node ", plain, re.MULTILINE))
    assert drawn == len(re.findall(r"^\s*[nb]\d+ \[", document, re.MULTILINE))


@pytest.mark.skipif(not HAS_DOT, reason="Graphviz is not installed")
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_make_no_nodes(name: str) -> None:
    model = Model(name)
    x = model.batch(name, 2, 3)
    with model.module(name, name):
        model.op(name, x, model.parameter(name, 3))
        model.op("relu", model.op(name, x))
    plain = rendered(text(model.subject()))

    assert set(re.findall(r"^node (\S+)", plain, re.MULTILINE)) <= {f"n{k}" for k in range(12)}


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_quoted_string_ends_where_it_should(name: str) -> None:
    """Without Graphviz too: one opening quote, one closing quote, no bare one between."""
    said = quoted(name)

    assert re.fullmatch(r'"(?:[^"\\]|\\\\|\\")*"', said)
    assert len(said) < 2_000


def test_labels_are_never_html() -> None:
    document = text(transformer(4, sick=2).subject())

    assert not re.search(r"label=<", document)
    assert "born here" in document
