"""
>>> 1 + 1
2
>>> 2 + 2
5
"""
import doctest; r = doctest.testmod(); print(r)
