"""`graphlens export`: a file whole or none at all, data on standard output, everything else beside it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import BinaryIO

import pytest

from factories import out, ran, small_run, write_run
from graphlens.cli import main
from graphlens.exporters import _writing
from graphlens.exporters.nodelink import loads
from graphlens_tracers.errors import FileExists
from host_processes import RECORD

EXPORT = [*RECORD[:-1], "export"]
BAD_INPUT = 1


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A small transformer's run."""
    return write_run(tmp_path / "train.glens", nodes=300, steps=3)


@pytest.mark.parametrize("suffix", [".svg", ".dot", ".json", ".SVG"])
def test_suffix_decides_the_format(run: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"

    assert main(["export", str(run), "-o", str(target)]) == 0
    data = target.read_bytes()
    if suffix == ".json":
        loads(data).check()
    elif suffix == ".dot":
        assert data.startswith(b"digraph graphlens {")
    else:
        ET.fromstring(data)


def test_format_overrides_the_suffix(run: Path, tmp_path: Path) -> None:
    assert main(["export", str(run), "-o", str(tmp_path / "a.txt"), "--format", "json"]) == 0
    assert json.loads((tmp_path / "a.txt").read_bytes())["schema"] == "graphlens/graph/1"


def test_standard_output_is_the_file_and_nothing_else(run: Path, tmp_path: Path) -> None:
    done = subprocess.run([*EXPORT, str(run), "-o", "-", "--format", "svg"], capture_output=True, check=True)
    main(["export", str(run), "-o", str(tmp_path / "a.svg")])

    assert done.stdout == (tmp_path / "a.svg").read_bytes()
    assert done.stderr == b""


def test_same_bytes_again(run: Path, tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        main(["export", str(run), "-o", str(tmp_path / name)])

    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_existing_file_stays_without_force(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out.svg"
    target.write_text("precious")

    assert main(["export", str(run), "-o", str(target)]) == BAD_INPUT
    assert target.read_text() == "precious"
    assert capsys.readouterr().err.endswith("--force replaces it [file-exists]\n")
    assert main(["export", str(run), "-o", str(target), "--force"]) == 0
    assert target.read_text().startswith("<svg")


def test_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    """Between the look and the write somebody else can be quicker."""
    target = tmp_path / "out.svg"
    part = tmp_path / "part"
    part.write_text("ours")
    target.write_text("theirs")

    with pytest.raises(FileExists):
        _writing.put(part, target, force=False)
    assert target.read_text() == "theirs"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "nowhere/out.svg"], "there is no directory nowhere [cannot-write]"),
        (["-o", ".", "--format", "svg"], "svg is one file, and '.' a directory: name a file in it [usage]"),
        (["-o", "/dev/null", "--format", "svg", "--force"], "it is no ordinary file"),
        (
            ["-o", "out.gif"],
            "no exporter for '.gif'; choose one with --format: csv, dot, explorer, graphml, html, json",
        ),
        (["-o", "out"], "has no suffix to say which format is meant"),
        (
            ["-o", "out.svg", "--format", "gif"],
            "no exporter named 'gif'; this installation has: csv, dot",
        ),
        (["-o", "out.svg", "--graph", "nope"], "no graph 'nope'; this run has: 0 (setup"),
        (["-o", "out.csv", "--step", "77"], "no step 77 in this run; see: graphlens show RUN graphs"),
        (["-o", "out.trace.json", "--graph", "x", "--step", "1"], "no call of a graph 'x' in step 1"),
        (["-o", "out.svg", "--step", "77"], "no step 77 in this run; it has 0 to 2 [unknown-name]"),
    ],
)
def test_wrong_words_get_one_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], said: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())

    assert main(["export", str(run), *words]) in (BAD_INPUT, 2)
    heard = capsys.readouterr()
    assert said in heard.err
    assert heard.out == "" and heard.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_standard_output_needs_a_format(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run), "-o", "-"]) == 2
    assert "needs --format" in capsys.readouterr().err


def test_run_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "no-such", "-o", str(tmp_path / "a.svg")]) == BAD_INPUT
    assert main(["export", "no-such.py", "-o", str(tmp_path / "a.svg")]) == BAD_INPUT
    assert "[unknown-run]" in capsys.readouterr().err


def test_run_without_operations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from factories import new_run

    new_run(tmp_path / "empty.glens")

    assert main(["export", str(tmp_path / "empty.glens"), "-o", str(tmp_path / "a.svg")]) == BAD_INPUT
    assert "has no graph: no operation was recorded" in capsys.readouterr().err


