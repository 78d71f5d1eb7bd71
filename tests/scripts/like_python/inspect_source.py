"""Looks at its own source and its own stack."""
import inspect
import sys
import traceback


def here():
    frame = inspect.currentframe()
    depth = 0
    while frame:
        depth += 1
        frame = frame.f_back
    return depth, [entry.function for entry in inspect.stack()]


print(inspect.getsource(here))
print(here())
traceback.print_stack(file=sys.stdout)
