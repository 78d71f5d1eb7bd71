"""Warnings are errors, and warnings point to the right line."""
import sys
import warnings

warnings.simplefilter("error")
import warning_sibling
import asyncio, multiprocessing, subprocess, ctypes

try:
    warnings.warn("mine", DeprecationWarning)
except DeprecationWarning as error:
    print("raised", error)
warnings.simplefilter("default")
del sys.modules["warning_sibling"]
import warning_sibling
