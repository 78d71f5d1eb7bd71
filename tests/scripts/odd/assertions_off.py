# environment: PYTHONOPTIMIZE=2
def f():
    "doc"
assert False
print(__debug__, f.__doc__)
