"""Commands start fast and work on a machine without a framework: seen in real processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from architecture.observed import REPORT, Observed, command, observed

FRAMEWORKS = {"torch", "tensorflow", "jax"}
HEAVY = {"textual", "rich", *FRAMEWORKS}


def heavy(process: Observed) -> set[str]:
    """What a command that prints a few lines should not have loaded."""
    return process.packages & HEAVY


@pytest.mark.parametrize(
    "words", [("--version",), ("--help",), ("runs",), ("doctor",), ("show", "nothing-here")]
)
def test_command_loads_neither_a_framework_nor_the_terminal_ui(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """They are for scripts and continuous integration too, where every start counts."""
    assert heavy(command(*words, where=tmp_path)) == set()


@pytest.mark.parametrize("words", [("--version",), ("--help",)])
def test_trivial_command_loads_no_numeric_library(words: tuple[str, ...], tmp_path: Path) -> None:
    """Importing numpy alone takes as long as a command may take in all."""
    assert not command(*words, where=tmp_path).packages & {"numpy", "networkx", "msgspec"}


def test_importing_the_package_loads_none_of_its_parts(tmp_path: Path) -> None:
    """Its public names are exported lazily: a notebook imports it next to a framework."""
    loaded = observed([sys.executable, "-c", "import graphlens\n" + REPORT], tmp_path)

    assert {name for name in loaded.modules if name.startswith("graphlens.")} == set()
    assert not loaded.packages & {"numpy", "networkx", "msgspec", *HEAVY}


def test_terminal_ui_and_exporters_load_no_framework(tmp_path: Path) -> None:
    """Tensors are looked at where they are, in the script's process, never in ours."""
    everything = "import graphlens.cli, graphlens.store, graphlens.exporters, graphlens_tui.app\n"

    assert not observed([sys.executable, "-c", everything + REPORT], tmp_path).packages & FRAMEWORKS


def test_guard_sees_a_heavy_import(tmp_path: Path) -> None:
    """Twin: a process that did load the terminal toolkit is caught."""
    assert heavy(observed([sys.executable, "-c", "import textual.app\n" + REPORT], tmp_path)) == {
        "textual",
        "rich",
    }
