"""Where runs are kept, what they are called, and that nothing else is ever deleted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from graphlens import runs
from graphlens_tracers.errors import BadRunFile, CannotWrite, FileExists, UnknownRun


def made(path: Path, **record: object) -> Path:
    """A finished run with a log."""
    path.mkdir(parents=True, exist_ok=True)
    said = {"format": 1, "state": "finished", "started": 1.0, "argv": ["train.py"], **record}
    (path / "run.json").write_text(json.dumps(said))
    (path / "p-12-00c0ffee.000.log").write_bytes(b"frames")
    (path / "sources").mkdir(exist_ok=True)
    (path / "sources" / ("a" * 64)).write_text("x = 1\n")
    return path


def test_names_count_up_for_each_script() -> None:
    """Short enough to type, and never used twice while an older one is there."""
    names = [runs.create(script).name for script in ("train.py", "/a/b/train.py", "eval.py", "train.py")]
    made_by = runs.create("train.py")
    made_by.rmdir()

    assert names == ["train-1.glens", "train-2.glens", "eval-1.glens", "train-3.glens"]
    assert runs.create("train.py").name == "train-4.glens"


@pytest.mark.parametrize(
    ("script", "stem"),
    [
        ("my script.py", "my-script"),
        ("pkg.train", "pkg.train"),
        ("-", "stdin"),
        ("dir/", "dir"),
        ("--odd.py", "odd"),
        ("\x1b[31m;rm -rf\n.py", "31m-rm-rf"),
        ("ö.py", "run"),
        ("." * 300, "run"),
        ("x" * 300 + ".py", "x" * 40),
    ],
)
def test_name_is_safe_whatever_the_script_is_called(script: str, stem: str) -> None:
    assert runs.create(script).name == f"{stem}-1.glens"


def test_state_directory_is_chosen_by_the_environment() -> None:
    assert runs.state_directory({"GRAPHLENS_HOME": "/g", "XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/g")
    assert runs.state_directory({"XDG_STATE_HOME": "/x", "HOME": "/h"}) == Path("/x/graphlens")
    assert runs.state_directory({"XDG_STATE_HOME": "relative", "HOME": "/h"}) == Path(
        "/h/.local/state/graphlens"
    )
    assert runs.state_directory({"HOME": "/h"}) == Path("/h/.local/state/graphlens")


def test_without_a_home_the_variable_that_helps_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without an entry

    with pytest.raises(CannotWrite, match="set GRAPHLENS_HOME"):
        runs.state_directory({})


def test_state_directory_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GRAPHLENS_HOME", str(tmp_path / "file" / "below"))

    with pytest.raises(CannotWrite, match="set GRAPHLENS_HOME to another directory, or use --output"):
        runs.create("train.py")


def test_run_is_found_by_name_path_and_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = runs.create("train.py"), runs.create("eval.py")
    made(first, started=20.0)
    made(second, started=10.0)
    other = made(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)

    assert runs.resolve("train-1") == runs.resolve("train-1.glens") == runs.resolve("last") == first
    assert runs.resolve("elsewhere") == runs.resolve("./elsewhere") == runs.resolve(str(other)) == other
    assert runs.name_of(first) == "train-1" and runs.name_of(other) == str(other)
    with pytest.raises(UnknownRun, match=r"'trian-1'.*see: graphlens runs"):
        runs.resolve("trian-1")


def test_no_runs_yet_says_how_to_make_one() -> None:
    assert runs.entries() == []
    with pytest.raises(UnknownRun, match="graphlens record SCRIPT"):
        runs.resolve("last")


def test_listing_leaves_out_what_is_no_run() -> None:
    made(runs.create("a.py"), started=2.0)
    made(runs.create("b.py"), started=1.0)
    runs.create("empty.py")
    (runs.state_directory() / "file.glens").touch()

    assert [entry.name for entry in runs.entries()] == ["b-1", "a-1"]
    assert runs.entries()[0].size_bytes == 6 + 6 + (runs.entries()[0].path / "run.json").stat().st_size


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\xff"])
def test_damaged_record_is_a_clean_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(text.encode("latin-1"))

    with pytest.raises(BadRunFile, match=r"run\.json"):
        runs.read_record(tmp_path)


def test_record_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")

    with pytest.raises(BadRunFile, match="not a file"):
        runs.read_record(tmp_path)


def test_deletion_takes_a_run_and_nothing_else(tmp_path: Path) -> None:
    run = made(tmp_path / "one")
    runs.delete(run)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "stranger", ["thesis.tex", "sources/thesis.tex", "run.json/x", "p-12-00c0ffee.000.log.bak"]
)
def test_directory_with_a_file_of_somebody_else_is_left_alone(stranger: str, tmp_path: Path) -> None:
    """--force with a mistyped --output must not cost anybody a file."""
    run = made(tmp_path / "one")
    if stranger == "run.json/x":
        (run / "run.json").unlink()
    (run / stranger).parent.mkdir(exist_ok=True)
    (run / stranger).write_text("years of work")
    before = sorted(run.rglob("*"))

    with pytest.raises(FileExists, match="nothing was deleted"):
        runs.delete(run)
    assert sorted(run.rglob("*")) == before


def test_links_are_not_followed(tmp_path: Path) -> None:
    target = made(tmp_path / "target")
    (tmp_path / "link").symlink_to(target)
    holds = made(tmp_path / "holds")
    (holds / "output.log").symlink_to(target / "run.json")

    for path in (tmp_path / "link", holds):
        with pytest.raises(FileExists, match="nothing was deleted"):
            runs.delete(path)
    assert (target / "run.json").exists() and (tmp_path / "link").is_symlink()


def test_directory_without_a_record_is_left_alone(tmp_path: Path) -> None:
    run = made(tmp_path / "one")
    (run / "run.json").unlink()

    with pytest.raises(FileExists, match="not a run of graphlens"):
        runs.delete(run)


def test_running_run_is_not_deleted(tmp_path: Path) -> None:
    run = made(tmp_path / "one", state="running", host=os.uname().nodename, pid=os.getpid())

    with pytest.raises(CannotWrite, match="still runs"):
        runs.delete(run)


def test_output_that_exists_is_replaced_only_by_force(tmp_path: Path) -> None:
    run = made(tmp_path / "one")
    with pytest.raises(FileExists, match="use --force"):
        runs.create_at(run, force=False)
    assert (run / "run.json").exists()

    assert list(runs.create_at(run, force=True).iterdir()) == []


@pytest.mark.parametrize("pid", [0, -1, 1 << 40, 2**31 - 1])
def test_numbers_that_are_no_process_are_not_alive(pid: int) -> None:
    """run.json may say anything."""
    assert not runs.is_alive(pid)
    assert runs.is_alive(os.getpid())


def test_run_of_another_machine_is_never_taken_for_a_running_one() -> None:
    assert runs.state_of({"state": "running", "host": "elsewhere", "pid": os.getpid()}) == "lost"
    assert runs.state_of({"state": "running", "host": os.uname().nodename, "pid": os.getpid()}) == "running"
    assert runs.state_of({"state": "finished", "pid": os.getpid()}) == "finished"
