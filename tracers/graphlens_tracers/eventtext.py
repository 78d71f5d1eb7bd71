"""Events as the text that stands in the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any


def text_of(event: Any) -> str:  # Any: every frozen dataclass of events.py
    """The event as JSON: ["Kind", {its fields without those that have their default}]."""
    form = _form(type(event))
    # Most fields are numbers: those of a call are written in every step.
    parts = [
        key + (str(value) if type(value) is int else _json(value))
        for key, default, value in zip(form.keys, form.defaults, form.values(event), strict=True)
        if value is not default and value != default
    ]
    return form.start + ",".join(parts) + "}]"


def plain(event: Any) -> dict[str, Any]:  # Any: every frozen dataclass of events.py
    """The event's fields, without those that have their default; nested ones are left as they are.

    `json.dumps(..., default=plain)` writes the whole event.
    """
    form = _form(type(event))
    values = zip(form.names, form.defaults, form.values(event), strict=True)
    return {name: value for name, default, value in values if value != default}


class _Form:
    """What the JSON of one kind of event is made of."""

    def __init__(self, kind: type[Any]) -> None:
        self.start = f'["{kind.__name__}",{{'
        names = self.names = [field.name for field in fields(kind)]
        self.keys = [f'"{name}":' for name in names]
        self.defaults = [field.default for field in fields(kind)]
        self.values: Callable[[Any], tuple[Any, ...]] = (
            attrgetter(*names) if len(names) > 1 else lambda event: (getattr(event, names[0]),)
        )


def _form(kind: type[Any]) -> _Form:
    form = _forms.get(kind)
    if form is None:
        form = _forms[kind] = _Form(kind)
    return form


_forms: dict[type[Any], _Form] = {}
_json = json.JSONEncoder(default=plain, separators=(",", ":")).encode
