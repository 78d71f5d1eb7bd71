import sys, importlib.abc, importlib.machinery
class F(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(s, n, p, t=None): return importlib.machinery.ModuleSpec(n, s) if n == "virtual" else None
    def create_module(s, spec): return None
    def exec_module(s, m): m.x = 42
sys.meta_path.insert(0, F())
import virtual; print(virtual.x, virtual.__spec__.loader.__class__.__name__)
