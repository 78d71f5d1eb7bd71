"""Our first code in the script's process: in every Python, beside every sitecustomize, at every import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphlens_tracers import arrival
from graphlens_tracers.api import Options
from host_processes import RECORD, record_of, script

BOOTSTRAP = str(Path(arrival.__file__).parent / "bootstrap")
VERSIONS = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def interpreter(version: str) -> str:
    """A Python of that version; skips the test where there is none."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for found in (shutil.which(f"python{version}"), *map(str, installed)):
        if found and subprocess.run([found, "-c", ""], capture_output=True).returncode == 0:
            return found
    pytest.skip(f"no Python {version} here")


def both(command: list[str], recorded: list[str], **environment: str) -> tuple[tuple[int, bytes, bytes], ...]:
    """Exit code, standard output and standard error of a command alone and recorded."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment
    done = [subprocess.run(c, env=env, capture_output=True, timeout=120) for c in (command, recorded)]
    return tuple((d.returncode, d.stdout, d.stderr) for d in done)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python_runs_the_script_as_before(version: str, tmp_path: Path) -> None:
    """From 2.7 on. One that is too old is counted, and not otherwise touched."""
    python = interpreter(version)
    path = script(
        tmp_path,
        "import sys\nprint(sys.version_info[:2], sys.path[1:], 'sitecustomize' in sys.modules)\n"
        "sys.exit(3)\n",
    )
    run = tmp_path / "run"
    record = [*RECORD, "-q", "-o", str(run), "--python", python, str(path)]
    plain, recorded = both([python, str(path)], record)

    assert plain == recorded and plain[0] == 3
    old = tuple(map(int, version.split("."))) < (3, 11)
    assert record_of(run)["untraced"] == ({version: 1} if old else {})


def test_old_python_started_by_the_script_is_counted(tmp_path: Path) -> None:
    old = interpreter("3.8")
    path = script(
        tmp_path, f"import subprocess\nfor _ in range(2): subprocess.run([{old!r}, '-c', 'print(1)'])\n"
    )
    said = subprocess.run([*RECORD, "-o", str(tmp_path / "run"), str(path)], capture_output=True, text=True)

    assert said.stdout == "1\n1\n"
    assert record_of(tmp_path / "run")["untraced"] == {"3.8": 2}


@pytest.mark.parametrize(
    "theirs",
    [
        "print('theirs', __name__, __file__)",
        "raise RuntimeError('theirs is broken')",
        "import no_such_module",
        "import sys; sys.modules['sitecustomize'] = sys",
        "import atexit, sys; atexit.register(print, 'theirs at exit'); sys.path.append('/theirs')",
    ],
)
@pytest.mark.parametrize("python", ["2.7", "3.11", "3.13"])
def test_sitecustomize_of_the_user_runs_as_before(theirs: str, python: str, tmp_path: Path) -> None:
    if python == "2.7" and "print" in theirs:
        theirs = "from __future__ import print_function\n" + theirs
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "sitecustomize.py").write_text(theirs + "\n")
    path = script(
        tmp_path, "import sys\nprint(sys.path[1:])\nimport sitecustomize\nprint(sitecustomize.__name__)\n"
    )
    exe = interpreter(python) if python != "3.11" else sys.executable
    # -E: our own process is a Python too, and would run their file once more.
    record = [RECORD[0], "-E", *RECORD[1:], "-q", "-o", str(tmp_path / "run"), "--python", exe, str(path)]
    plain, recorded = both(
        [exe, str(path)], record, PYTHONPATH=str(tmp_path / "theirs"), PYTHONDONTWRITEBYTECODE="1"
    )

    assert plain == recorded


def test_bootstrap_without_a_recording_does_nothing(tmp_path: Path) -> None:
    """A shell that inherited PYTHONPATH from a recorded script."""
    text = "import sys\nprint([f for f in sys.meta_path if 'sitecustomize' in repr(f)], sys.path[1:])"
    path = script(tmp_path, text)
    command = [sys.executable, str(path)]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    with_ours = subprocess.check_output(command, env={**env, "PYTHONPATH": BOOTSTRAP})

    assert with_ours == subprocess.check_output(command, env=env)
    assert with_ours.startswith(b"[] ")


def test_our_own_failure_is_one_line_and_the_script_goes_on(tmp_path: Path) -> None:
    """No run directory, no pages: the script trains all the same."""
    path = script(tmp_path, "import torch\nprint(torch.ones(2).sum().item())\n")
    done = subprocess.run(
        [sys.executable, str(path)],
        env={
            **os.environ,
            "PYTHONPATH": BOOTSTRAP,
            "GRAPHLENS_RUN": "/nowhere/run",
            "GRAPHLENS_PAGES": "/nowhere/pages",
            "GRAPHLENS_TRIGGERS": "torch",
            "GRAPHLENS_LEVEL": "nonsense",
        },
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stdout) == (0, "2.0\n")
    ours = [line for line in done.stderr.splitlines() if line.startswith("graphlens: ")]
    assert 1 <= len(ours) <= 2 and any("nonsense" in line for line in ours)
    assert len(done.stderr.splitlines()) == len(ours)


def test_options_are_read_as_the_host_wrote_them() -> None:
    assert arrival.options({}) == Options("health", (0, None))
    assert arrival.options({"GRAPHLENS_LEVEL": "structure", "GRAPHLENS_STEPS": "3:7"}) == Options(
        "structure", (3, 7)
    )
    assert arrival.options({"GRAPHLENS_STEPS": ":7"}).steps == (0, 7)
    assert arrival.options({"GRAPHLENS_STEPS": "3:"}).steps == (3, None)
    with pytest.raises(ValueError, match="everything"):
        arrival.options({"GRAPHLENS_LEVEL": "everything"})


OURS = {"GRAPHLENS_RUN": "/run", "PYTHONPATH": f"{BOOTSTRAP}{os.pathsep}/more"}


@pytest.mark.parametrize(
    ("command", "environment", "why"),
    [
        (["python", "train.py"], OURS, None),
        (["/usr/bin/python3.12", "-u", "-W", "ignore", "-X", "dev", "train.py", "-I"], OURS, None),
        (["python", "-c", "pass", "-E"], OURS, None),
        (["python", "-mtrain", "-S"], OURS, None),
        (["python", "-Wignore", "-"], OURS, None),
        ("python3", {k.encode(): v.encode() for k, v in OURS.items()}, None),
        ([b"python3", Path("-x"), "--", "-I"], OURS, None),
        (["bash", "-c", "python -I x.py"], {}, None),
        ([], {}, None),
        (["python", "-I", "train.py"], OURS, "started as python -I"),
        (["python", "-uBE", "train.py"], OURS, "started as python -E"),
        (["python", "-W", "ignore", "-S", "train.py"], OURS, "started as python -S"),
        (["python", "train.py"], {}, "started with an environment of its own"),
        (["python", "train.py"], {**OURS, "PYTHONPATH": "/more"}, "started with another PYTHONPATH"),
    ],
)
def test_children_that_cannot_be_followed_are_known(
    command: object, environment: object, why: str | None
) -> None:
    assert arrival.why_not_followed(command, environment, BOOTSTRAP) == why


CHILDREN = """
import atexit, multiprocessing, os, subprocess, sys
import torch

