"""Every drop-in exports what its folder promises: a new file is found, a wrong one is named."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import get_args

import pytest

import graphlens.cli
from graphlens.exporters import Exporter
from graphlens_tracers import discover
from graphlens_tui.panes import Pane, Slot


def test_every_exporter_is_one() -> None:
    found = discover.drop_ins("graphlens.exporters", "EXPORTER", Exporter)

    assert {exporter.suffix for exporter in found} >= {".svg", ".html", ".dot", ".json"}
    assert len({exporter.name for exporter in found}) == len(found)


def test_every_tracer_is_found_without_its_framework() -> None:
    assert [(spec.name, spec.trigger) for spec in discover.tracers()] == [
        ("pytorch", "torch"),
        ("tensorflow", "tensorflow"),
    ]


def test_every_pane_is_one() -> None:
    found = discover.drop_ins("graphlens_tui.panes", "PANE", type)

    assert found
    for pane in found:
        assert issubclass(pane, Pane)
        assert pane.TITLE and pane.HELP and pane.SLOT in get_args(Slot)


def test_every_command_can_add_itself_and_go() -> None:
    for module in pkgutil.iter_modules(graphlens.cli.__path__, "graphlens.cli."):
        if not module.name.rpartition(".")[2].startswith("_"):
            found = importlib.import_module(module.name)
            assert callable(getattr(found, "add_to", None)), module.name
            assert callable(getattr(found, "go", None)), module.name


def test_drop_in_without_its_export_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twin: a file left half-written is an error, not an exporter that is silently missing."""
    folder = tmp_path / "formats_for_a_test"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "gif.py").write_text("EXPORT = 'misspelt'\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(discover.BadDropIn, match=r"formats_for_a_test\.gif exports no EXPORTER"):
        discover.drop_ins("formats_for_a_test", "EXPORTER", Exporter)
    (folder / "gif.py").write_text("class EXPORTER:\n    name = 'gif'\n")
    del sys.modules["formats_for_a_test.gif"]
    with pytest.raises(discover.BadDropIn, match=r"it lacks export, suffix"):
        discover.drop_ins("formats_for_a_test", "EXPORTER", Exporter)
