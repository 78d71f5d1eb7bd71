"""A TensorFlow that lacks what we hold on to is not recorded: it is said by name, the script goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.compat import tf
from recorded import recorded, tensorflow

PARTS: dict[str, tuple[Any, str]] = {
    "functions": (compat.atomic_function, "from_func_graph"),
    "function calls": (compat.Context, "add_function_def"),
    "what runs eagerly": (compat.Context, "add_op_callback"),
    "stacks without ours": (compat.tf_stack, "SentinelFilter"),
    "sessions": (compat.session.BaseSession, "_do_run"),
}


@pytest.mark.parametrize("name", PARTS)
def test_what_is_lacking_is_said_by_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow itself may do without it: what runs here needs none of these."""
    owner, attribute = PARTS[name]
    found: list[Any] = []

    def program() -> None:
        found.append((tf.constant([1.0]) * 2.0).numpy().tolist())

    with monkeypatch.context() as patch:
        patch.delattr(owner, attribute)
        process = recorded(program, tmp_path / "run.glens", of=tensorflow)

    assert found == [[2.0]]
    assert [gap.what for gap in process.gaps] == [f"this TensorFlow lacks {name}"]
    assert process.op_count == 0
