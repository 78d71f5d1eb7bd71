"""Looking at the names of a running function leaves them, and what they stand for, as they were."""

from __future__ import annotations

import sys
import weakref
from typing import Any

from graphlens_tracers.ahead import _names


class Thing:
    """Something whose end can be noticed."""


def test_local_names_are_found() -> None:
    thing = Thing()
    assert _names(sys._getframe(), shows=False)["thing"] is thing


def test_nothing_is_kept_alive() -> None:
    thing = Thing()
    seen = weakref.ref(thing)
    _names(sys._getframe(), shows=False)
    del thing
    assert seen() is None


def test_a_copy_that_the_script_holds_is_left_alone() -> None:
    def held() -> dict[str, Any]:
        thing = Thing()  # noqa: F841  # it is asked for by name
        kept = sys._getframe().f_locals
        _names(sys._getframe(), shows=False)
        return kept

    assert isinstance(held()["thing"], Thing)
