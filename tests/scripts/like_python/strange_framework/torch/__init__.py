"""A framework in name only."""

import sys
import warnings

frame, names = sys._getframe(), []
while frame:
    if not frame.f_code.co_filename.startswith("<frozen importlib"):
        names.append(frame.f_code.co_name)
    frame = frame.f_back
DEPTH = names
VALUE = 1
print("executed")
warnings.warn("the importer is told", DeprecationWarning, stacklevel=2)
