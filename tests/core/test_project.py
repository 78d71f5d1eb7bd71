"""Breakpoints in `.graphlens.toml`: what was written is read again, and what is wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphlens import project
from graphlens_tracers.control import breakpoint_of
from graphlens_tracers.errors import CannotWrite, Usage

PLACES = (
    "log", "aten.log*", "op:log", "layers.*.attn", "module:a.b", "train.py:53", "/a b/train.py:53",
    "#84", "backward", "phase:forward", "step:3", "graph:f", "if nan(out)",
    "log if absmax(in0) > 9 and name == 'a b'",
)  # fmt: skip


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    made = [breakpoint_of(place, k, ignore=k % 3, enabled=k % 2 > 0) for k, place in enumerate(PLACES, 1)]
    project.save(tmp_path, [*made, breakpoint_of("exp", 99, temporary=True)])

    assert project.breakpoints(tmp_path) == made
    project.save(tmp_path, [])
    assert project.breakpoints(tmp_path) == []


def test_without_a_file_there_are_none(tmp_path: Path) -> None:
    assert project.breakpoints(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[debug", "cannot be read"), ("debug = 3", "no list"), ("[debug]\nbreak = 'log'", "no list"),
        ("[debug]\nbreak = ['log', 7]", "breakpoint 2 is neither"), ("[debug]\nbreak = ['']", "say where"),
        ("[debug]\nbreak = [{where = 'log', ignore = true}]", "breakpoint 1 may have"),
        ("[debug]\nbreak = [{where = 'log', hits = 3}]", "breakpoint 1 may have"),
        ("[debug]\nbreak = ['log if 1 +']", "is no expression"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / project.FILE).write_text(text)
    with pytest.raises(Usage, match=said):
        project.breakpoints(tmp_path)


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "none").write_text("")
    with pytest.raises((CannotWrite, Usage)):
        project.save(tmp_path / "none", [])
