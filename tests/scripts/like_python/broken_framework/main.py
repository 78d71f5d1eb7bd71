"""A framework that can't be imported: its own error, with its own traceback, at every attempt."""
import importlib
import sys
import traceback

for kind in ("import", "runtime", "exit", "nested"):
    sys.argv[1:] = [kind]
    try:
        import torch
    except BaseException:
        traceback.print_exc()
    print(kind, "torch" in sys.modules)
try:
    importlib.import_module("torch.nn")
except ImportError as error:
    print(error, error.name)
sys.argv[1:] = ["import"]
import torch
