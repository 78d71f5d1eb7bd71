"""Run as `python directory`."""
import sys

import beside

print(__name__, sys.argv, sys.path[0] == sys.argv[0], beside.__name__)
