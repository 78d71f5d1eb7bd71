"""Graphviz as the engine: where it is there, where it is not, and where it fails, hangs or lies."""

from __future__ import annotations

import os
import shutil
import time
import warnings
from pathlib import Path

import pytest

from exporters_shared import hostile_run
from factories import write_run
from graphlens import doctor
from graphlens.cli import main
from graphlens.exporters import Options, _graphviz
from graphlens.exporters.svg import picture
from graphlens_tracers.errors import CannotWrite
from inks import SVG, overlaps, read
from models import Model, mlp, residual, shapeless, transformer, two_towers

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
needs_shell = pytest.mark.skipif(os.name == "nt", reason="the false dot is a shell script")
FAILURES = {
    "hangs": ("sleep 600 & echo $! > {there}; wait", "longer than"),
    "crashes": ("kill -SEGV $$", "dot failed: exit code -11"),
    "fails": ("echo no >&2; exit 3", "dot failed: exit code 3"),
    "says nothing": ("cat > /dev/null", "no JSON"),
    "says something else": ("cat > /dev/null; echo '[]'", "something else"),
    "leaves things out": ('cat > /dev/null; echo \'{{"bb": "0,0,9,9"}}\'', "something else"),
}


def false_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a dot on the path that does what the script says; returns where it leaves a note."""
    there = tmp_path / "there"
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n" + script.format(there=there) + "\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return there


@needs_dot
@pytest.mark.parametrize(
    "model", [mlp(), residual(), two_towers(), transformer(6, sick=3)], ids=lambda m: m.name
)
def test_dot_places_the_same_boxes_and_nothing_overlaps(model: Model) -> None:
    document = picture(model.subject(), Options(engine="dot"))
    own = picture(model.subject())

    def boxes(text: str) -> list[str | None]:
        return [one.get("data-id") for one in read(text).iter(f"{SVG}g") if one.get("data-id")]

    assert document != own
    assert boxes(document) == boxes(own)
    assert overlaps(document) == []


@needs_dot
def test_hostile_names_do_not_reach_dot(tmp_path: Path) -> None:
    run = hostile_run(tmp_path / "hostile.glens")
    target = tmp_path / "hostile.svg"

    assert main(["export", "-q", str(run.path), "-o", str(target), "--engine", "dot", "--full"]) == 0
    assert overlaps(target.read_text()) == []


def test_without_dot_our_own_layout_does_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "train.glens", nodes=300, steps=2)
    main(["export", "-q", str(run), "-o", str(tmp_path / "own.svg")])
    monkeypatch.setenv("PATH", str(tmp_path))

    code = main(["export", "-q", str(run), "-o", str(tmp_path / "auto.svg"), "--engine", "auto"])

    said = capsys.readouterr().err
    assert code == 0
    assert said.count("\n") == 1
    assert "there is no dot on the path; placed by our own layout" in said
    assert (tmp_path / "auto.svg").read_bytes() == (tmp_path / "own.svg").read_bytes()
    assert main(["export", "-q", str(run), "-o", str(tmp_path / "dot.svg"), "--engine", "dot"]) == 1
    assert "--engine builtin" in capsys.readouterr().err
    assert not (tmp_path / "dot.svg").exists()


@needs_shell
@pytest.mark.parametrize("how", FAILURES)
def test_a_dot_that_fails_is_gone_and_said(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, says = FAILURES[how]
    there = false_dot(tmp_path, monkeypatch, script)
    monkeypatch.setattr(_graphviz, "SECONDS", 1.0 if how == "hangs" else 30.0)
    subject = residual().subject()

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        document = picture(subject, Options(engine="auto"))

    assert document == picture(subject)
    assert [says in str(one.message) for one in said] == [True]
    if how == "hangs":
        assert gone(int(there.read_text()))
    else:
        with pytest.raises(CannotWrite, match=says):
            picture(subject, Options(engine="dot"))


def gone(process: int) -> bool:
    """It ends, in a moment."""
    for _ in range(200):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if "Z" in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:1]:
            return True
        time.sleep(0.05)
    return False


@needs_shell
def test_dot_is_not_asked_for_what_takes_it_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time grows with the ranks that lines pass, not with boxes."""
    there = false_dot(tmp_path, monkeypatch, "echo ran > {there}")
    subject = shapeless(900).subject()

    with pytest.warns(UserWarning, match="dot would take long: its lines pass"):
        document = picture(subject, Options(engine="auto", full=True))

    assert document == picture(subject, Options(full=True))
    assert not there.exists()


def test_what_places_no_boxes_has_no_engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "train.glens", nodes=30, steps=1)

    assert main(["export", str(run), "-o", str(tmp_path / "a.html"), "--engine", "dot"]) == 2
    assert "html has no boxes with places: it has no use for 'engine'" in capsys.readouterr().err


def test_doctor_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (absent,) = [one for one in doctor.report() if one.name == "dot"]
    program = tmp_path / "my-dot"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("GRAPHLENS_DOT", str(program))
    (there,) = [one for one in doctor.report() if one.name == "dot"]

    assert not absent.works
    assert "our own layout" in absent.why
    assert there.works
    assert str(program) in there.found
