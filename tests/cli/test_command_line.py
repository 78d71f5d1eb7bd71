"""The command line: what it says, where it says it, and with which code it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from graphlens import cli, runs
from graphlens.cli import _script
from host_processes import RECORD, record_of, script

GRAPHLENS = RECORD[:-1]


def graphlens(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command with these words, its streams apart."""
    return subprocess.run(
        [*GRAPHLENS, *words],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_alone_it_says_what_there_is() -> None:
    said = graphlens()

    assert said.returncode == 0 and said.stderr == ""
    for command in cli.COMMANDS:
        assert f"\n    {command} " in said.stdout


def test_only_what_exists_is_offered() -> None:
    """A command that is planned is not there, rather than there and failing."""
    for command in cli.COMMANDS:
        assert graphlens(command, "--help").returncode == 0, command
    for planned in ("attach",):
        assert planned not in cli.COMMANDS
        assert graphlens(planned).returncode == 2


def test_version() -> None:
    import graphlens as package

    assert graphlens("--version").stdout == f"graphlens {package.__version__}\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["record"], "which script? for example: graphlens record train.py"),
        (["record", "-m"], "which module? for example: graphlens record -m package.train"),
        (["record", "--no-such-option", "x.py"], "unrecognized arguments: --no-such-option"),
        (["record", "--level", "everything", "x.py"], "argument --level: invalid choice: 'everything'"),
        (["record", "--framework", "caffe", "x.py"], "argument --framework: invalid choice: 'caffe'"),
        (["record", "--steps", "3", "x.py"], "--steps '3' is not of the form A:B"),
        (["record", "--steps", "5:5", "x.py"], "--steps 5:5 is empty"),
        (["record", "--steps", "-1:5", "x.py"], "argument --steps: expected one argument"),
        (["runs", "--prune", "some"], "'some' is not a number of runs"),
        (["open"], "the following arguments are required: RUN"),
        (["nonsense"], "invalid choice: 'nonsense'"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(words: list[str], error: str) -> None:
    said = graphlens(*words)

    assert said.returncode == 2 and said.stdout == ""
    assert said.stderr.startswith("graphlens: ") and said.stderr.endswith(" [usage]\n")
    assert error in said.stderr and said.stderr.count("\n") == 1


def test_we_fail_with_125_before_the_script_has_started(tmp_path: Path) -> None:
    path = script(tmp_path, "print('ran')")
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    for words, error in {
        ("missing.py",): "cannot read the script 'missing.py' in",
        (str(tmp_path),): "is a directory without a __main__.py",
        ("--python", "no-python", str(path)): "no such interpreter; see --python",
        ("--python", str(path), str(path)): "no such interpreter; see --python",
        (
            "-o",
            str(tmp_path / "there"),
            str(path),
        ): "is already there; use --force to replace it [file-exists]",
        (
            "-o",
            str(tmp_path / "file"),
            "--force",
            str(path),
        ): "is not a run of graphlens; nothing was deleted",
        ("-o", str(tmp_path / "file" / "run"), str(path)): "cannot make the run directory",
    }.items():
        said = graphlens("record", *words, cwd=tmp_path)

        assert (said.returncode, said.stdout) == (125, ""), words
        assert said.stderr.startswith("graphlens: ") and error in said.stderr, words
        assert said.stderr.count("\n") == 1
    said = graphlens("record", str(path), GRAPHLENS_HOME=str(tmp_path / "file" / "home"))
    assert said.returncode == 125 and "set GRAPHLENS_HOME to another directory" in said.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "script.py", "there"]


def test_interpreter_that_cannot_be_executed_leaves_nothing(tmp_path: Path) -> None:
    path = script(tmp_path, "")
    (tmp_path / "python").write_text("no program")
    (tmp_path / "python").chmod(0o755)
    said = graphlens("record", "--python", str(tmp_path / "python"), "-o", str(tmp_path / "run"), str(path))

    assert said.returncode == 125 and "cannot run" in said.stderr and "Exec format error" in said.stderr
    assert not (tmp_path / "run").exists()


def test_what_the_script_writes_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    path = script(tmp_path, "import sys\nprint('out')\nprint('err', file=sys.stderr)\nsys.exit(3)\n")
    said = graphlens("record", str(path))
    quiet = graphlens("record", "-q", str(path))

    assert (said.returncode, said.stdout) == (quiet.returncode, quiet.stdout) == (3, "out\n")
    assert quiet.stderr == "err\n"
    ours = [line for line in said.stderr.splitlines() if line != "err"]
    assert len(ours) == 2 and all(
        line.startswith("graphlens: script-1: ") or "it is in" in line for line in ours
    )


def test_force_replaces_a_run(tmp_path: Path) -> None:
    path = script(tmp_path, "import sys; sys.exit(int(sys.argv[1]))")
    for code in (4, 5):
        said = graphlens("record", "-q", "--force", "-o", str(tmp_path / "run"), str(path), str(code))
        assert (said.returncode, said.stderr) == (code, "")

    assert record_of(tmp_path / "run")["exit_code"] == 5


@pytest.mark.parametrize(
    ("words", "options", "rest"),
    [
        ("train.py", [], ["train.py"]),
        ("train.py -o x", [], ["train.py", "-o", "x"]),
        ("-o x train.py -m y", ["-o", "x"], ["train.py", "-m", "y"]),
        ("-ox --level=health train.py", ["-ox", "--level=health"], ["train.py"]),
        ("--force -q -- -odd.py --", ["--force", "-q"], ["--", "-odd.py", "--"]),
        ("-- -m x", [], ["--", "-m", "x"]),
        ("-m package.train -o x", [], ["-m", "package.train", "-o", "x"]),
        ("-q -mtrain x", ["-q"], ["-m", "train", "x"]),
        ("--help", ["--help"], []),
        ("- a", [], ["-", "a"]),
        ("-o", ["-o"], []),
        ("--", [], []),
    ],
)
def test_everything_from_the_script_on_is_the_scripts(
    words: str, options: list[str], rest: list[str]
) -> None:
    assert _script.split(words.split()) == (options, rest)


def test_every_option_that_takes_a_word_is_known_to_take_one() -> None:
    """Else its value would be taken for the script."""
    import argparse

    from graphlens.cli import check, debug, record, run

    commands = argparse.ArgumentParser().add_subparsers()
    for command in (check, debug, record, run):
        command.add_to(commands)
    taking = {
        name
        for parser in commands.choices.values()
        for action in parser._actions
        if action.nargs is None and action.option_strings
        for name in action.option_strings
    }

    assert taking | {"--size"} == set(_script.TAKE_A_WORD)


def test_runs_are_listed_and_deleted(tmp_path: Path) -> None:
    path = script(tmp_path, "import sys; sys.exit(len(sys.argv))")
    for words in ([], ["a b", "\x1b[31mred"]):
        graphlens("record", "-q", str(path), *words)
    listed = graphlens("runs")
    as_json = json.loads(graphlens("runs", "--json").stdout)

    assert listed.stdout.splitlines()[0].split() == ["NAME", "STARTED", "ENDED", "SIZE", "SCRIPT"]
    assert "exit code 1" in listed.stdout and "\x1b" not in listed.stdout and r"\x1b[31mred" in listed.stdout
    assert as_json["schema"] == "graphlens/runs/1"
    assert [(run["name"], run["state"], run["exit_code"]) for run in as_json["runs"]] == [
        ("script-1", "finished", 1),
        ("script-2", "finished", 3),
    ]
    assert as_json["runs"][1]["argv"] == [str(path), "a b", "\x1b[31mred"]

    deleted = graphlens("runs", "--delete", "script-1")
    assert (deleted.returncode, deleted.stderr) == (0, "graphlens: deleted script-1\n")
    again = graphlens("runs", "--delete", "script-1")
    assert again.returncode == 1 and again.stderr.endswith("[unknown-run]\n")
    assert [entry.name for entry in runs.entries()] == ["script-2"]


def test_prune_keeps_the_newest(tmp_path: Path) -> None:
    path = script(tmp_path, "")
    for _ in range(4):
        graphlens("record", "-q", str(path))
    said = graphlens("runs", "--prune", "2")

    assert said.stderr == "graphlens: deleted script-1\ngraphlens: deleted script-2\n"
    assert [entry.name for entry in runs.entries()] == ["script-3", "script-4"]


def test_no_runs_is_no_error() -> None:
    said = graphlens("runs")

    assert (said.returncode, said.stdout) == (0, "")
    assert said.stderr == "graphlens: there are no runs yet; make one with: graphlens record SCRIPT\n"


def test_doctor_says_what_works_without_importing_it(tmp_path: Path) -> None:
    """Twin included: a torch that would fail at import is still only looked at."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise SystemExit('imported')")
    said = graphlens("doctor", "--json", PYTHONPATH=str(tmp_path))
    report = json.loads(said.stdout)

    assert said.returncode == 0 and report["schema"] == "graphlens/doctor/1"
    parts = {(check["part"], check["name"]): check for check in report["checks"]}
    assert set(parts) == {
        ("tracer", "pytorch"),
        ("tracer", "tensorflow"),
        ("pages", "shared memory"),
        ("runs", "state directory"),
        ("layout", "own"),
        ("layout", "dot"),
        ("files", ".png, .pdf"),
        ("files", ".parquet"),
        ("terminal", "UI"),
    }
    assert all(check["works"] or check["why"] for check in report["checks"])
    assert not parts["terminal", "UI"]["works"]


def test_doctor_without_the_framework_says_what_would_help(tmp_path: Path) -> None:
    bare = subprocess.run(
        [sys.executable, "-S", "-P", "-m", "graphlens", "doctor"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(path) for path in _sources())},
        capture_output=True,
        text=True,
    )

    assert bare.returncode == 0, bare.stderr
    assert "torch is not installed for" in bare.stdout and "--python" in bare.stdout


def _sources() -> list[Path]:
    import graphlens as package
    import graphlens_tracers

    return [Path(str(found.__file__)).parents[1] for found in (package, graphlens_tracers)]


@pytest.mark.parametrize("command", ["run", "open"])
def test_ui_needs_a_terminal(command: str, tmp_path: Path) -> None:
    path = script(tmp_path, "print('ran')")
    graphlens("record", "-q", "-o", str(tmp_path / "saved"), str(path))
    said = graphlens(command, str(path if command == "run" else tmp_path / "saved"))

    assert said.returncode == (125 if command == "run" else 1)
    assert said.stdout == "" and "standard input is not a terminal" in said.stderr
    assert said.stderr.endswith("[no-terminal]\n")


def test_unknown_run_is_named() -> None:
    said = graphlens("open", "no-such-run")

    assert said.returncode == 1
    assert said.stderr.startswith("graphlens: no run 'no-such-run'") and "[unknown-run]" in said.stderr


def test_reader_that_goes_away_is_no_error() -> None:
    """`graphlens runs | head -1`."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*GRAPHLENS, "doctor"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)

    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_names_with_control_characters_are_spelt_out() -> None:
    assert cli.visible("a\x1b]0;x\x07\n\u202eb") == "a\\x1b]0;x\\x07\\n\\u202eb"
