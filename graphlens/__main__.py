"""`python -m graphlens`: the same as `graphlens`."""

from __future__ import annotations

import os
import sys

# `python -m` puts the directory we are in first: the script's, where anything may be called like a
# module of ours, or a directory that somebody else filled.
if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:
    del sys.path[0]

try:
    import graphlens_tracers  # noqa: F401  # in a checkout that was not installed, it is not on the path
except ModuleNotFoundError:
    sys.exit("graphlens: not installed here; in its directory: python -m pip install -e .")

from graphlens.cli import main

if __name__ == "__main__":
    sys.exit(main())
