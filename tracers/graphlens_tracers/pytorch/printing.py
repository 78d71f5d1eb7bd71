"""Tensors that the script has written as text, by `print` or in a string: people look at them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import torch

from graphlens_tracers.events import Seq, Unusual
from graphlens_tracers.pytorch import compat
from graphlens_tracers.pytorch.arguments import home_of
from graphlens_tracers.pytorch.dispatch import Dispatch
from graphlens_tracers.pytorch.numerics import numerics, ranged_as
from graphlens_tracers.sink import words_of


def wrap(here: Callable[[], Dispatch | None]) -> Callable[[], None]:
    """Note what is written as text, on the threads for which `here` gives a mode; the result undoes it."""
    holder: Any = sys.modules["torch._tensor_str"]
    original: Any = holder._str

    @wraps(original)
    def around_text(tensor: Any, **how: Any) -> Any:
        dispatch = here()
        if dispatch is not None and not dispatch.idle and not dispatch.failed:
            _note(dispatch, tensor)
        try:
            return original(tensor, **how)
        except BaseException as error:
            # Without our frame, as in `Dispatch`.
            error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
            raise

    compat.leave_uncompiled(around_text, callees=True)
    holder._str = around_text

    def undo() -> None:
        holder._str = original

    return undo


def _note(dispatch: Dispatch, tensor: Any) -> None:
    """Say which output of which operation it is, where that is known and it is not finite."""
    try:
        if not isinstance(tensor, torch.Tensor) or not ranged_as(tensor) or compat.is_wrapped(tensor):
            return
        with compat.without_modes(), torch.no_grad():
            numbers = numerics(tensor)
        made = dispatch.calls.writer(home_of(tensor), dispatch.values.vars)
        if made is not None and (numbers.nan or numbers.pos_inf or numbers.neg_inf):
            dispatch.sink.declare(Unusual(Seq(made[0]), made[1], printed=True))
    except Exception as error:
        dispatch.sink.gap("unreadable", f"printed tensors: {words_of(error)}"[:200])