def test_unwritable_directory(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    shut = tmp_path / "shut"
    shut.mkdir(mode=0o500)

    assert main(["export", str(run), "-o", str(shut / "a.svg")]) == BAD_INPUT
    assert "[cannot-write]" in capsys.readouterr().err


@pytest.fixture(params=["without a name", "with a name"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to write a file: not every file system has files without a name."""
    if request.param == "with a name":
        monkeypatch.setattr(_writing, "_UNNAMED", 0)


@pytest.mark.usefixtures("way")
def test_disk_that_fills_up_leaves_nothing(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No file of that name, no other one, and one that was there is as it was."""
    place = tmp_path / "out"
    place.mkdir()
    (place / "old.svg").write_text("precious")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        codes = [
            main(["export", str(run), "-o", str(place / "new.svg")]),
            main(["export", str(run), "-o", str(place / "old.svg"), "--force"]),
        ]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert codes == [BAD_INPUT, BAD_INPUT]
    assert "File too large [cannot-write]" in capsys.readouterr().err
    assert [(one.name, one.read_text()) for one in place.iterdir()] == [("old.svg", "precious")]


def test_killed_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """Not even kill -9 leaves a file, where the file system has files without a name."""
    if not _writing._UNNAMED:
        pytest.skip("no files without a name here")
    child = os.fork()
    if child == 0:

        def produce(file: BinaryIO) -> None:
            file.write(b"x" * 1_000_000)
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)

        _writing.write(tmp_path / "out.svg", produce, force=False)
        os._exit(0)
    _, status = os.waitpid(child, 0)

    assert os.WTERMSIG(status) == signal.SIGKILL
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("way")
def test_file_has_the_permissions_of_any_new_file(run: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    main(["export", str(run), "-o", str(tmp_path / "a.json"), "-q"])
    main(["export", str(run), "-o", str(tmp_path / "a.json"), "-q", "--force"])

    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_training_step_is_chosen_and_setup_by_name(run: Path, tmp_path: Path) -> None:
    main(["export", str(run), "-o", str(tmp_path / "step.svg")])
    main(["export", str(run), "-o", str(tmp_path / "setup.svg"), "--graph", "0"])

    assert "training step 2" in (tmp_path / "step.svg").read_text()
    assert "training step" not in (tmp_path / "setup.svg").read_text()


def test_nan_of_a_step_is_shown(tmp_path: Path) -> None:
    """Without --step, the first step in which a NaN was made; with it, the one that was asked for."""
    run = write_run(tmp_path / "sick.glens", nodes=300, steps=4, nan_from=2)
    for words in ([], ["--step", "1"]):
        main(["export", str(run), "-o", str(tmp_path / f"{len(words)}.svg"), *words])
    sick, well = ((tmp_path / name).read_text() for name in ("0.svg", "2.svg"))

    assert "training step 2" in sick and "NaN born here" in sick
    assert "training step 1" in well and "NaN" not in well


def test_infinite_range_of_an_empty_tensor_is_no_illness(tmp_path: Path) -> None:
    """(+inf, -inf) means that there was nothing to look at."""
    small_run(tmp_path / "a.glens", ran(0, inputs=[5], outputs=[out(1, 0)]), ran(1, inputs=[1]))
    main(["export", str(tmp_path / "a.glens"), "-o", str(tmp_path / "a.svg")])

    assert "born" not in (tmp_path / "a.svg").read_text()


def test_script_is_recorded_first(tmp_path: Path) -> None:
    """What it prints goes beside our data; its words follow `--`."""
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, torch\n"
        "print('printed', sys.argv[1:])\n"
        "model = torch.nn.Linear(4, 2)\n"
        "model(torch.ones(3, 4)).mean().backward()\n"
    )
    done = subprocess.run(
        [*EXPORT, str(script), "-o", "-", "--format", "svg", "--", "--lr", "1"],
        capture_output=True,
        check=True,
    )

    ET.fromstring(done.stdout)
    assert b"Linear" in done.stdout and b"forward | backward" in done.stdout
    assert b"printed ['--lr', '1']" in done.stderr and b"graphlens: recorded as train-1" in done.stderr


def test_script_that_fails_is_drawn_as_far_as_it_got(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import torch\ntorch.ones(3).exp()\nraise SystemExit(3)\n")
    done = subprocess.run(
        [*EXPORT, str(script), "-o", str(tmp_path / "a.svg")], capture_output=True, text=True
    )

    assert done.returncode == 0
    assert "the script ended with exit code 3" in done.stderr
    assert "exp" in (tmp_path / "a.svg").read_text()


def test_output_is_looked_at_before_the_script_runs(tmp_path: Path) -> None:
    """An hour of training for a file that cannot be written would be a poor joke."""
    script = tmp_path / "train.py"
    script.write_text("import pathlib; pathlib.Path('ran').touch()\n")
    (tmp_path / "a.svg").touch()
    done = subprocess.run([*EXPORT, str(script), "-o", "a.svg"], capture_output=True, text=True, cwd=tmp_path)

    assert done.returncode == BAD_INPUT and "[file-exists]" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_nothing_heavy_is_loaded_for_a_wrong_word() -> None:
    code = (
        "import sys\nfrom graphlens.cli import main\nmain(['export', 'x', '-o', 'x.gif'])\n"
        "print([name for name in ('torch', 'textual', 'networkx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
