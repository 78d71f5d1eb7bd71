import os, sys
for n in ("networkx", "numpy", "textual", "msgspec", "graphviz", "graphlens", "graphlens_tracers", "tomlkit", "site", "struct"):
    open(n + ".py", "w").write(f"WHO = {n!r}\n")
sys.path.insert(0, os.getcwd())
import networkx, msgspec, graphlens; print(networkx.WHO, msgspec.WHO, graphlens.WHO)
