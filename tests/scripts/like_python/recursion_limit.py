"""How deep it can go."""
import sys


def deep(n):
    try:
        return deep(n + 1)
    except RecursionError:
        return n


sys.setrecursionlimit(500)
print(deep(0))
