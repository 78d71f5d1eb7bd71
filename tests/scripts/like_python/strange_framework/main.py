"""Something called like a framework that is none: ours fails on it, the script does not."""
import importlib
import importlib.util
import inspect
import sys
import warnings

warnings.simplefilter("always")
seen = []
sys.settrace(lambda frame, event, argument: seen.append(frame.f_code.co_filename))
import torch

sys.settrace(None)
print(torch.VALUE, torch.DEPTH, torch.__spec__.name, torch.__spec__.loader is torch.__loader__)
print(type(torch.__loader__).__name__, sorted(vars(torch.__loader__)), torch.__spec__ == importlib.util.find_spec("torch"))
print(sorted(name for name in vars(torch) if not name.startswith("__")), torch.__doc__, torch.__file__ == torch.__spec__.origin)
print([file for file in seen if "graphlens" in file])
print(importlib.reload(torch) is torch)

del sys.modules["torch"]
spec = importlib.util.find_spec("torch")
lazy = importlib.util.LazyLoader(spec.loader)
spec.loader = lazy
module = importlib.util.module_from_spec(spec)
sys.modules["torch"] = module
lazy.exec_module(module)
print("not executed yet")
print(module.VALUE)
