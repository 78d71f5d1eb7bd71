"""A script prints, leaves behind and returns the same under Python and under `graphlens record`."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "scripts" / "like_python"
ODD = Path(__file__).parent / "scripts" / "odd"


@dataclass(frozen=True)
class Case:
    """How a script is started, where that is not simply `python SCRIPT`."""

    words: tuple[str, ...] = ()
    stdin: bytes = b""
    path: str = ""
    environment: tuple[tuple[str, str], ...] = ()


CASES = {
    "argparse_dashes": Case(("argparse_dashes.py", "-o", "x", "--", "--force", "-m", "--")),
    "broken_framework": Case(("broken_framework/main.py",)),
    "strange_framework": Case(("strange_framework/main.py",)),
    "directory": Case(("directory", "-m", "--quiet")),
    "from_stdin": Case(("-", "a", "-b"), stdin=b"import sys\nprint(sys.argv, sys.path[0], __name__)\n"),
    "package": Case(("-m", "train", "--force", "x"), path="package"),
    "package_joined": Case(("-mtrain",), path="package"),
    "module_missing": Case(("-m", "no.such.module")),
    "module_standard": Case(("-m", "json.tool", "--indent", "1"), stdin=b'{"a": [1, 2]}'),
    "siblings": Case(("siblings/main.py",)),
    "stdin_binary": Case(("stdin_binary.py",), stdin=bytes(range(256)) * 5000),
    "stdin_lines": Case(("stdin_lines.py",), stdin=b"first\nsecond\nthird without end"),
}
SIBLINGS = ("broken_sibling", "warning_sibling")
NAMES = sorted({path.stem for path in SCRIPTS.glob("*.py")} - set(SIBLINGS) | set(CASES))


@dataclass(frozen=True)
class Outcome:
    """All that can be seen of a process from outside."""

    code: int
    out: bytes
    err: list[bytes]
    files: dict[str, bytes]


def outcome(starter: list[str], case: Case, here: Path, home: Path) -> Outcome:
    """Run in `here`, which is empty before and removed after, so that both runs see the same paths."""
    here.mkdir()
    words = [str(SCRIPTS / word) if (SCRIPTS / word).exists() else word for word in case.words]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHASHSEED")}
    environment |= {"GRAPHLENS_HOME": str(home), "PYTHONHASHSEED": "0"}
    environment |= dict(case.environment)
    if case.path:
        environment["PYTHONPATH"] = str(SCRIPTS / case.path)
    ran = subprocess.run(
        [*starter, *words],
        input=case.stdin,
        capture_output=True,
        cwd=here,
        env=environment,
        timeout=120,
        check=False,
    )
    files = {
        str(path.relative_to(here)): path.read_bytes() if path.is_file() else b"" for path in here.rglob("*")
    }
    shutil.rmtree(here)
    said = re.sub(rb"\b0x[0-9a-f]{8,}", b"0x", ran.stderr)  # where an object lies is another in each process
    err = [line for line in said.splitlines(keepends=True) if not line.startswith(b"graphlens: ")]
    return Outcome(ran.returncode, ran.stdout, err, files)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_does_the_same_recorded(name: str, tmp_path: Path) -> None:
    """The first promise, for programs that do what tracers break."""
    case = CASES.get(name, Case((f"{name}.py",)))
    plain = outcome([sys.executable], case, tmp_path / "here", tmp_path / "home")
    recorded = outcome(
        [sys.executable, "-m", "graphlens", "record"], case, tmp_path / "here", tmp_path / "home"
    )

    assert recorded == plain, name
    assert len(list((tmp_path / "home").glob("*.glens"))) == 1


def test_the_scripts_do_what_they_are_there_for(tmp_path: Path) -> None:
    """A script that fails for another reason would compare equal, and test nothing."""
    codes = {
        "broken_framework": 1,
        "killed_by_segfault": -signal.SIGSEGV,
        "killed_by_sigkill": -signal.SIGKILL,
        "killed_by_abort": -signal.SIGABRT,
        "keyboard_interrupt": -signal.SIGINT,
        "keyboard_interrupt_caught": 9,
        "syntax_error": 1,
        "traceback_uncaught": 1,
        "exceptions_in_import": 1,
        "exit_string": 1,
        "exit_large": 44,
        "os_exit": 3,
        "atexit_order": 7,
        "argparse_error": 2,
        "package": 4,
        "package_joined": 4,
        "module_missing": 1,
        "killed_by_sigterm": -signal.SIGTERM,
    }
    for name in NAMES:
        case = CASES.get(name, Case((f"{name}.py",)))
        plain = outcome([sys.executable], case, tmp_path / "here", tmp_path / "home")

        assert plain.code == codes.get(name, 0), (name, plain.err)
        assert plain.code in (0, 3, 4, 7, 9, 44) or plain.code < 0 or plain.err, name


def odd(script: Path) -> Case:
    """How a program of `scripts/odd` is started, as its first line says."""
    first = script.read_bytes().split(b"\n", 1)[0].decode("latin-1")
    found = re.fullmatch(r"# (argv|stdin|environment): (.*)", first)
    what, words = (found[1], found[2]) if found is not None else ("", "")
    argv = shlex.split(words) if what == "argv" else []
    stdin = words.encode().decode("unicode_escape").encode("latin-1") if what == "stdin" else b""
    pairs = [word.partition("=") for word in words.split()] if what == "environment" else []
    return Case((str(script), *argv), stdin, environment=tuple((name, value) for name, _, value in pairs))


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(path.stem for path in ODD.glob("*.py")))
def test_an_odd_script_does_the_same_recorded(name: str, tmp_path: Path) -> None:
    """A hundred more of them, that none of them may differ."""
    case = odd(ODD / f"{name}.py")
    plain = outcome([sys.executable], case, tmp_path / "here", tmp_path / "home")
    recorded = outcome(
        [sys.executable, "-m", "graphlens", "record"], case, tmp_path / "here", tmp_path / "home"
    )

    assert recorded == plain, name
