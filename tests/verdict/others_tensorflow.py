"""Other tools that look for NaN in scripts of TensorFlow, as their documentation says to use them."""

from __future__ import annotations

import re
import runpy
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import tensorflow as tf

from verdict.said import SILENT, Said


def check_numerics(case: Path) -> Said:
    """`tf.debugging.enable_check_numerics()` before the first line: an output that is not finite is an error.

    Its message has the stack that made the operation of a graph; that of an eager one is the error's own.
    """
    _anew()
    tf.debugging.enable_check_numerics()
    try:
        runpy.run_path(str(case), run_name="__main__")
    except (Exception, SystemExit) as error:
        return _said(case, error)
    return SILENT


def _anew() -> None:
    keras.backend.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)


def _said(case: Path, error: BaseException) -> Said:
    words = str(error)
    found = re.search(r'Detected Infinity or NaN in output \d+ of [\w-]+(?: \w+)* "(\w+)"', words)
    if found is None:
        tf.debugging.disable_check_numerics()
        return Said(False, failed="" if _fails(case) else f"{type(error).__name__}: {words}"[:200])
    stack = re.findall(rf"{re.escape(case.name)} \(L(\d+)\)", words)
    frames = traceback.extract_tb(error.__traceback__)
    stack = stack or [frame.lineno for frame in frames if Path(frame.filename).name == case.name]
    return Said(True, int(stack[-1]) if stack else 0, found[1])


def _fails(case: Path) -> bool:
    """Whether it fails without the tool, too."""
    _anew()
    try:
        runpy.run_path(str(case), run_name="__main__")
    except (Exception, SystemExit):
        return True
    return False


TOOLS: Mapping[str, Callable[[Path], Said]] = {"check_numerics": check_numerics}
