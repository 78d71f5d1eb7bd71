import sys, types
class M(types.ModuleType):
    def __getattr__(s, n): return n
sys.modules["magic"] = M("magic")
from magic import anything
print(anything)
