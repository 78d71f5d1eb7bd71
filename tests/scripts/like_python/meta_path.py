"""Puts a finder of its own in front, and imports through it; looks a module up without importing."""
import importlib.abc
import importlib.machinery
import importlib.util
import sys


class Made(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "made_up" else None

    def exec_module(self, module):
        module.answer = 42


sys.meta_path.insert(0, Made())
import made_up

print(made_up.answer, importlib.util.find_spec("json").name, importlib.util.find_spec("no_such_module"))
try:
    import no_such_module
except ImportError as error:
    print(type(error).__name__, error, error.name, error.path)
