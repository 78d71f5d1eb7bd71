"""`python -m graphlens`: the same as `graphlens`."""

from __future__ import annotations

import sys

try:
    import graphlens_tracers  # noqa: F401  # in a checkout that was not installed, it is not on the path
except ModuleNotFoundError:
    sys.exit("graphlens: not installed here; in its directory: python -m pip install -e .")

from graphlens.cli import main

if __name__ == "__main__":
    sys.exit(main())
