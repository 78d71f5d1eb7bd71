"""Finalizers that run when the interpreter is taken apart."""
import weakref


class Thing:
    def __del__(self):
        print("finalised")


thing = Thing()
weakref.finalize(thing, print, "weakref finalizer")
cycle = [Thing()]
cycle.append(cycle)
del cycle
