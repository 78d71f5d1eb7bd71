"""What works here and what does not, and why: found by looking, without importing any framework."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from dataclasses import dataclass

import graphlens
from graphlens import host, runs
from graphlens_tracers import discover
from graphlens_tracers.api import TracerSpec
from graphlens_tracers.errors import GraphlensError


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that graphlens can do.

    Attributes:
        part: "tracer", "layout", "files", "terminal", "runs", or "pages".
        works: Whether it does here.
        found: What it found: a version, a path, a size.
        why: When it does not work, why, and what would help; else empty.
    """

    part: str
    name: str
    works: bool
    found: str
    why: str = ""


def report() -> list[Check]:
    """All checks, in the order of the journey: traced process, our files, pictures, terminal."""
    return [
        *(_tracer(spec) for spec in discover.tracers()),
        _pages(),
        _runs(),
        Check("layout", "own", True, "our own layout, which `export` uses unless told otherwise"),
        _dot(),
        _package("files", ".png, .pdf", "cairosvg", "pictures", "libcairo.so.2"),
        _package("files", ".parquet", "pyarrow", "parquet"),
        _terminal(),
    ]


def versions() -> dict[str, str]:
    """graphlens, Python, the system."""
    return {
        "graphlens": graphlens.__version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": platform.platform(),
    }


def _tracer(spec: TracerSpec) -> Check:
    distribution = re.split(r"[<>=!~ ]", spec.needs, maxsplit=1)[0]
    try:
        module = importlib.util.find_spec(spec.trigger)
    except (ImportError, ValueError) as error:
        return Check("tracer", spec.name, False, "", f"{spec.trigger} cannot be found: {error}")
    if module is None or module.origin is None:
        return Check(
            "tracer",
            spec.name,
            False,
            "",
            f"{spec.trigger} is not installed for {sys.executable}; install it there, "
            "or name the interpreter that has it with --python",
        )
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return Check("tracer", spec.name, True, f"{spec.trigger} of an unknown version in {module.origin}")
    if not satisfies(version, spec.needs):
        return Check("tracer", spec.name, False, f"{distribution} {version}", f"{spec.needs} is needed")
    return Check("tracer", spec.name, True, f"{distribution} {version}")


def satisfies(version: str, needs: str) -> bool:
    """Whether a version is in a range like "torch>=2.6" or "torch>=2.6,<3"; only the numbers count."""
    has = _numbers(version)
    for sign, wanted in re.findall(r"(>=|<=|==|>|<)\s*([0-9][0-9.]*)", needs):
        bound = _numbers(wanted)
        length = max(len(has), len(bound))
        a, b = has + (0,) * (length - len(has)), bound + (0,) * (length - len(bound))
        if not {">=": a >= b, "<=": a <= b, "==": a == b, ">": a > b, "<": a < b}[sign]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _pages() -> Check:
    try:
        made = host.pages_directory()
    except GraphlensError as error:
        return Check("pages", "shared memory", False, "", str(error))
    made.rmdir()
    return Check("pages", "shared memory", True, str(made.parent))


def _runs() -> Check:
    try:
        home = runs.state_directory()
    except GraphlensError as error:
        return Check("runs", "state directory", False, "", str(error))
    there = home
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Check(
            "runs", "state directory", False, str(home), f"{there} cannot be written; set GRAPHLENS_HOME"
        )
    return Check("runs", "state directory", True, str(home))


def _dot() -> Check:
    named = os.environ.get("GRAPHLENS_DOT") or "dot"
    found = shutil.which(named)
    if found is None:
        why = f"no program named {named}; our own layout does without"
        return Check("layout", "dot", False, "", why)
    return Check("layout", "dot", True, f"{found}, for `export --engine dot` and `auto`")


def _package(part: str, name: str, package: str, extra: str, library: str = "") -> Check:
    """A package that a format needs, and a library of the system that the package needs."""
    if importlib.util.find_spec(package) is None:
        return Check(part, name, False, "", f"no {package}; pip install 'graphlens[{extra}]' to use it")
    found = f"{package} {importlib.metadata.version(package)}"
    if library:
        try:
            ctypes.CDLL(library)
        except OSError:
            return Check(part, name, False, found, f"no {library}, which it draws with; install Cairo")
    return Check(part, name, True, found)


def _terminal() -> Check:
    term = os.environ.get("TERM", "")
    size = shutil.get_terminal_size()
    colours = os.environ.get("COLORTERM") or ("256 colours" if "256" in term else "few colours")
    found = f"{term or 'no TERM'}, {size.columns}x{size.lines}, {colours}"
    if term in ("", "dumb", "unknown"):
        return Check("terminal", "UI", False, found, "this terminal cannot be drawn on; set TERM")
    for file, name in ((sys.stdin, "input"), (sys.stdout, "output")):
        if file is None or not file.isatty():
            return Check("terminal", "UI", False, found, f"standard {name} is not a terminal")
    if (sys.stdout.encoding or "").lower().replace("-", "") != "utf8":
        why = f"output is {sys.stdout.encoding}; set LANG to a UTF-8 locale for lines and symbols"
        return Check("terminal", "UI", True, found, why)
    return Check("terminal", "UI", True, found)
