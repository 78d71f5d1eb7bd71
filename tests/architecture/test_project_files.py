"""The project's files: no path of a machine, every version pinned, every package typed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphlens
from graphlens_tracers import discover

# Folders that only one machine has, or one person. Not after a letter, a variable or a dot: those
# are relative paths and addresses.
_PLACES = ("home", "root", "Users", "Volumes", "mnt", "srv", "opt", "work", "data", "private")
# /home/ada is nobody's: the tests' examples live there.
_OF_A_MACHINE = re.compile(rf"(?<![\w.$~)}}*/-])/(?:{'|'.join(_PLACES)})/(?!ada\b)[\w.-]+")
_HOST_OF_A_REGISTRY = re.compile(
    r"https?://[\w.-]*(?:pypi|pythonhosted|conda|npmjs|debian)[\w.-]*", re.IGNORECASE
)


def tracked(root: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every text file that git knows, or that would go into a release."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listing.stdout.split("\0")):
        try:
            yield name, (root / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # a picture; a file that was just deleted; a link to a folder


def private_names(text: str, root: Path) -> list[str]:
    """Paths of one machine and registry hosts that `text` mentions."""
    found = _OF_A_MACHINE.findall(text) + _HOST_OF_A_REGISTRY.findall(text)
    # Whatever this machine's paths look like: the checkout, and the home directory unless it is "/".
    here = [str(root), *(str(home) for home in [Path.home()] if len(home.parts) > 2)]
    return found + [path for path in here if path in text]


def test_no_file_names_a_path_of_a_machine_or_a_registry(checkout: Path) -> None:
    """What works only where it was written is found by the next person, not by us."""
    offenders = {name: found for name, text in tracked(checkout) if (found := private_names(text, checkout))}

    assert offenders == {}


def test_guard_sees_a_path_and_a_host(checkout: Path) -> None:
    """Twin: the guard is not blind, and leaves ordinary text alone."""
    slash = "/"
    assert private_names(f"open('{slash}home{slash}grace/run.log')", checkout)
    assert private_names(f"cd {checkout}", checkout)
    assert private_names(f"index = https:{slash}{slash}pypi.example.org{slash}simple", checkout)
    assert not private_names("graphlens/show/1, a/data/b, $HOME/data/x, ~/work/y, ../opt/z", checkout)


def settings(checkout: Path) -> dict[str, Any]:  # Any: as the TOML has it
    return tomllib.loads((checkout / "pyproject.toml").read_text())


def test_version_is_said_once(checkout: Path) -> None:
    assert settings(checkout)["project"]["version"] == graphlens.__version__


def test_everything_that_the_set_up_installs_is_pinned(checkout: Path) -> None:
    """A check that passed yesterday fails tomorrow only because we changed something."""
    lines = [
        line for line in (checkout / "constraints.txt").read_text().splitlines() if not line.startswith("#")
    ]
    pinned = {line.partition("==")[0] for line in lines}
    project = settings(checkout)["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["torch"], *extras["examples"], *extras["dev"]]
    wanted += [*extras["libraries"], *extras["pictures"], *extras["parquet"], *extras["formats"]]
    names = {re.split(r"[^\w-]", line, maxsplit=1)[0].lower() for line in wanted} - {"graphlens"}

    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines)
    assert names <= pinned


def test_extra_asks_for_the_version_that_the_tracer_needs(checkout: Path) -> None:
    extras = settings(checkout)["project"]["optional-dependencies"]
    for spec in discover.tracers():
        assert spec.needs in extras[spec.trigger]


@pytest.mark.parametrize("package", ["graphlens", "tracers/graphlens_tracers", "tui/graphlens_tui"])
def test_package_says_that_it_is_typed(package: str, checkout: Path) -> None:
    assert (checkout / package / "py.typed").is_file()


def test_layers_are_held_by_something_that_can_fail(checkout: Path, tmp_path: Path) -> None:
    """Twin of `make layers`: an import against the direction is caught in a copy of the code."""
    for name in ("graphlens", "tracers", "tui"):
        shutil.copytree(checkout / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(checkout / "pyproject.toml", tmp_path)
    with (tmp_path / "graphlens" / "store.py").open("a") as store:
        store.write("\n\ndef later() -> None:\n    from graphlens import cli\n\n    cli.main()\n")
    with (tmp_path / "tracers" / "graphlens_tracers" / "sink.py").open("a") as sink:
        sink.write("\n\nimport numpy\n")
    find_the_copy = "import sys; sys.path[:0] = ['.', 'tracers', 'tui']"
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", f"{find_the_copy}; {lint}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 1
    assert "graphlens.store -> graphlens.cli" in done.stdout
    assert "graphlens_tracers.sink -> numpy" in done.stdout
