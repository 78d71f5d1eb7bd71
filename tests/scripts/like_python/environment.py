"""What it finds in its environment, less what is ours by name."""
import os
import sys

ours = [name for name in os.environ if name.startswith("GRAPHLENS_")]
left = {name: value for name, value in os.environ.items() if name not in (*ours, "PYTHONPATH", "_")}
print(sorted(left.items()))
print(sys.path[1:], [name for name in sys.modules if "customize" in name])
