"""Run as `python -m train`."""
import sys

from train import helper

print(__name__, __spec__.name, sys.argv[1:], helper.__name__)
sys.exit(4)
