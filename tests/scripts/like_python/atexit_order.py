"""Exit functions run in their order, and what they print and how they fail is seen."""
import atexit
import sys

atexit.register(print, "registered first, runs last")
atexit.register(divmod, 1, 0)
atexit.register(print, "registered last, runs first")
print("body")
sys.exit(7)