torch.set_num_threads(1)

def work(queue):
    queue.put(float((torch.ones(3) * 2).sum()))

if __name__ == "__main__":
    atexit.register(lambda: print("at exit", float((torch.ones(5) * 3).sum())))
    x = torch.ones(2) + 1
    child = os.fork()
    if child == 0:
        y = x * 5
        os._exit(int(y.sum()))
    print("forked", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    subprocess.run([sys.executable, "-I", "-c", "print('isolated', flush=True)"], check=True)
    bare = {"PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", "print('alone', flush=True)"], env=bare, check=True)
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=work, args=(queue,))
    process.start()
    print("spawned", queue.get(), flush=True)
    process.join()
    print(float(x.sum()), os.environ.get("TORCHDYNAMO_DISABLE"))
"""


def test_children_are_followed_or_counted(tmp_path: Path) -> None:
    """Forked and spawned ones have logs of their own, the others are said."""
    import graphlens

    path = script(tmp_path, CHILDREN)
    done = subprocess.run([*RECORD, "-o", str(tmp_path / "run"), str(path)], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "forked 20", "isolated", "alone", "spawned 6.0", "4.0 1", "at exit 15.0",
    ]  # fmt: skip
    run = graphlens.load(tmp_path / "run")
    first = next(process for process in run.processes() if process.pid == record_of(tmp_path / "run")["pid"])
    gaps = {(gap.kind, gap.what): gap.count for gap in first.gaps}

    assert gaps["process", "a Python started as python -I: not followed"] == 1
    assert gaps["process", "a Python started with an environment of its own: not followed"] == 1
    assert first.finished and len(run.processes()) == 3
    names = [first.nodes[node].op for node in first.rows(0, first.op_count).node.tolist()]
    assert names.count("aten.add.Tensor") == 1 and names.count("aten.mul.Tensor") == 1  # the one at exit
    for other in run.processes():
        names = [other.nodes[node].op for node in other.rows(0, other.op_count).node.tolist()]
        assert names.count("aten.mul.Tensor") == 1  # each process multiplies once


def test_program_that_replaces_itself_begins_a_second_log(tmp_path: Path) -> None:
    """Same process number, and nothing of the first log is overwritten."""
    import graphlens

    path = script(
        tmp_path,
        "import os, sys, torch\ntorch.ones(2) + len(sys.argv)\n"
        "if len(sys.argv) < 2: os.execv(sys.executable, [sys.executable, *sys.argv, 'again'])\n",
    )
    subprocess.run([*RECORD, "-q", "-o", str(tmp_path / "run"), str(path)], check=True)
    processes = graphlens.load(tmp_path / "run").processes()

    assert len({process.pid for process in processes}) == 1
    assert [process.op_count for process in processes] == [2, 2]
