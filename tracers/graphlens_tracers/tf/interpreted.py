"""Lets functions run operation by operation that TensorFlow would run as a whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from graphlens_tracers.tf import compat
from graphlens_tracers.tf.interpreter import Interpreter
from graphlens_tracers.tf.moments import Listener


class Interpreted:
    """Every call of a function by Python, as long as somebody listens.

    A function of which a kernel remembers where it was, a stream of random numbers above all, runs operation
    by operation from its first call on, also when nobody listens: TensorFlow's own kernels would begin anew.
    """

    def __init__(self) -> None:
        self._entry = compat.pywrap_tfe.TFE_Py_Execute
        self.interpreter = Interpreter(execute=self._entry)
        self._is_operation: dict[str, bool] = {}
        self._gone: list[str] = []

    @property
    def listener(self) -> Listener | None:
        """Who listens; None for nobody. May change at any time, also between two operations of a call."""
        return self.interpreter.listener

    @listener.setter
    def listener(self, listener: Listener | None) -> None:
        self.interpreter.listener = listener

    def install(self) -> list[Callable[[], object]]:
        """From now on; each result undoes a part. What records calls is to be installed behind this."""
        entry, removed = self._entry, compat.Context.remove_function

        def around_entry(handle: Any, device: Any, op: Any, inputs: Any, attributes: Any, count: Any) -> Any:
            name = compat.text(op)
            try:
                if self._wants(name, device, inputs):
                    return self.interpreter.run(name, inputs)
                return entry(handle, device, op, inputs, attributes, count)
            except BaseException as error:
                error.__traceback__ = None  # all of it is ours
                raise

        @wraps(removed)
        def around_removal(context: Any, name: Any) -> Any:
            # The garbage collector may ask for it at any moment, also in the middle of what we do.
            self._gone.append(compat.text(name))
            return removed(context, name)

        compat.pywrap_tfe.TFE_Py_Execute = around_entry
        compat.Context.remove_function = around_removal
        return [
            partial(setattr, compat.pywrap_tfe, "TFE_Py_Execute", entry),
            partial(setattr, compat.Context, "remove_function", removed),
        ]

    def _wants(self, name: str, device: Any, inputs: Any) -> bool:
        """Whether it is a function that is to run operation by operation."""
        while self._gone:
            self.interpreter.forget(self._gone.pop())
        is_operation = self._is_operation.get(name)
        if is_operation is None:
            is_operation = self._is_operation[name] = compat.op_def(name) is not None
        if is_operation or self.interpreter.why_not(name) is not None:
            return False
        if self.listener is None and not self.interpreter.remembers(name):
            return False
        if compat.shows_functions():
            return False
        return _is_here(device) and all(_is_here(one.device) for one in inputs)


def _is_here(device: Any) -> bool:
    """Whether a device is one of this process."""
    return "/job:" not in (device or "").replace("/job:localhost", "")
