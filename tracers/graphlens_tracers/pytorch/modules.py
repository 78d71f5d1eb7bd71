"""Modules to scopes: which module call an operation runs in, and what parameters are called."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import nn

from graphlens_tracers.events import Event, ModuleCallId, ModuleCallSeen, ScopeId, ScopeSeen


class ModuleCall:
    """The nth call of a module inside one call of its caller. One object for all steps.

    Attributes:
        calls: How often each scope was called from the current run of this call.
    """

    __slots__ = ("calls", "children", "id", "nth", "parent", "scope")

    def __init__(
        self, id: ModuleCallId | None, scope: ScopeId | None, parent: ModuleCall | None, nth: int = 0
    ) -> None:
        self.nth = nth
        self.id = id
        self.scope = scope
        self.parent = parent
        self.children: dict[tuple[ScopeId, int], ModuleCall] = {}
        self.calls: dict[ScopeId, int] = {}


def path_of(title: str, name: str) -> str:
    """The dotted path of a part of a root, as if nothing in it were wrapped by torch.compile."""
    return ".".join([title, *(part for part in name.split(".") if part and part != "_orig_mod")])


class Names:
    """What a root module calls its parts, found once a root and again when a part is new."""

    def __init__(self, root: nn.Module, title: str) -> None:
        self.title = title
        self._root = weakref.ref(root)
        self.modules: dict[int, tuple[weakref.ref[nn.Module], str]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the names again: modules may have been added."""
        root = self._root()
        if root is None:
            return
        self.modules = {
            id(module): (weakref.ref(module), path_of(self.title, name))
            for name, module in root.named_modules()
        }

    def path(self, module: nn.Module) -> str | None:
        """The dotted path of a part of this root; None when it is not one."""
        known = self.modules.get(id(module))
        return known[1] if known is not None and known[0]() is module else None


