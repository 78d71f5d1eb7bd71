"""What a module finds about itself."""
import __main__
import sys

print(sorted(name for name in vars(__main__) if name not in ("sys",)))
print(__name__, __file__ == sys.argv[0], __spec__, __package__, type(__loader__).__name__, __builtins__ is not None)
print(sys.flags, sys.warnoptions, sys._xoptions)
