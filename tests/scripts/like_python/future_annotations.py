"""Python reads the file: coding, future imports and doctests are its own."""
# -*- coding: latin-1 -*-
from __future__ import annotations

import doctest


def double(x: Undefined) -> AlsoUndefined:
    """
    >>> double(2)
    4
    """
    return 2 * x


print(double.__annotations__, doctest.testmod())