class Modules:
    """Follows the module calls of the traced thread by torch's global forward hooks."""

    def __init__(self, declare: Callable[[Event], None]) -> None:
        self._declare = declare
        self._scopes: dict[tuple[str, ScopeId | None], ScopeId] = {}
        self._calls = self._count = 0
        self._titled: dict[str, list[weakref.ref[nn.Module]]] = {}
        self._roots: dict[int, tuple[weakref.ref[nn.Module], Names]] = {}
        self._guests: dict[tuple[int, str], tuple[weakref.ref[nn.Module], Names]] = {}
        """Modules that were called inside of another which does not name them, by id and path."""
        self._known: dict[int, tuple[weakref.ref[nn.Module], ScopeId, ScopeId | None, Names]] = {}
        self.paths: dict[ScopeId, str] = {}
        self.top = ModuleCall(None, None, None)
        self.current = self.top
        self._stack: list[tuple[ModuleCall, Names | None]] = []
        self.tensors: dict[int, tuple[weakref.ref[Any], str, str]] = {}
        """Parameters and buffers by id: (reference, kind, name)."""
        self._by_scope: dict[ScopeId, list[ModuleCall]] = {}
        self.again: dict[ScopeId, int] = {}
        """How often a module was computed again in the backward that runs."""
        self.exist = False
        """Whether the script has made any module with parameters."""

    def enter(self, module: nn.Module, again: bool = False) -> None:
        """A module's forward begins.

        Args:
            again: The autograd engine is running: a checkpoint computes again what it has computed.
        """
        known = self._repeated(module) if again else None
        if known is not None:
            everybody = (*self._roots.values(), *self._guests.values())
            roots = (names for _, names in everybody if names.path(module) is not None)
            self._stack.append((self.current, next(roots, None)))
            self.current = known
            known.calls.clear()
            return
        names = self._stack[-1][1] if self._stack else None
        if names is None or not self._stack:
            names = self._root(module)
        parent = self.current
        scope, names = self._scope(module, names, parent.scope)
        nth = parent.calls.get(scope, 0)
        parent.calls[scope] = nth + 1
        call = parent.children.get((scope, nth))
        if call is None:
            call = ModuleCall(ModuleCallId(self._calls), scope, parent, nth)
            self._calls += 1
            parent.children[scope, nth] = call
            self._by_scope.setdefault(scope, []).append(call)
            assert call.id is not None
            self._declare(ModuleCallSeen(call.id, parent.id, scope, nth))
        elif call.calls:
            call.calls.clear()
        self._stack.append((parent, names))
        self.current = call

    def _repeated(self, module: nn.Module) -> ModuleCall | None:
        """The call of a module that is computed again: the last one that has not been, in this step.

        A module that is called inside of such a call is one of its calls as usual.
        """
        seen = self._known.get(id(module))
        if seen is None or seen[0]() is not module or self.current.id is not None:
            return None
        calls = [
            call
            for call in self._by_scope.get(seen[1], ())
            if call.parent is not None and call.nth < call.parent.calls.get(seen[1], 0)
        ]
        count = self.again[seen[1]] = self.again.get(seen[1], 0) + 1
        return calls[-min(count, len(calls))] if calls else None

    def called(self, scope: ScopeId | None, id: ModuleCallId | None) -> ModuleCall | None:
        """A module call by what operations say of it; None when it is not remembered."""
        calls = self._by_scope.get(scope, ()) if scope is not None else ()
        return next((call for call in calls if call.id == id), None)

    def leave(self) -> None:
        """The innermost module's forward is over, by a result or an exception."""
        if self._stack:
            self.current = self._stack.pop()[0]

    def abandon(self) -> None:
        """The thread has ended: so has every module that it was in."""
        self._stack.clear()
        self.current = self.top
        self.top.calls.clear()

    def restart(self) -> None:
        """A step begins: count the calls of root modules from zero."""
        self.top.calls.clear()

    def forget(self) -> None:
        """Forget what was called, and modules that are gone: what runs is declared anew."""
        if self._stack:
            return
        for calls in self._by_scope.values():
            for call in calls:
                call.children.clear()
        self.top.children.clear()
        for names in (self._by_scope, self._scopes, self.paths, self._known, self.again):
            names.clear()
        self._roots = {key: known for key, known in self._roots.items() if known[0]() is not None}
        self._guests = {key: known for key, known in self._guests.items() if known[0]() is not None}
        self.tensors = {key: known for key, known in self.tensors.items() if known[0]() is not None}

    @property
    def depth(self) -> int:
        """How many modules are running."""
        return len(self._stack)

    def _root(self, module: nn.Module) -> Names:
        known = self._roots.get(id(module))
        if known is not None and known[0]() is module:
            return known[1]
        title = type(getattr(module, "_orig_mod", module)).__name__  # what torch.compile wrapped
        names = Names(module, self._title(title, module))
        self._roots[id(module)] = (weakref.ref(module), names)
        self._name_tensors(module, names.title)
        return names

    def _title(self, title: str, module: nn.Module) -> str:
        """A name that no other root has that is alive.

        A loss that is made anew in every step has the same name in each, and so the same graph.
        """
        titled = self._titled.setdefault(title, [])
        free = next((k for k, holder in enumerate(titled) if holder() is None), len(titled))
        titled[free : free + 1] = [weakref.ref(module)]
        return title if not free else f"{title}#{free + 1}"

    def _name_tensors(self, root: nn.Module, title: str) -> None:
        for kind, named in (
            ("parameter", root.named_parameters(remove_duplicate=False)),
            ("buffer", root.named_buffers(remove_duplicate=False)),
        ):
            for name, tensor in named:
                known = self.tensors.get(id(tensor))
                if known is None or known[0]() is not tensor:
                    self.tensors[id(tensor)] = (weakref.ref(tensor), kind, path_of(title, name))

    def forget_tensors(self, *tensors: Any) -> Callable[[], None]:
        """Keep no reference to these tensors; gives what takes them up again, as what they were."""
        known = []
        for tensor in tensors:
            name = self.tensor_name(tensor)
            if self.tensors.pop(id(tensor), None) is not None and name is not None:
                known.append((tensor, name))

        def again() -> None:
            for tensor, (kind, path) in known:
                self.tensors[id(tensor)] = (weakref.ref(tensor), kind, path)

        return again

    def tensor_name(self, tensor: Any) -> tuple[str, str] | None:
        """(kind, name) of a parameter or buffer of a module that was called; None for any other tensor."""
        known = self.tensors.get(id(tensor))
        return (known[1], known[2]) if known is not None and known[0]() is tensor else None

    def _scope(self, module: nn.Module, names: Names, parent: ScopeId | None) -> tuple[ScopeId, Names]:
        """The scope of a module's call, and who knows the names of the modules that it calls."""
        known = self._known.get(id(module))
        if known is not None and known[0]() is module and known[2] == parent:
            return known[1], known[3]
        path, names = self._path(module, names, parent)
        key = (path, parent)
        scope = self._scopes.get(key)
        if scope is None:
            scope = self._scopes[key] = ScopeId(self._count)
            self._count += 1
            self.paths[scope] = path
            self._declare(ScopeSeen(scope, parent, path, type(module).__name__))
        self._known[id(module)] = (weakref.ref(module), scope, parent, names)
        return scope, names

    def _path(self, module: nn.Module, names: Names, parent: ScopeId | None) -> tuple[str, Names]:
        """What the innermost of the modules around it calls a module, and that one's names.

        One that none of them names (it is kept in a list, in a closure) is called by its class.
        """
        for around in dict.fromkeys([names, *(one for _, one in reversed(self._stack) if one is not None)]):
            path = around.path(module)
            if path is None:
                around.refresh()
                path = around.path(module)
            if path is not None:
                return path, around
        outer = self.paths[parent] + "." if parent is not None else ""
        path = f"{outer}{type(module).__name__}"
        guest = self._guests.get((id(module), path))
        if guest is None or guest[0]() is not module:
            guest = weakref.ref(module), Names(module, path)
            self._guests[id(module), path] = guest
            self._name_tensors(module, path)
        return path, guest[1]
