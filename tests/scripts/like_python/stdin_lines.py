"""Reads its standard input, by input() and by lines."""
import sys

print("name?", input())
for line in sys.stdin:
    print(repr(line))
try:
    input("more? ")
except EOFError as error:
    print(type(error).__name__, error)
